"""Generators from outside: exported programs, checked on entry."""

from nf.gan.imported.artifacts import import_gan, load_imported
from nf.gan.imported.exported_program import ImportedConfig

__all__ = [
    "ImportedConfig",
    "import_gan",
    "load_imported",
]
