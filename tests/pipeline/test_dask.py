"""The zoo and the comparison on a real Dask cluster on loopback, under TLS: the same artifacts as on one machine."""

import json
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from nf.core.files import sha256_file

SECONDS = 300
TLS_OPTIONS = (("ca-file", "ca"), ("cert", "cert"), ("key", "key"))


@dataclass
class Cluster:
    """A clone of the project under a Prefect server, and a Dask scheduler; everyone has the same certificate."""

    clone: object
    services: object
    certificates: dict[str, str]
    address: str

    def start(self, *command: str) -> subprocess.Popen:
        return self.services.start(self.clone, *command)

    def scheduler(self) -> subprocess.Popen:
        port = self.address.rsplit(":", 1)[1]
        return self.start(
            *("dask", "scheduler", "--protocol=tls", "--host=127.0.0.1", f"--port={port}", *self._tls()),
            "--dashboard-address=127.0.0.1:0",
        )

    def worker(self, name: str) -> subprocess.Popen:
        """One worker process without a nanny: killed, it stays dead."""
        return self.start(
            *("dask", "worker", self.address, *self._tls(), "--host=127.0.0.1", "--nthreads=1", "--no-nanny"),
            *(f"--name={name}", "--no-dashboard", f"--local-directory={self.clone.root / 'dask'}"),
            "--preload=flows.worker",
        )

    def _tls(self) -> list[str]:
        return [f"--tls-{option}={self.certificates[key]}" for option, key in TLS_OPTIONS]


def listens(port: int) -> bool:
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


@pytest.fixture(scope="module")
def cluster(reproduced, services, tmp_path_factory):
    """The project of the reproduced run with Dask as its runner."""
    root = tmp_path_factory.mktemp("dask")
    files = reproduced.git("ls-files", "-z").split("\0")
    for name in filter(None, files):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(reproduced.root / name, root / name)
    for folder in ("data", "gan", "onnx", "zoo"):
        shutil.copytree(reproduced.out / folder, root / "out" / "smoke" / folder)
    shutil.copytree(reproduced.root / ".prefect", root / ".prefect")  # to make a new database takes seconds
    port = services.free_port()
    certificates, address = make_certificates(root), f"tls://127.0.0.1:{port}"
    document = yaml.safe_load((root / "params.yaml").read_text())
    document |= {"schemes": ["akh"], "variants": ["twins"]}
    document["profiles"]["smoke"]["execution"] = {"runner": "dask", "address": address, "tls": certificates}
    (root / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    clone = services.start_prefect(type(reproduced)(root), OMP_NUM_THREADS="1")
    cluster = Cluster(clone, services, certificates, address)
    services.wait_for(lambda: listens(port), cluster.scheduler())
    return cluster


def hashes(folder):
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.glob("*/*.*"))}


def test_a_worker_dies_another_joins_and_the_zoo_is_the_same(cluster, reproduced, forget_a_third):
    """The first worker is killed with models half done; a second, which came late, finishes the zoo alone."""
    zoo, first = cluster.clone.out / "zoo", cluster.worker("first")
    kept = forget_a_third(zoo)
    flow = cluster.start("flows", "stage", "zoo")
    cluster.services.wait_for(lambda: len(list(zoo.glob("*/card.json"))) >= kept + 3, flow)
    cluster.worker("late")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = {path: path.stat().st_mtime_ns for path in zoo.glob("*/card.json")}
    assert kept + 3 <= len(before) < 45
    assert flow.wait(timeout=SECONDS) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert hashes(zoo) == hashes(reproduced.out / "zoo")


def test_schemes_and_variants_are_the_same(cluster, reproduced):
    flow = cluster.start("flows", "stage", "bench")
    assert flow.wait(timeout=SECONDS) == 0
    out = cluster.clone.out
    for name in ("fingerprints/akh/queries.safetensors", "metrics/akh.json"):
        assert sha256_file(out / name) == sha256_file(reproduced.out / name), name
    record, expected = (json.loads((o / "variants/twins-0/metrics.json").read_text()) for o in (out, reproduced.out))
    assert record["parameters"] == expected["parameters"]
    assert {"fingerprint@akh", "score@akh", "variant@twins-0", "bench"} <= set(
        json.loads((out / "timings.json").read_text())
    )


def test_a_client_without_a_certificate_is_refused(cluster):
    document = yaml.safe_load((cluster.clone.root / "params.yaml").read_text())
    execution = document["profiles"]["smoke"]["execution"]
    del execution["tls"]
    execution["address"] = cluster.address.replace("tls", "tcp")
    (cluster.clone.root / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    shutil.rmtree(cluster.clone.out / "zoo" / "source")
    flow = cluster.start("flows", "stage", "zoo")
    assert flow.wait(timeout=SECONDS) == 2
    expected = f"expected a Dask scheduler at {execution['address']}, got none"
    assert expected in cluster.services.log(flow)
