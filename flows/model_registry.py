"""The model registry, which says which source model and which generator are in use."""

from pathlib import Path

import mlflow
from mlflow.entities import RunInfo

from nf.core.files import sha256_file, sha256_json

CURRENT = "current"


def register(client: mlflow.MlflowClient, info: RunInfo, name: str, place: str, local: Path) -> None:
    """Make an artifact of a run the version ``current`` of the registered model ``name``, unless it is that already.

    Args:
        client: client of the server that holds the run.
        info: information about the run.
        name: name of the registered model, which is created if it is missing.
        place: path of the file or folder among the run's artifacts.
        local: path of the same file or folder on this machine, for its hash.
    """
    digest = _hash(local)
    if _current_hash(client, name) == digest:
        return
    source, tags = f"{info.artifact_uri}/{place}", {"sha256": digest}
    version = client.create_model_version(name, source, info.run_id, tags=tags, await_creation_for=0)
    client.set_registered_model_alias(name, CURRENT, version.version)


def _current_hash(client: mlflow.MlflowClient, name: str) -> str | None:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
        return None
    aliases = client.get_registered_model(name).aliases
    if CURRENT not in aliases:
        return None
    digest = client.get_model_version(name, str(aliases[CURRENT])).tags.get("sha256")
    return None if digest is None else str(digest)


def _hash(path: Path) -> str:
    if path.is_file():
        return sha256_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return sha256_json({str(file.relative_to(path)): sha256_file(file) for file in files})
