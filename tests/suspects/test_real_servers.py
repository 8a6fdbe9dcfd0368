"""Real servers around one model. Those that the project does not install are looked for in ``NF_SERVERS``.

``NF_SERVERS`` names virtual environments made for them, with colons between, as some servers want other versions of
one package: ``python -m venv servers && servers/bin/pip install mlserver bentoml pillow``, another with ``kserve``,
another with ``ray[serve]``. Without them those tests are skipped, and say so.
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
SERVERS = [Path(folder) for folder in os.environ.get("NF_SERVERS", "").split(os.pathsep) if folder]

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
def running(command, folder, ready, *, seconds=180, **variables):
    """The server that ``command`` starts with ``variables``, once it answers at ``ready`` within so many seconds."""
    log = folder / "server.log"
    with log.open("wb") as output:
        path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])  # it starts its neighbours
        environment = {**os.environ, "PATH": path, **variables}
        started = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=environment)
        try:
            deadline = time.monotonic() + seconds
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
    """The program ``name`` of one of the environments."""
    programs = [folder / "bin" / name for folder in SERVERS]
    return next((str(p) for p in programs if p.exists()), None) or pytest.skip(f"{name} is not installed in NF_SERVERS")


def python_with(package):
    """The Python of the environment that has ``package``."""
    found = [folder for folder in SERVERS if any(folder.glob(f"lib/python*/site-packages/{package}"))]
    return str(found[0] / "bin/python") if found else pytest.skip(f"{package} is not installed in NF_SERVERS")


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


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_kserve(queries, tmp_path, protocol):
    """KServe's own SDK, which listens everywhere unless it is held to loopback."""
    (tmp_path / "serve.py").write_text(
        MODEL
        + """
import sys, uvicorn
listen = uvicorn.Config.__init__
uvicorn.Config.__init__ = lambda self, *given, **more: listen(self, *given, **{**more, "host": "127.0.0.1"})
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import generate_uuid
class Shop(Model):
    def __init__(self):
        super().__init__("shop")
        self.ready = True
    def predict(self, payload, headers=None):
        if isinstance(payload, InferRequest):
            output = InferOutput("scores", [1, 4], "FP64")
            output.set_data_from_numpy(logits(payload.inputs[0].as_numpy()), binary_data=False)
            return InferResponse(generate_uuid(), "shop", [output])
        return {"predictions": logits(payload["instances"]).tolist()}
ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1).start([Shop()])
"""
    )
    port = free_port()
    with running([python_with("kserve"), "serve.py", str(port)], tmp_path, f"http://127.0.0.1:{port}/v2/health/live"):
        address = f"http://127.0.0.1:{port}/{protocol}/models/shop"
        given = (address, None) if protocol == "v2" else (f"{address}:predict", "kserve-v1")
        assert asked(queries, *given, Interface(range=(0, 1))) == LABELS[_QUERIES].tolist()


@pytest.mark.slow
def test_ray_serve(queries, tmp_path):
    """It has no protocol of its own, so an adapter file says how it is spoken to."""
    (tmp_path / "serve.py").write_text(
        MODEL
        + """
import sys, time, ray
from ray import serve
@serve.deployment
class Shop:
    async def __call__(self, request):
        if request.method == "GET":
            return "ready"
        told = await request.json()
        return {"scores": logits([told["image"]])[0].tolist()}
# Of 127.0.0.1 it makes the machine's own address.
ray.init(include_dashboard=False, _node_ip_address="127.0.0.2", num_cpus=1, object_store_memory=80 << 20)
while True:
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
        break
    except TimeoutError:  # it waits for a minute, which is too short for a machine that does much else
        pass
serve.run(Shop.bind(), route_prefix="/classify")
while True:
    time.sleep(1)
"""
    )
    port = free_port()
    adapter = {"address": f"http://127.0.0.1:{port}/classify", "json": {"image": "{nchw}"}, "read": "scores"}
    (tmp_path / "shop.yaml").write_text(json.dumps({**adapter, "kind": "logits"}))
    # It keeps a token at home, and gives its own parts five seconds to start.
    patient = {f"RAY_SERVE_PROXY_{check}_CHECK_TIMEOUT_S": "300" for check in ("READY", "HEALTH")}
    patient |= {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    command, ready = [python_with("ray"), "serve.py", str(port)], f"http://127.0.0.1:{port}/classify"
    with running(command, tmp_path, ready, seconds=500, **patient):
        stated = Interface(range=(0, 1))
        assert asked(queries, str(tmp_path / "shop.yaml"), None, stated) == LABELS[_QUERIES].tolist()
