"""Stage ``prepare``: a source of images becomes four disjoint splits and the knockoff data."""

from pathlib import Path

from nf.data import prepare_splits
from nf.stages.run import Run


def prepare(run: Run) -> Path:
    """Write the splits and return their folder.

    Raises:
        DataError: a source cannot be read or is too small.
    """
    prepare_splits(run.profile.data, seed=run.profile.seed).save(run.layout.data)
    return run.layout.data
