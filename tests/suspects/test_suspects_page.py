"""Every row of docs/suspects.md and the pages behind it is done as it says: what you have is made, and typed."""

import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
import yaml
from click.testing import CliRunner, Result

from nf.cli.images import images
from nf.cli.verify import verify
from nf.core.controls import Controls
from nf.core.queries import QuerySet
from nf.suspects.formats import advice
from tests.suspects import test_formats, test_presets
from tests.suspects.conftest import calibration
from tests.suspects.test_presets import CONTROLS, LABELS, POOL, QUERIES, SERVICES, WEIGHTS, plain

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = "\n".join(DOCS.joinpath(name).read_text() for name in ("suspects.md", "addresses.md", "answers.md"))
NAMES = ("null", "eins", "zwei", "drei")


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose first line begins with ``head``."""
    table = re.search(rf"^\| {re.escape(head)}.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|\n ").split(" | ")] for line in table[1].splitlines()]


def typed(cell: str) -> tuple[str, ...]:
    return tuple(code for code in re.findall(r"`([^`]+)`", cell) if code.startswith("nf "))


COMMANDS = [typed(cells[1]) for cells in rows("you have | type") if len(cells) > 1 and typed(cells[1])]
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@dataclass
class Desk:
    """Where somebody sits who has a suspect.

    Attributes:
        folder: current folder.
        stack: servers, which are closed at the end.
        host: address in the place of ``https://host``.
    """

    folder: Path
    stack: ExitStack
    host: str = ""

    def write(self, name: str, content: bytes | str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def serve(self, service: Callable[[Any], Any]) -> str:
        self.host = self.stack.enter_context(test_presets.serving(service, [])).removesuffix("/path")
        return self.host

    def network(self, name: str = "suspect.onnx", **how: str) -> None:
        self.write(name, network(**how).SerializeToString())

    def adapter(self, name: str, mark: str, service: Callable[[Any], Any]) -> None:
        """The one of the page's adapter files that has ``mark``, with the address of ``service``."""
        (text,) = [text for text in YAML if mark in text]
        self.write(name, yaml.safe_dump({**yaml.safe_load(text), "address": f"{self.serve(service)}/path"}))
        self.write("names.txt", "\n".join(test_presets.NAMES))


def network(
    given: str = "float[N,1,6,6] images", before: str = "", answers: str = "float[N,4] logits", after: str = ""
) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["": 20, "ai.onnx.ml": 3]> net ({given}) => ({answers}) {{
            {before}
            flat = Flatten (images)
            half = Constant <value_float = 0.5> ()
            centred = Sub (flat, half)
            logits = MatMul (centred, w)
            {after}
        }}"""
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHTS.astype(np.float32), "w"))
    return model


def beside(desk: Desk) -> None:
    path = desk.folder / "suspect.onnx"
    onnx.save_model(network(), path, save_as_external_data=True, location="suspect.onnx.data", size_threshold=0)


def normalised(desk: Desk) -> None:
    turned = """turned = Transpose <perm = [0, 3, 1, 2]> (last)
        std = Constant <value_float = 0.226> ()
        mean = Constant <value_float = 0.449> ()
        scaled = Mul (turned, std)
        images = Add (scaled, mean)"""
    desk.network(given="float[N,6,6,1] last", before=turned)


def large(desk: Desk) -> None:
    pooled = "images = AveragePool <kernel_shape = [37, 37], strides = [37, 37]> (large)"
    desk.network(given="float[N,1,H,W] large", before=pooled)


def by_name(desk: Desk) -> None:
    words = ", ".join(f'"{name}"' for name in NAMES)
    after = f"""numbers = ArgMax <axis = 1, keepdims = 0> (logits)
        names = ai.onnx.ml.LabelEncoder <keys_int64s = [0, 1, 2, 3], values_strings = [{words}]> (numbers)"""
    desk.network(answers="string[N] names", after=after)
    desk.write("names.txt", "\n".join(NAMES))


def several_outputs(desk: Desk) -> None:
    after = "shifted = Neg (logits)"
    desk.network(answers="float[N,4] shifted, float[N,4] logits", after=after)
    desk.write("how.yaml", "output_name: logits")


def openvino(desk: Desk) -> None:
    runtime = pytest.importorskip("openvino")
    desk.network("plain.onnx")
    model = runtime.Core().read_model(desk.folder / "plain.onnx")
    runtime.serialize(model, desk.folder / "suspect.xml", desk.folder / "suspect.bin")


def tflite(desk: Desk) -> None:
    pytest.importorskip("ai_edge_litert")
    from tests.suspects.tflite_files import linear

    desk.write("suspect.tflite", linear(WEIGHTS, shape=(6, 6), shift=-0.5))


def other(name: str, kind: str) -> Callable[[Desk], None]:
    """A file of a format that is not asked, as tests/suspects/test_formats.py has it."""
    return lambda desk: desk.write(name, test_formats.CASES[kind][0])


def torch_module() -> Any:
    import torch

    linear = torch.nn.Linear(36, 4)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(WEIGHTS.T))
        linear.bias.copy_(torch.tensor(-WEIGHTS.sum(axis=0) / 2))
    return torch.nn.Sequential(torch.nn.Flatten(), linear).eval()


def torchscript(desk: Desk) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(torch_module(), (torch.zeros(2, 1, 6, 6),)).save(desk.folder / "suspect.pt")


def program(desk: Desk) -> None:
    import torch

    open_batch = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(torch_module(), (torch.zeros(2, 1, 6, 6),), dynamic_shapes=open_batch)
    torch.export.save(exported, desk.folder / "suspect.pt2")


def inference_protocol(request: Any) -> dict[str, Any]:
    (tensor,) = test_presets.as_json(request)["inputs"]
    scores = plain(test_presets.from_unit(np.reshape(tensor["data"], tensor["shape"])))
    return {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 4], "data": scores[0].tolist()}]}


def shop(request: Any) -> dict[str, Any]:
    assert request.headers["X-Api-Key"] == "secret"
    best = test_presets.ranked(test_presets.from_file(request.body))
    return {"result": {"guesses": [{"label": name, "score": score} for name, score in best]}}


def served(preset: str) -> Callable[[Desk], Any]:
    """A server that is spoken to by a preset."""
    return lambda desk: desk.serve(SERVICES[preset])


def adapted(preset: str) -> Callable[[Desk], None]:
    """A server that the page has an adapter file for."""
    return lambda desk: desk.adapter(f"{preset}.yaml", f"preset: {preset}", SERVICES[preset])


def rekognition(desk: Desk) -> None:
    """The page says that the word goes into both places."""
    desk.adapter("sagemaker.yaml", "preset: sagemaker", SERVICES["rekognition"])
    text = (desk.folder / "sagemaker.yaml").read_text()
    desk.write("rekognition.yaml", text.replace("sagemaker", "rekognition"))


def table(desk: Desk) -> None:
    desk.write("answers.csv", "\n".join(f"{name},{label}" for name, label in written(desk).items()))


def written(desk: Desk) -> dict[str, int]:
    """The names of all images, as ``nf images`` writes them, with the suspect's label for each."""
    from PIL import Image

    place = desk.folder / "shown"
    done = CliRunner().invoke(images, [str(desk.folder / "queries"), str(place)], catch_exceptions=False)
    assert done.exit_code == 0
    paths = sorted(place.glob("*.png"))
    return {path.name: int(plain(np.asarray(Image.open(path))[None, None])[0].argmax()) for path in paths}


def folder(desk: Desk) -> None:
    for name in ("suspects/a.onnx", "suspects/b.onnx"):
        desk.network(name)


Make = Callable[[Desk], Any]
STOLEN = "verdict        STOLEN\n"
TWO = "suspects       2: 2 STOLEN\n"
NO_NETWORK = "weights without a network: build the network"
CASES: dict[str, tuple[Make, str]] = {
    "nf verify suspect.onnx": (beside, STOLEN),
    "nf verify suspect.onnx --input nhwc,imagenet": (normalised, STOLEN),
    "nf verify suspect.onnx --size 224": (large, STOLEN),
    "nf verify suspect.onnx --labels names.txt": (by_name, STOLEN),
    "nf verify suspect.onnx --interface how.yaml": (several_outputs, STOLEN),
    "nf verify suspect.xml": (openvino, STOLEN),
    "nf verify suspect.tflite": (tflite, STOLEN),
    "nf verify suspect.pt": (torchscript, "`python -c \"import torch; m = torch.jit.load('suspect.pt')"),
    "nf verify suspect.pt2": (program, "`python -c \"import torch; p = torch.export.load('suspect.pt2')"),
    "nf verify suspect.keras": (other("suspect.keras", "keras"), '`python -c "import keras;'),
    "nf verify saved": (lambda desk: desk.write("saved/saved_model.pb", b"x"), "`python -m tf2onnx.convert"),
    "nf verify suspect.pth": (other("suspect.pth", "pth"), NO_NETWORK),
    "nf verify suspect.safetensors": (other("suspect.safetensors", "safetensors"), NO_NETWORK),
    "nf verify suspect.pkl": (other("suspect.pkl", "pickle"), "ask its owner for ONNX"),
    "nf verify suspect.mlmodel": (lambda desk: desk.write("suspect.mlmodel", b"\xff\xff"), "ask its owner"),
    "nf verify suspect.ort": (other("suspect.ort", "ort"), "ask its owner for the ONNX"),
    "nf verify pointer.onnx": (other("pointer.onnx", "lfs"), "`git lfs pull`"),
    "nf verify https://host/v2/models/NAME": (lambda desk: desk.serve(inference_protocol), STOLEN),
    "nf verify https://host/v1/models/NAME:predict --preset tf-serving": (served("tf-serving"), STOLEN),
    "nf verify https://host/v1/models/NAME:predict --preset kserve-v1": (served("kserve-v1"), STOLEN),
    "nf verify https://host/invocations --preset mlflow": (served("mlflow"), STOLEN),
    "nf verify https://host/predictions/NAME --preset torchserve": (served("torchserve"), STOLEN),
    "nf verify https://host/ --preset huggingface --token-from HF_TOKEN": (served("huggingface"), STOLEN),
    "nf verify https://host/classify --preset bentoml": (served("bentoml"), STOLEN),
    "nf verify https://host/v1/endpoint:predict --preset vertex --token-from GOOGLE_TOKEN": (served("vertex"), STOLEN),
    "nf verify sagemaker.yaml": (adapted("sagemaker"), STOLEN),
    "nf verify rekognition.yaml": (rekognition, STOLEN),
    "nf verify roboflow.yaml": (adapted("roboflow"), STOLEN),
    "nf verify shop.yaml": (lambda desk: desk.adapter("shop.yaml", "X-Api-Key", shop), STOLEN),
    "nf images FOLDER pictures --sheet; nf verify answers.csv": (table, STOLEN),
    "nf verify suspect.onnx answers.csv": (lambda desk: (desk.network(), table(desk)), TWO),
    "nf verify suspects": (folder, TWO),
    "nf verify suspects --json": (folder, '"status": 1'),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A folder with a query set, to work in."""
    labels = LABELS.astype(np.int64)
    controls = Controls(POOL[CONTROLS], labels[CONTROLS], test_presets.NAMES)
    card = {"scheme": "naturalfinger", "threshold": 0.6, "num_classes": 4}
    theirs = labels[QUERIES]
    known = calibration(len(theirs))
    queries = QuerySet(POOL[QUERIES], theirs, (theirs + 1) % 4, card, controls=controls, calibration=known)
    queries.save(tmp_path / "queries")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for name in ("HF_TOKEN", "GOOGLE_TOKEN", "SHOP_KEY", "ROBOFLOW_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    with ExitStack() as stack:
        yield Desk(tmp_path, stack)


def type_in(desk: Desk, command: str) -> Result:
    words = shlex.split(command.replace("https://host", desk.host).replace("FOLDER", "queries"))
    assert words[0] == "nf"
    return CliRunner().invoke({"verify": verify, "images": images}[words[1]], words[2:])


def told(done: Result) -> str:
    """What stands on the terminal."""
    return done.output if isinstance(done.exception, SystemExit | None) else f"error: {done.exception}"


def short(commands: tuple[str, ...]) -> str:
    return "; ".join(commands).replace(" --queries FOLDER", "")


def test_every_row_is_done() -> None:
    assert [short(commands) for commands in COMMANDS] == list(CASES)
    without = [cells[0] for cells in rows("you have | type") if len(cells) > 1 and not typed(cells[1])]
    assert without == ["some that are to be watched over the months"]  # tests/flows has them


@pytest.mark.parametrize("commands", COMMANDS, ids=short)
def test_a_row(commands: tuple[str, ...], desk: Desk) -> None:
    make, wanted = CASES[short(commands)]
    make(desk)
    *first, last = commands
    for command in first:
        assert type_in(desk, command).exit_code == 0
    done = type_in(desk, last)
    assert wanted in told(done)
    assert done.exit_code == 1  # of what cannot be asked, the error becomes another in nf.cli.main


@pytest.mark.slow
@pytest.mark.parametrize(("make", "name"), [(torchscript, "suspect.pt"), (program, "suspect.pt2")])
def test_the_answer_is_a_command_that_works(make: Make, name: str, desk: Desk) -> None:
    make(desk)
    answer = advice(desk.folder / name, (desk.folder / name).read_bytes()[: 64 << 10])
    (command,) = re.findall(r"`(.*)`", answer or "")
    python, flag, code = shlex.split(command)
    assert (python, flag) == ("python", "-c")
    converted = [sys.executable, "-c", code.replace("C, H, W", "1, 6, 6")]
    subprocess.run(converted, cwd=desk.folder, check=True, capture_output=True)
    assert STOLEN in told(type_in(desk, "nf verify suspect.onnx --queries FOLDER"))


def lines(kind: str, label: int) -> str:
    """What is written beside an image's name."""
    scores = np.full(4, 0.1)
    scores[label] = 0.7
    best = np.argsort(-scores, kind="stable")
    return {
        "labels": str(label),
        "names of classes": NAMES[label],
        "the best class and its score": f"{label},0.7",
        "the best five": ",".join(f"{place},{scores[place]}" for place in best[:2]),
        "scores of all classes": ",".join(map(str, scores)),
    }[kind]


HEADERS = {
    "the best class and its score": "image,label,confidence",
    "the best five": "image,label1,score1,label2,score2",
    "scores of all classes": "image,0,1,2,3",
}


@pytest.mark.parametrize("kind", [cells[0] for cells in rows("you have | a line for each image")])
def test_a_line_for_each_image(kind: str, desk: Desk) -> None:
    header = [HEADERS[kind]] if kind in HEADERS else []
    noted = [f"{name},{lines(kind, label)}" for name, label in written(desk).items()]
    desk.write("answers.csv", "\n".join([*header, *noted]))
    desk.write("names.txt", "\n".join(NAMES))
    command = "nf verify answers.csv --queries FOLDER" + " --labels names.txt" * (kind == "names of classes")
    assert STOLEN in told(type_in(desk, command))
