"""``python -m flows deploy``: a work pool, and in it the deployments of ``prefect.yaml``."""

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.workers.base import BaseWorker

from flows.environment import ROOT
from flows.server import reported_to_server
from nf.core.errors import ConfigError, NFError

PoolType = Literal["process", "docker"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Containers:
    """The container in which a docker pool executes a run.

    Attributes:
        image: name of an image that has this project installed.
        volumes: volumes or folders that runs share, each as ``volume-or-folder:/path[:ro]``.
        network: mode of Docker's network, such as ``host``; ``None`` is Docker's own bridge.
    """

    image: str
    volumes: Sequence[str]
    network: str | None


def deploy(pool: str, kind: PoolType, containers: Containers) -> None:
    """Create the work pool ``pool`` if it is missing and register every deployment of ``prefect.yaml`` in it.

    Args:
        pool: name of the pool; a pool that exists keeps its settings.
        kind: way in which a worker executes a run: ``process`` beside it, or ``docker`` for a container.
        containers: settings of a new docker pool.

    Raises:
        ConfigError: no server is named, or the pool exists and is of another kind.
        NFError: the server is away, wants another password, or does not take a deployment; its own lines say why.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError("PREFECT_API_URL: expected the address of a Prefect server, got none")
    _ensure_pool(pool, kind, containers)
    finished = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env={**os.environ, "NF_WORK_POOL": pool},
        check=False,
    )
    if finished.returncode:
        raise NFError(f"expected `prefect deploy --all` to succeed, it ended with status {finished.returncode}")


def _ensure_pool(pool: str, kind: PoolType, containers: Containers) -> None:
    with reported_to_server(optional=False), get_client(sync_client=True) as client:
        try:
            known = client.read_work_pool(pool)
        except ObjectNotFound:
            template = _job_template(kind, containers)
            client.create_work_pool(WorkPoolCreate(name=pool, type=kind, base_job_template=template))
            return
    image = known.base_job_template.get("variables", {}).get("properties", {}).get("image", {}).get("default")
    if kind == known.type == "docker" and image != containers.image:
        _logger.warning(
            "work pool %r exists and runs the image %s, not %s; to make it anew, stop its workers, then "
            "`prefect work-pool delete %s`",
            *(pool, image, containers.image, pool),
        )
    if known.type != kind:
        raise ConfigError(
            f"work pool {pool!r}: expected type {kind!r}, got {known.type!r}; choose another name, or delete it with "
            f"`prefect work-pool delete {pool}`"
        )


def _job_template(kind: PoolType, containers: Containers) -> dict[str, Any]:
    worker = BaseWorker.get_worker_class_from_type(kind)
    if worker is None:
        raise ConfigError(f"work pool type {kind!r}: expected the package prefect-{kind} to be installed")
    template: dict[str, Any] = worker.get_default_base_job_template()
    if kind == "docker":
        defaults = {
            "image": containers.image,
            "volumes": list(containers.volumes),
            "network_mode": containers.network,
            "auto_remove": True,
            "env": {"PREFECT_HOME": "/app/.prefect", **_tracking_server()},
        }
        for name, value in defaults.items():
            template["variables"]["properties"][name]["default"] = value
    return template


def _tracking_server() -> dict[str, str]:
    """Which MLflow server a run in a container logs to: all that it is told of the environment of its pool's maker.

    The server keeps a pool's template in clear text: nothing secret goes this way, the address of the webhook included.
    """
    address = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not address.startswith(("http://", "https://")):
        got = "a store of this machine"
    elif "@" in address.split("/")[2]:
        got = "one with a password, which the pool would show"
    else:
        return {"MLFLOW_TRACKING_URI": address}
    _logger.warning(
        "MLFLOW_TRACKING_URI: expected an address of HTTP that containers can use, got %s; their runs stay in a store "
        "of their own under /app/.mlflow; to log elsewhere, set it in the pool's `env`",
        got,
    )
    return {}
