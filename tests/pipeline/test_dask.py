"""The zoo and the comparison on a real Dask cluster on loopback, under TLS: the same artifacts as on one machine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from nf.core.files import sha256_file

SECONDS = 300


@dataclass
class Cluster:
    """A Prefect server, a Dask scheduler and its workers; everyone has the same certificate."""

    root: Path
    environment: dict[str, str]
    certificates: dict[str, str]
    address: str
    processes: list[subprocess.Popen] = field(default_factory=list)

    def start(self, *command: str) -> subprocess.Popen:
        with (self.root / f"{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=self.root, env=self.environment, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def worker(self, name: str) -> subprocess.Popen:
        """One worker process without a nanny: killed, it stays dead."""
        tls = (f"--tls-{option}={self.certificates[key]}" for option, key in TLS_OPTIONS)
        return self.start(
            *("dask", "worker", self.address, *tls, "--host=127.0.0.1", "--nthreads=1", "--no-nanny", f"--name={name}"),
            *("--no-dashboard", f"--local-directory={self.root / 'dask'}", "--preload=flows.worker"),
        )

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


TLS_OPTIONS = (("ca-file", "ca"), ("cert", "cert"), ("key", "key"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True


def make_certificates(folder: Path) -> dict[str, str]:
    """A certificate that signs itself, and so is its own authority."""
    files = {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem"), "ca": str(folder / "cert.pem")}
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=naturalfinger"),
            *("-keyout", files["key"], "-out", files["cert"]),
        ],
        check=True,
        capture_output=True,
    )
    return files


def wait_for(what, process):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if what():
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"{process.args} did not get there: {process.poll()}")


@pytest.fixture(scope="module")
def cluster(reproduced, tmp_path_factory):
    """The project of the reproduced run with Dask as its runner, and one worker."""
    root = tmp_path_factory.mktemp("dask")
    files = reproduced.git("ls-files", "-z").split("\0")
    for name in filter(None, files):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(reproduced.root / name, root / name)
    for folder in ("data", "gan", "onnx"):
        shutil.copytree(reproduced.out / folder, root / "out" / "smoke" / folder)
    certificates, address = make_certificates(root), f"tls://127.0.0.1:{free_port()}"
    document = yaml.safe_load((root / "params.yaml").read_text())
    document |= {"schemes": ["akh"], "variants": ["twins"]}
    document["profiles"]["smoke"]["execution"] = {"runner": "dask", "address": address, "tls": certificates}
    (root / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    api = f"http://127.0.0.1:{free_port()}/api"
    environment = {
        **reproduced.environment(),
        "PYTHONPATH": str(root),
        "PREFECT_HOME": str(root / ".prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "OMP_NUM_THREADS": "1",
    }
    cluster = Cluster(root, environment, certificates, address)
    try:
        port = api.split(":")[2].removesuffix("/api")
        server = cluster.start("prefect", "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui")
        tls = (f"--tls-{option}={certificates[key]}" for option, key in TLS_OPTIONS)
        scheduler = cluster.start(
            *("dask", "scheduler", "--protocol=tls", "--host=127.0.0.1", f"--port={address.rsplit(':', 1)[1]}", *tls),
            "--dashboard-address=127.0.0.1:0",
        )
        cluster.worker("first")
        wait_for(lambda: urllib.request.urlopen(f"{api}/health", timeout=5).close() is None, server)
        wait_for(lambda: answers(int(address.rsplit(":", 1)[1])), scheduler)
        yield cluster
    finally:
        cluster.stop()


def hashes(folder):
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.glob("*/*.*"))}


def test_a_worker_dies_another_joins_and_the_zoo_is_the_same(cluster, reproduced):
    """The first worker is killed with models half done; a second, which came late, finishes the zoo alone."""
    zoo = cluster.root / "out" / "smoke" / "zoo"
    first = cluster.processes[-1]
    flow = cluster.start("flows", "stage", "zoo")
    wait_for(lambda: len(list(zoo.glob("*/card.json"))) >= 4, flow)
    cluster.worker("late")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = {path: path.stat().st_mtime_ns for path in zoo.glob("*/card.json")}
    assert 4 <= len(before) < 27
    assert flow.wait(timeout=SECONDS) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert hashes(zoo) == hashes(reproduced.out / "zoo")


def test_schemes_and_variants_are_the_same(cluster, reproduced):
    flow = cluster.start("flows", "stage", "bench")
    assert flow.wait(timeout=SECONDS) == 0
    out = cluster.root / "out" / "smoke"
    for name in ("fingerprints/akh/queries.safetensors", "metrics/akh.json"):
        assert sha256_file(out / name) == sha256_file(reproduced.out / name), name
    record, expected = (json.loads((o / "variants/twins/0/metrics.json").read_text()) for o in (out, reproduced.out))
    assert record["parameters"] == expected["parameters"]
    assert {"fingerprint@akh", "verify@akh", "variant@twins/0", "bench"} <= set(
        json.loads((out / "timings.json").read_text())
    )


def test_a_stranger_without_a_certificate_is_refused(cluster):
    document = yaml.safe_load((cluster.root / "params.yaml").read_text())
    execution = document["profiles"]["smoke"]["execution"]
    del execution["tls"]
    execution["address"] = cluster.address.replace("tls", "tcp")
    (cluster.root / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    shutil.rmtree(cluster.root / "out" / "smoke" / "zoo" / "source")
    flow = cluster.start("flows", "stage", "zoo")
    assert flow.wait(timeout=SECONDS) == 2
    log = (cluster.root / f"{len(cluster.processes) - 1}.log").read_text()
    assert f"expected a Dask scheduler at {execution['address']}, got none" in log
