"""Real servers around one model. Those that the project does not install are looked for in ``NF_SERVERS``.

``NF_SERVERS`` names a virtual environment made for it: ``python -m venv servers && servers/bin/pip install mlserver
bentoml pillow``. Without it those tests are skipped, and say so.
"""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from nf.core.controls import Controls
from nf.core.queries import QuerySet
from nf.suspects import Interface, examine, open_suspect

WEIGHTS = np.random.default_rng(0).normal(size=(36, 4))
POOL = np.random.default_rng(1).integers(0, 256, (400, 1, 6, 6), dtype=np.uint8)
LABELS = ((POOL.reshape(400, -1) / 255 - 0.5) @ WEIGHTS).argmax(axis=1)
_CONTROLS = np.stack([np.flatnonzero(label == LABELS)[:8] for label in range(4)], axis=1).ravel()
_QUERIES = np.setdiff1d(np.arange(400), _CONTROLS)[:20]
SERVERS = Path(os.environ.get("NF_SERVERS") or "/nowhere")

MODEL = f"""
import numpy as np
WEIGHTS = np.array({WEIGHTS.tolist()})
def logits(images):
    return (np.asarray(images, np.float64).reshape(len(images), -1) - 0.5) @ WEIGHTS
"""


@pytest.fixture
def queries():
    controls = Controls(POOL[_CONTROLS], LABELS[_CONTROLS])
    card = {"scheme": "naturalfinger", "threshold": 0.6, "num_classes": 4}
    return QuerySet(POOL[_QUERIES], LABELS[_QUERIES], (LABELS[_QUERIES] + 1) % 4, card, controls=controls)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextmanager
def running(command, folder, ready):
    """The server that ``command`` starts, once it answers at ``ready``."""
    log = folder / "server.log"
    with log.open("wb") as output:
        path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])  # it starts its neighbours
        environment = {**os.environ, "PATH": path}
        started = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=environment)
        try:
            deadline = time.monotonic() + 180
            while True:
                try:
                    if httpx.get(ready, timeout=5).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                assert started.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.5)
            yield
        finally:
            started.terminate()
            started.wait(30)


def asked(queries, address, preset, stated=None):
    stated = stated or Interface()
    return examine(open_suspect(address, preset=preset, stated=stated), queries, stated).answers.labels.tolist()


def installed(name):
    program = SERVERS / "bin" / name
    if not program.exists():
        pytest.skip(f"{name} is not installed in NF_SERVERS")
    return str(program)


@pytest.mark.slow
def test_mlflow(queries, tmp_path):
    (tmp_path / "model.py").write_text(
        MODEL
        + """
import mlflow
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return logits(model_input)
mlflow.models.set_model(Model())
"""
    )
    save = """
import sys, numpy as np, mlflow
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
inputs = Schema([TensorSpec(np.dtype("float32"), (-1, 1, 6, 6))])
mlflow.pyfunc.save_model(sys.argv[1], python_model="model.py", signature=ModelSignature(inputs=inputs))
"""
    subprocess.run([sys.executable, "-c", save, "saved"], cwd=tmp_path, check=True, capture_output=True)
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        "saved",
        "-p",
        str(port),
        "--env-manager",
        "local",
    ]
    with running(command, tmp_path, f"http://127.0.0.1:{port}/ping"):
        address = f"http://127.0.0.1:{port}/invocations"
        assert asked(queries, address, "mlflow", Interface(range=(0, 1))) == LABELS[_QUERIES].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("datatype", ["FP32", "FP64", "UINT8"])
def test_mlserver(queries, tmp_path, datatype):
    program = installed("mlserver")
    scale = "/ 255" if datatype == "UINT8" else ""
    (tmp_path / "model.py").write_text(
        MODEL
        + f"""
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
class Model(MLModel):
    async def predict(self, payload):
        scores = logits(NumpyCodec.decode_input(payload.inputs[0]) {scale})
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)])
"""
    )
    inputs = [{"name": "images", "datatype": datatype, "shape": [-1, 1, 6, 6]}]
    settings = {"name": "shop", "implementation": "model.Model", "inputs": inputs}
    (tmp_path / "model-settings.json").write_text(json.dumps(settings))
    http, grpc, metrics = free_port(), free_port(), free_port()
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "host": "127.0.0.1", "parallel_workers": 0}
    (tmp_path / "settings.json").write_text(json.dumps(ports))
    with running([program, "start", "."], tmp_path, f"http://127.0.0.1:{http}/v2/models/shop/ready"):
        assert asked(queries, f"http://127.0.0.1:{http}/v2/models/shop", None) == LABELS[_QUERIES].tolist()


@pytest.mark.slow
def test_bentoml(queries, tmp_path):
    program = installed("bentoml")
    (tmp_path / "service.py").write_text(
        MODEL
        + """
import bentoml
from PIL.Image import Image
@bentoml.service
class Shop:
    @bentoml.api
    def classify(self, image: Image) -> int:
        return int(logits(np.asarray(image)[None] / 255)[0].argmax())
"""
    )
    port = free_port()
    command = [program, "serve", "service:Shop", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, tmp_path, f"http://127.0.0.1:{port}/livez"):
        assert asked(queries, f"http://127.0.0.1:{port}/classify", "bentoml") == LABELS[_QUERIES].tolist()
