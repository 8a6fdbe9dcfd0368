"""``make ui``: MLflow and Prefect on loopback, for as long as one looks."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

from flows.environment import MLFLOW_HOME, PREFECT_HOME
from nf.core.processes import die_with_parent


def serve(mlflow_port: int, prefect_port: int) -> None:
    """Run both servers on the stores of this project until interrupted; their logs lie beside the stores."""
    MLFLOW_HOME.mkdir(parents=True, exist_ok=True)
    PREFECT_HOME.mkdir(parents=True, exist_ok=True)
    commands = {
        MLFLOW_HOME / "server.log": [
            *("mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow_port), "--workers", "1"),
            *("--backend-store-uri", os.environ["MLFLOW_TRACKING_URI"]),
            *("--artifacts-destination", (MLFLOW_HOME / "artifacts").as_uri()),
        ],
        PREFECT_HOME / "ui.log": [
            *("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(prefect_port)),
        ],
    }
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # ten processes that nothing here needs
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{prefect_port}/api",
    }
    sys.stdout.write(f"MLflow   http://127.0.0.1:{mlflow_port}\nPrefect  http://127.0.0.1:{prefect_port}\n")
    sys.stdout.write("They answer within half a minute. Ctrl-C ends both.\n")
    sys.stdout.flush()
    with ExitStack() as stack:
        servers = []
        for log, command in commands.items():
            output = stack.enter_context(log.open("w"))
            servers.append(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    preexec_fn=die_with_parent,
                )
            )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            for server in servers:
                server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait()
