"""MLflow runs are written to disk first and sent from there: a tracking server that is away holds nothing up.

A record is a tree of runs. It lies under ``.mlflow/outbox/`` until the server has all of it; what an interrupted
attempt left on the server is deleted before the next. One process writes or sends at a time, so that a fresh store is
set up once and what is being written is not taken for a remnant.
"""

import fcntl
import logging
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow.entities import Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from flows.environment import MLFLOW_HOME
from flows.model_registry import register
from nf.core.errors import ArtifactError, NFError
from nf.core.files import make_folder, open_lock, read_json, write_bytes, write_sealed

OUTBOX = MLFLOW_HOME / "outbox"
_RECORD_FILE = "record.json"
_ARTIFACTS = "artifacts"
_RECORD_TAG = "record"
_GIVE_UP = "move this run's folder out of the outbox, and those that wait behind it are sent"
_METRICS_AT_ONCE = 1000  # MLflow takes no more in one batch
_PARAMETERS_AT_ONCE = 100

_T = TypeVar("_T")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunRecord:
    """The contents of one MLflow run that is to be sent.

    Attributes:
        name: name of the run.
        params: settings, as text by name.
        metrics: triples (name, value, step).
        tags: text by name, by which runs are found and distinguished.
        files: files, folders or bytes, by their path among the run's artifacts.
        models: path of an artifact, by the name of the registered model that it is a version of.
        children: runs that are shown below this one.
    """

    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[tuple[str, float, int]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path | bytes] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    children: Sequence["RunRecord"] = ()


def log(experiment: str, record: RunRecord) -> None:
    """Keep ``record`` and send all that is kept, or say that it could not be sent."""
    keep(experiment, record)
    try:
        send()
    except NFError as error:
        _logger.warning("%s", error)


def keep(experiment: str, record: RunRecord) -> Path:
    """Write ``record`` to the outbox, whole or not at all, and return its folder.

    Raises:
        ArtifactError: the disk is full, the outbox is not writable, or a file of the record cannot be read.
    """
    name = f"{time.time_ns()}-{secrets.token_hex(4)}"
    with _outbox_lock():
        unfinished = OUTBOX / f".{name}"
        try:
            _write(unfinished, record)
            write_sealed(unfinished / "envelope.json", {"experiment": experiment, "time": time.time_ns() // 1_000_000})
            return unfinished.rename(OUTBOX / name)
        except OSError as error:
            raise ArtifactError(
                f"{OUTBOX / name}: expected to copy a run for MLflow there, got {_reason(error)}; free some space or "
                "see to the file that it names, and run again"
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def send() -> int:
    """Send all records that are kept, the oldest first, and delete remnants of killed processes.

    Returns:
        Number of records sent.

    Raises:
        NFError: the server is away or refuses a record; that one and all after it stay.
    """
    sent = 0
    with _outbox_lock():
        folders = sorted(path for path in OUTBOX.iterdir() if path.is_dir())
        for unfinished in (path for path in folders if path.name[0] == "."):
            shutil.rmtree(unfinished, ignore_errors=True)
        for folder in (path for path in folders if path.name[0] != "."):
            try:
                _send(folder)
            # requests' errors are OSErrors.
            except (MlflowException, SQLAlchemyError, OSError) as error:
                raise NFError(
                    f"{folder}: expected MLflow at MLFLOW_TRACKING_URI to take this run, got {_reason(error)}; it is "
                    "kept: send it with `python -m flows send`"
                ) from error
            # Under a name that is swept: half of a record could not be sent again.
            shutil.rmtree(folder.rename(OUTBOX / f".{folder.name}"), ignore_errors=True)
            sent += 1
    return sent


def _write(folder: Path, record: RunRecord) -> None:
    for place, source in record.files.items():
        target = folder / _ARTIFACTS / place
        make_folder(target.parent)
        if isinstance(source, bytes):
            write_bytes(target, source)
        elif source.is_dir():
            shutil.copytree(source, target, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, target)  # not its mode, which DVC may have chosen
    plain = {"name": record.name, "params": dict(record.params), "metrics": list(record.metrics)}
    write_sealed(folder / _RECORD_FILE, {**plain, "tags": dict(record.tags), "models": dict(record.models)})
    for index, child in enumerate(record.children):
        _write(folder / f"child-{index:02}", child)


@contextmanager
def _outbox_lock() -> Iterator[None]:
    with open_lock(OUTBOX / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _send(folder: Path) -> None:
    client = mlflow.MlflowClient()
    envelope = read_json(folder / "envelope.json", advice=_GIVE_UP)
    experiment = _experiment(client, envelope["experiment"])
    for left in client.search_runs([experiment], f"tags.{_RECORD_TAG} = '{folder.name}'", ViewType.ACTIVE_ONLY):
        client.delete_run(left.info.run_id)
    _send_run(client, experiment, folder, {_RECORD_TAG: folder.name}, envelope["time"])


def _send_run(client: mlflow.MlflowClient, experiment: str, folder: Path, tags: Mapping[str, str], at: int) -> None:
    """One run with its metrics, artifacts and models, then its children."""
    record = read_json(folder / _RECORD_FILE, advice=_GIVE_UP)
    info = client.create_run(experiment, start_time=at, tags={**record["tags"], **tags}, run_name=record["name"]).info
    metrics = [Metric(name, value, at, step) for name, value, step in record["metrics"]]
    params = [Param(name, value) for name, value in record["params"].items()]
    for batch in _slices(metrics, _METRICS_AT_ONCE):
        client.log_batch(info.run_id, metrics=batch)
    for chunk in _slices(params, _PARAMETERS_AT_ONCE):
        client.log_batch(info.run_id, params=chunk)
    if (folder / _ARTIFACTS).exists():
        client.log_artifacts(info.run_id, str(folder / _ARTIFACTS))
    for name, place in record["models"].items():
        register(client, info, name, place, folder / _ARTIFACTS / place)
    for child in sorted(folder.glob("child-*")):
        _send_run(client, experiment, child, {**tags, "mlflow.parentRunId": info.run_id}, at)
    client.set_terminated(info.run_id, "FINISHED")


def _slices(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (items[first : first + size] for first in range(0, len(items), size))


def _experiment(client: mlflow.MlflowClient, name: str) -> str:
    """Id of the experiment; a new one keeps its artifacts beside the default store, or where the server says."""
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    local = mlflow.get_tracking_uri().startswith("sqlite:")
    return str(client.create_experiment(name, (MLFLOW_HOME / "artifacts").as_uri() if local else None))
