"""Code and settings that a DVC stage reads, and whether somebody edited them while it was at work.

DVC takes the digests of what a stage depends on when the stage has ended: what came of the older code would pass for
the work of the newer, and would never be made again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flows.environment import ROOT
from nf.core.config import Settings, load_settings
from nf.core.errors import ConfigError, NFError
from nf.core.files import sha256_bytes, sha256_file


@dataclass(frozen=True)
class Inputs:
    """What ``dvc.yaml`` lists for one stage beside artifacts, as it was at one moment.

    Attributes:
        digests: SHA-256 of each file of code, by its path in the project, and of each setting, by its key.
    """

    digests: Mapping[str, str]

    @classmethod
    def read(cls, stage: str, profile: str | None, item: str | None) -> "Inputs":
        """Those of ``stage`` now; none where ``dvc.yaml`` has no such stage.

        Args:
            stage: name of the stage, without its item.
            profile: name of the profile. [default: the one in use]
            item: what the stage is about, if it is about one.

        Raises:
            ConfigError: ``params.yaml`` cannot be read.
        """
        stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        if stage not in stages:
            return cls({})
        listed = stages[stage].get("do", stages[stage])
        settings = load_settings(ROOT / "params.yaml")
        names = {"${profile}": profile or settings.profile, "${item.name}": (item or "").rpartition("-")[0]}
        names["${item}"] = item or ""
        code = (path for path in listed["deps"] if not path.startswith("out/"))
        keys = (key for entry in listed.get("params", []) for each in entry.values() for key in each)
        filled = (_filled(key, names) for key in keys)
        return cls(
            {str(file.relative_to(ROOT)): sha256_file(file) for path in code for file in _files(ROOT / path)}
            | {key: sha256_bytes(repr(_value(settings, key)).encode()) for key in filled}
        )

    def changed(self, later: "Inputs") -> list[str]:
        """Paths and keys that are not what they were, in order."""
        both = {*self.digests, *later.digests}
        return sorted(name for name in both if self.digests.get(name) != later.digests.get(name))


def check_unedited(before: Inputs, stage: str, profile: str | None, item: str | None) -> None:
    """Refuse to end well where somebody edited what the stage read.

    Raises:
        NFError: code or settings are not what they were ``before``.
    """
    try:
        changed = before.changed(Inputs.read(stage, profile, item))
    except (ConfigError, OSError) as error:
        changed = [str(error)]
    if changed:
        others = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise NFError(
            f"{stage}: expected code and settings to stay while it was at work, {changed[0]}{others} changed, and what "
            "it made may come of either; run it again"
        )


def _files(path: Path) -> Iterator[Path]:
    """``path``, or what lies in it but for what Python and editors leave there."""
    for file in (path, *path.rglob("*")):
        if file.is_file() and file.suffix != ".pyc" and not file.name.startswith(".") and not file.name.endswith("~"):
            yield file


def _filled(text: str, names: Mapping[str, str]) -> str:
    for place, name in names.items():
        text = text.replace(place, name)
    return text


def _value(settings: Settings, key: str) -> Any:
    """The value at ``profiles.<profile>.<section>...``, or ``None`` where there is none."""
    value: Any = {"profiles": settings.profiles}
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
