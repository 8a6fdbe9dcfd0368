"""Files for runtimes that are extras, asked in the same isolation as ONNX files."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.errors import SuspectError
from nf.core.files import sha256_file
from nf.core.interface import Interface
from nf.core.queries import QuerySet
from nf.suspects import IsolatedSuspect, examine, networks
from nf.suspects.networks import open_network
from nf.verdict import identify
from tests.suspects.conftest import parse

WEIGHTS = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
POOL = np.random.default_rng(1).integers(0, 256, (90, 1, 4, 4), dtype=np.uint8)


def scores(images: NDArray[np.uint8], low: float = 0, high: float = 1) -> NDArray[np.float64]:
    """Answers of the linear classifier of pixels in [low, high]."""
    return (images.reshape(len(images), -1) / 255 * (high - low) + low) @ WEIGHTS.astype(np.float64)


def openvino(folder: Path, model: onnx.ModelProto) -> Path:
    runtime = pytest.importorskip("openvino")
    (folder / "suspect.onnx").write_bytes(model.SerializeToString())
    read = runtime.Core().read_model(folder / "suspect.onnx")
    runtime.serialize(read, folder / "suspect.xml", folder / "suspect.bin")
    (folder / "suspect.onnx").unlink()
    return folder / "suspect.xml"


def ir(folder: Path, shift: float = 0.0) -> Path:
    text = f"""net (float[N,1,4,4] images) => (float[N,3] logits) {{
        shift = Constant <value_float = {shift}> ()
        shifted = Add (images, shift)
        flat = Flatten (shifted)
        logits = MatMul (flat, w)
    }}"""
    return openvino(folder, parse(text))


def tflite(folder: Path, **how: object) -> Path:
    pytest.importorskip("ai_edge_litert")
    from tests.suspects.tflite_files import linear

    path = folder / "suspect.tflite"
    path.write_bytes(linear(WEIGHTS, **how))  # type: ignore[arg-type]
    return path


FILES: dict[str, tuple[Callable[[Path], Path], str, str, float]] = {
    "openvino": (ir, "nchw", "float32", 1e-5),
    "tflite": (tflite, "nhwc", "float32", 1e-5),
    "tflite, one at a time": (lambda folder: tflite(folder, batch=1), "nhwc", "float32", 1e-5),
    "tflite, bytes": (lambda folder: tflite(folder, quantised=True), "nhwc", "uint8", 0.06),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_asked_as_it_declares(name: str, tmp_path: Path) -> None:
    write, layout, dtype, near = FILES[name]
    isolated = IsolatedSuspect(write(tmp_path), "logits")
    answers = isolated(POOL)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, scores(POOL), atol=near)
    (form,) = open_network(isolated.path).forms((1, 4, 4), Interface())
    assert (form.layout, form.dtype) == (layout, dtype)


@pytest.mark.parametrize("write", [ir, tflite])
def test_control_images_find_how_it_is_scaled(write: Callable[..., Path], tmp_path: Path) -> None:
    # Without the shift, pixels in [-128, 127] would get the same answers, and surer ones.
    shift = -0.5
    labels = scores(POOL, -1 + shift, 1 + shift).argmax(axis=1)
    card = {"scheme": "naturalfinger", "threshold": 0.6, "num_classes": 3}
    controls = Controls(POOL[:60], labels[:60])
    queries = QuerySet(POOL[60:], labels[60:], np.full(30, -1), card, None, controls)
    examined = examine(IsolatedSuspect(write(tmp_path, shift=shift), "logits"), queries)
    assert examined.answers.labels.tolist() == labels[60:].tolist()
    assert examined.found is not None
    assert examined.found.how.range == (-1, 1)


@pytest.mark.parametrize("write", [ir, tflite])
def test_a_damaged_file_is_refused_in_a_line(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused = r"suspect\.\w+: expected a valid network, (OpenVINO|LiteRT) refuses it: |the suspect's process ended with"
    with pytest.raises(SuspectError, match=refused) as caught:
        IsolatedSuspect(path, "logits")(POOL)
    assert str(caught.value).isprintable()


def test_weights_of_openvino_are_a_plain_file_beside_it(tmp_path: Path) -> None:
    path = ir(tmp_path)
    weights = tmp_path / "suspect.bin"
    weights.rename(tmp_path / "elsewhere")
    with pytest.raises(SuspectError, match=r"suspect\.xml: expected weights in 'suspect\.bin' beside the file"):
        IsolatedSuspect(path, "logits")(POOL)
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SuspectError, match="expected weights in a plain file, got a link"):
        IsolatedSuspect(path, "logits")(POOL)


def test_the_weights_of_openvino_are_known_before_it_is_asked(tmp_path: Path) -> None:
    path = ir(tmp_path)
    (tmp_path / "notes.txt").write_text("no weights")
    assert IsolatedSuspect(path, "logits").weights() == [tmp_path / "suspect.bin"]
    (weights,) = identify(str(path), IsolatedSuspect(path, "logits"))["beside"]
    assert (weights["file"], weights["sha256"]) == ("suspect.bin", sha256_file(tmp_path / "suspect.bin"))


@pytest.mark.parametrize("write", [ir, tflite])
def test_a_runtime_has_a_bounded_memory_and_time(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(SuspectError, match=r"process ended with status|refuses it|cannot answer|can be asked"):
        IsolatedSuspect(path, "logits", memory_bytes=160 << 20)(POOL)
    with pytest.raises(SuspectError, match=r"expected answers within 0\.01 seconds, got none"):
        IsolatedSuspect(path, "logits", timeout_seconds=0.01)(POOL)


def test_openvino_calls_nobody(tmp_path: Path) -> None:
    path = ir(tmp_path)
    code = "import sys; from nf.suspects.networks import open_network; from pathlib import Path; "
    code += "open_network(Path(sys.argv[1])); print(sys.modules['openvino_telemetry'])"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


@pytest.mark.parametrize(("write", "extra"), [(ir, "openvino"), (tflite, "tflite")])
def test_without_its_runtime_a_file_is_answered_with_how_to_get_it(
    write: Callable[[Path], Path], extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path)
    monkeypatch.setattr(networks, "find_spec", lambda module: None)
    with pytest.raises(SuspectError, match=rf"expected an ONNX file, got .*pip install '\.\[{extra}\]'"):
        open_network(path)
