"""Settings of Prefect, MLflow and DVC for every process of the pipeline; what the user has set stays."""

import os
from pathlib import Path

from nf.core.files import close_folder, keep_private

ROOT = Path(__file__).resolve().parent.parent
PREFECT_HOME = ROOT / ".prefect"
MLFLOW_HOME = ROOT / ".mlflow"
_PRIVATE = (ROOT / "out", ROOT / ".dvc" / "cache", PREFECT_HOME, MLFLOW_HOME)
"""What holds query sets, seeds or settings; MLflow, Prefect and DVC choose the modes of what they write there."""


def project() -> dict[str, str]:
    """The pull step of all deployments: without one Prefect runs a copy of the project, whose artifacts are lost."""
    return {"directory": str(ROOT)}


def configure() -> None:
    """Fill in the environment and shut others out. Call it before prefect, mlflow or torch are imported."""
    keep_private()
    for folder in _PRIVATE:
        if folder.is_dir():
            close_folder(folder)
    defaults = {
        # Everything stays in the project: a user's own Prefect profile may point to another server.
        "PREFECT_HOME": str(PREFECT_HOME),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",  # 20 s are too few on a busy two-core machine
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",  # an error reaches the user once, from the command itself
        "MLFLOW_TRACKING_URI": f"sqlite:///{MLFLOW_HOME / 'mlflow.db'}",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the default waits for minutes on a server that is away
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        # No tool calls home.
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "DVC_NO_ANALYTICS": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
