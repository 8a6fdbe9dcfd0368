import logging
import socket

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner

from flows.runners import task_runner
from nf.core.config import ExecutionConfig, TlsConfig
from nf.core.errors import ConfigError, NFError

LOCAL_API = "http://127.0.0.1:4200/api"


def dask(address="tcp://127.0.0.1:1", tls=None):
    return ExecutionConfig(runner="dask", address=address, tls=tls)


def test_the_local_runner_has_as_many_threads_as_workers():
    runner = task_runner(ExecutionConfig(workers=3, address="tcp://10.0.0.1:8786"))
    assert isinstance(runner, ThreadPoolTaskRunner)
    assert runner._max_workers == 3


def test_dask_workers_need_an_api():
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigError, match="expected PREFECT_API_URL to name a Prefect server for its workers, got none"),
    ):
        task_runner(dask())


@pytest.mark.parametrize("api", [LOCAL_API, "http://localhost:4200/api", "http://[::1]:4200/api"])
def test_workers_elsewhere_cannot_reach_loopback(api):
    with (
        temporary_settings({PREFECT_API_URL: api}),
        pytest.raises(ConfigError, match=r"expected PREFECT_API_URL to name a server that they reach, got http://\S+;"),
    ):
        task_runner(dask("tcp://gpu-1.example:8786"))


def test_a_missing_certificate_is_named(tmp_path):
    (tmp_path / "ca.pem").touch()
    tls = TlsConfig(str(tmp_path / "ca.pem"), str(tmp_path / "nowhere.pem"), str(tmp_path / "key.pem"))
    with (
        temporary_settings({PREFECT_API_URL: LOCAL_API}),
        pytest.raises(ConfigError, match=r"execution\.tls\.cert: expected a PEM file, found nothing at .*nowhere\.pem"),
    ):
        task_runner(dask("tls://127.0.0.1:1", tls))


def test_a_scheduler_that_is_away_is_one_error(monkeypatch):
    monkeypatch.setattr("flows.runners._CONNECT_SECONDS", 1)
    with socket.socket() as probe:  # bound and not listening: nobody else takes the port
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        with (
            temporary_settings({PREFECT_API_URL: LOCAL_API}),
            pytest.raises(NFError, match=f"expected a Dask scheduler at {address}, got none"),
        ):
            task_runner(dask(address))
    for name in ("distributed.utils", "distributed.client"):  # which print tracebacks when it goes away later
        assert not logging.getLogger(name).isEnabledFor(logging.ERROR)
