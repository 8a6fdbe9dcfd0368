"""``python -m nf``."""

from nf.cli import main

main()
