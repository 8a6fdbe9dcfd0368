"""``python -m flows deploy``: a work pool, and in it the deployments of ``prefect.yaml``."""

import os
import subprocess
import sys
from typing import Any, Literal

from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.workers.base import BaseWorker

from flows.environment import ROOT
from nf.core.errors import ConfigError, NFError

PoolType = Literal["process", "docker"]


def deploy(pool: str, kind: PoolType, image: str) -> None:
    """Create the work pool ``pool`` if it is missing and register every deployment of ``prefect.yaml`` in it.

    Args:
        pool: its name; a pool that exists keeps its settings.
        kind: what a worker makes of a run: a process of its own beside it, or a container.
        image: of these containers; it has this project installed.

    Raises:
        ConfigError: no server is named, or the pool exists and is of another kind.
        NFError: the server does not take a deployment; its own lines say why.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError("PREFECT_API_URL: expected the address of a Prefect server, got none")
    _ensure_pool(pool, kind, image)
    finished = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env={**os.environ, "NF_WORK_POOL": pool},
        check=False,
    )
    if finished.returncode:
        raise NFError(f"expected `prefect deploy --all` to succeed, it ended with status {finished.returncode}")


def _ensure_pool(pool: str, kind: PoolType, image: str) -> None:
    with get_client(sync_client=True) as client:
        try:
            known = client.read_work_pool(pool)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=pool, type=kind, base_job_template=_job_template(kind, image)))
            return
    if known.type != kind:
        raise ConfigError(
            f"work pool {pool!r}: expected type {kind!r}, got {known.type!r}; choose another name, or delete it with "
            f"`prefect work-pool delete {pool}`"
        )


def _job_template(kind: PoolType, image: str) -> dict[str, Any]:
    worker = BaseWorker.get_worker_class_from_type(kind)
    if worker is None:
        raise ConfigError(f"work pool type {kind!r}: expected the package prefect-{kind} to be installed")
    template: dict[str, Any] = worker.get_default_base_job_template()
    if kind == "docker":
        template["variables"]["properties"]["image"]["default"] = image
    return template
