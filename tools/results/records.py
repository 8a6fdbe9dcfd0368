"""Reading the records of runs in ``results/``."""

from pathlib import Path
from typing import Any

from nf.core.files import read_json

ROOT = Path(__file__).resolve().parents[2]

Record = dict[str, Any]
"""A record, or a part of one."""


def load(name: str) -> Record | None:
    """The record ``results/<name>.json``, if there is one, with its stages under the names of today."""
    path = ROOT / "results" / f"{name}.json"
    if not path.exists():
        return None
    record = read_json(path)
    by_stage = {key: record[key] for key in ("seconds", "parts", "missing") if isinstance(record.get(key), dict)}
    renamed = {key: {_of_today(part): value for part, value in parts.items()} for key, parts in by_stage.items()}
    return {**record, **renamed}


def load_all(start: str) -> list[Record]:
    """All records whose names begin with ``start``, in the order of their names."""
    names = sorted(path.stem for path in (ROOT / "results").glob(f"{start}*.json"))
    return [record for name in names if (record := load(name)) is not None]


def _of_today(part: str) -> str:
    """The part's name: the stage ``score`` was once called ``verify``."""
    stage, at, item = part.partition("@")
    return f"score@{item}" if (stage, at) == ("verify", "@") else part
