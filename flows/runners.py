"""Where the tasks of a flow run: in threads of its own process, or on the workers of a Dask scheduler."""

import ipaddress
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prefect.settings import get_current_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from nf.core.config import ExecutionConfig, TlsConfig
from nf.core.errors import ConfigError, NFError

_CONNECT_SECONDS = 30


def task_runner(execution: ExecutionConfig) -> TaskRunner[Any]:
    """The runner that a profile asks for; a Dask scheduler has answered once when this returns.

    Raises:
        ConfigError: a certificate is missing, or workers elsewhere could not reach Prefect's API.
        NFError: no scheduler answers.
    """
    if execution.address is None or execution.runner == "local":
        return ThreadPoolTaskRunner(max_workers=execution.workers)
    from distributed import Client  # Dask takes a second to import, and few runs need it
    from prefect_dask.task_runners import DaskTaskRunner

    # Of a scheduler that is gone, whoever waits for it is told in one line; Dask's own logger adds tracebacks.
    for logger in ("distributed", "distributed.client"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    _check_api(execution.address, get_current_settings().api.url)
    options = {"security": _security(execution.tls)} if execution.tls else {}
    try:
        with Client(execution.address, timeout=_CONNECT_SECONDS, set_as_default=False, **options):  # type: ignore[no-untyped-call]
            pass
    except OSError as error:
        raise NFError(
            f"expected a Dask scheduler at {execution.address}, got none ({error}); start one with "
            "`dask scheduler`, or set execution.runner to local"
        ) from error
    return DaskTaskRunner(address=execution.address, client_kwargs=options)


def _security(tls: TlsConfig) -> Any:
    from distributed import Security

    for name in ("ca", "cert", "key"):
        if not Path(getattr(tls, name)).is_file():
            raise ConfigError(f"execution.tls.{name}: expected a PEM file, found nothing at {getattr(tls, name)}")
    return Security(  # type: ignore[no-untyped-call]
        tls_ca_file=tls.ca, tls_client_cert=tls.cert, tls_client_key=tls.key, require_encryption=True
    )


def _check_api(address: str, api: str | None) -> None:
    """Workers report to Prefect's API: without one each would start its own, and loopback is this machine's only."""
    if api is None:
        raise ConfigError(
            "execution.runner is 'dask': expected PREFECT_API_URL to name a Prefect server for its workers, got none; "
            "run `python -m flows reproduce`, which starts one, or `prefect server start`"
        )
    if not _loopback(address) and _loopback(api):
        raise ConfigError(
            f"execution.address is {address}, whose workers may be on other machines: expected PREFECT_API_URL to name "
            f"a server that they reach, got {api}; start one with `prefect server start --host ADDRESS`"
        )


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
