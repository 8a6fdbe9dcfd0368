"""Images from a folder of Parquet files, in the place of those that a profile names."""

from dataclasses import replace
from pathlib import Path

from nf.core.config import Profile, SourceConfig
from nf.core.errors import DataError

_OWN, _ASKED_ABOUT = ("cifar10",), ("cifar100", "tiny-imagenet-32")


def with_images_from(profile: Profile, folder: Path) -> Profile:
    """``profile`` on the images below ``folder``.

    Args:
        profile: the profile whose sources are replaced; how many images they take stays.
        folder: holds ``cifar10/`` and, for what thieves ask about, ``cifar100/`` or ``tiny-imagenet-32/``, each with
            ``train*.parquet``, the first also ``test*.parquet``.

    Raises:
        DataError: a sub-folder is missing, or a part is in several files.
    """
    own = _parquet(folder, _OWN, profile.data.source)
    asked_about = replace(_parquet(folder, _ASKED_ABOUT, profile.data.knockoff), test=None)
    return replace(profile, data=replace(profile.data, source=own, knockoff=asked_about))


def _parquet(folder: Path, names: tuple[str, ...], source: SourceConfig) -> SourceConfig:
    """``source`` read from the Parquet files in the first of the sub-folders ``names`` that there is."""
    for name in names:
        files = {part: sorted((folder / name).glob(f"{part}*.parquet")) for part in ("train", "test")}
        for part, found in files.items():
            if len(found) > 1:
                raise DataError(f"--data: expected one {name}/{part}*.parquet in {folder}, got {len(found)}; join them")
        train, test = (str(found[0]) if found else getattr(source, part) for part, found in files.items())
        if files["train"]:
            return SourceConfig("parquet", train=train, test=test, images=source.images, test_images=source.test_images)
    raise DataError(f"--data: expected {' or '.join(f'{name}/train*.parquet' for name in names)} in {folder}, got none")
