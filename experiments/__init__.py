"""Questions about settings, answered by measuring: ``python -m experiments.NAME``."""
