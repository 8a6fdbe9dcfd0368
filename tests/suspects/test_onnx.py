import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.predictor import Predictor
from nf.suspects import Interface, OnnxSuspect

Write = Callable[[str | onnx.ModelProto], Path]
Images = NDArray[np.uint8]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 256])
def test_answers_are_those_of_the_network_on_the_unit_range(
    write: Write, linear: str, images: Images, scores: NDArray[np.float64], batch_size: int
) -> None:
    suspect: Predictor = OnnxSuspect(write(linear), batch_size=batch_size)
    answers = suspect(images)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, scores, atol=1e-5)


def test_a_file_with_a_fixed_batch_answers_any_number_of_images(
    write: Write, linear: str, images: Images, scores: NDArray[np.float64]
) -> None:
    suspect = OnnxSuspect(write(linear.replace("[N,", "[4,")))
    np.testing.assert_allclose(suspect(images), scores, atol=1e-5)
    np.testing.assert_allclose(suspect(images[:4]), scores[:4], atol=1e-5)


def test_what_fills_a_fixed_batch_up_is_no_image_that_nobody_asked(write: Write, linear: str) -> None:
    """A network that divides by an image's brightness has no answer to a black one."""
    divided = linear.replace(
        "flat = Flatten (images)", "sum = ReduceSum (images) bright = Div (images, sum) flat = Flatten (bright)"
    )
    path = write(divided.replace("[N,", "[4,"))
    assert np.isfinite(OnnxSuspect(path)(np.full((3, 1, 4, 4), 255, np.uint8))).all()


def test_labels_are_taken_as_they_are(write: Write, images: Images, scores: NDArray[np.float64]) -> None:
    text = """net (float[N,1,4,4] images) => (int64[N] labels) {
        flat = Flatten (images)
        logits = MatMul (flat, w)
        labels = ArgMax <axis = 1, keepdims = 0> (logits)
    }"""
    suspect = OnnxSuspect(write(text), output="labels")
    answers = suspect(images)
    assert answers.dtype == np.int64
    assert answers.tolist() == scores.argmax(axis=1).tolist()
    assert suspect.output == "labels"
    assert suspect.num_classes is None


def test_the_file_states_its_shapes(write: Write, linear: str) -> None:
    suspect = OnnxSuspect(write(linear))
    assert suspect.input_shape == (1, 4, 4)
    assert suspect.num_classes == 3
    open_sizes = OnnxSuspect(write(linear.replace("[N,1,4,4]", "[N,1,H,W]").replace("[N,3]", "[N,K]")))
    assert open_sizes.input_shape == (1, None, None)
    assert open_sizes.num_classes is None


@pytest.mark.parametrize("output_name", ["logits", 1])
def test_of_several_outputs_the_named_one_says_how_many_classes_there_are(
    write: Write, linear: str, images: Images, scores: NDArray[np.float64], output_name: str | int
) -> None:
    two = linear.replace("=> (", "=> (float[N,16] flat, ")
    suspect = OnnxSuspect(write(two), interface=Interface(output_name=output_name))
    assert suspect.num_classes == 3
    np.testing.assert_allclose(suspect(images), scores, atol=1e-5)


def test_old_files_that_list_weights_as_inputs_load(
    write: Write, linear: str, images: Images, scores: NDArray[np.float64]
) -> None:
    path = write(linear.replace("images) =>", "images, float[16,3] w) =>"))
    np.testing.assert_allclose(OnnxSuspect(path)(images), scores, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "dtype", "got"),
    [
        ((2, 3, 4, 4), np.uint8, r"uint8 \(2, 3, 4, 4\)"),
        ((2, 1, 4, 5), np.uint8, r"uint8 \(2, 1, 4, 5\)"),
        ((2, 16), np.uint8, r"uint8 \(2, 16\)"),
        ((0, 1, 4, 4), np.uint8, r"uint8 \(0, 1, 4, 4\)"),
        ((2, 1, 4, 4), np.float32, r"float32 \(2, 1, 4, 4\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(
    write: Write, linear: str, shape: tuple[int, ...], dtype: type[np.generic], got: str
) -> None:
    suspect = OnnxSuspect(write(linear))
    with pytest.raises(
        SuspectError, match=rf"expected queries of shape \(N, 1, 4, 4\), which the suspect takes, got {got}"
    ):
        suspect(np.zeros(shape, dtype))


def test_nan_is_no_answer(write: Write, linear: str, images: Images, scores: NDArray[np.float64]) -> None:
    negative = int((scores < 0).any(axis=1).sum())
    root = linear.replace("logits = MatMul (flat, w)", "product = MatMul (flat, w)\n logits = Sqrt (product)")
    with pytest.raises(
        SuspectError, match=f"expected finite logits for every image, got NaN or infinity for {negative} of 7"
    ):
        OnnxSuspect(write(root))(images)


def test_an_answer_of_another_rank_is_refused(write: Write, images: Images) -> None:
    path = write("net (float[N,1,4,4] images) => (float[N,1,4,4] logits) { logits = Relu (images) }")
    with pytest.raises(
        SuspectError, match=r"expected logits of shape \(7, classes\), got float32 of shape \(7, 4, 4\)"
    ):
        OnnxSuspect(path)(images)


def test_scores_where_labels_were_stated_are_refused(write: Write, linear: str, images: Images) -> None:
    with pytest.raises(SuspectError, match=r"expected integer labels of shape \(7,\), got float32 of shape \(7, 3\)"):
        OnnxSuspect(write(linear), output="labels")(images)


def test_a_class_count_other_than_the_stated_is_refused(write: Write, linear: str, images: Images) -> None:
    # The runtime itself only warns.
    with pytest.raises(SuspectError, match="expected 4 classes, got 3"):
        OnnxSuspect(write(linear.replace("[N,3]", "[N,4]")))(images)


def test_a_class_count_that_changes_with_the_images_is_refused(write: Write) -> None:
    text = """net (float[N,1,4,4] images) => (float[N,K] logits) {
        flat = Flatten (images)
        zero = Constant <value_int = 0> ()
        first = Gather <axis = 0> (flat, zero)
        half = Constant <value_float = 0.5> ()
        bright = Greater (first, half)
        logits = Compress <axis = 1> (flat, bright)
    }"""
    images = np.zeros((2, 1, 4, 4), np.uint8)
    images[0, 0, :2], images[1, 0, :3] = 255, 255
    with pytest.raises(SuspectError, match="expected 8 classes, got 12"):
        OnnxSuspect(write(text), batch_size=1)(images)


def test_a_network_that_fails_on_the_images_is_an_error_of_the_suspect(
    write: Write, linear: str, images: Images
) -> None:
    path = write(linear.replace("[N,1,4,4]", "[N,1,H,W]"))
    with pytest.raises(SuspectError, match=r"the suspect cannot answer: .*MatMul"):
        OnnxSuspect(path)(images[..., :3])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_an_error_and_no_silent_fall_back(write: Write, linear: str) -> None:
    with pytest.raises(SuspectError, match=r"expected a GPU for 'cuda', got CPUEx.*; .*pip install '\.\[gpu\]'"):
        OnnxSuspect(write(linear), device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_the_gpu_answers_like_the_cpu(write: Write, linear: str, images: Images) -> None:
    path = write(linear)
    np.testing.assert_allclose(OnnxSuspect(path, device="cuda")(images), OnnxSuspect(path)(images), atol=1e-6)


def test_importing_the_package_imports_no_runtime() -> None:
    code = "import sys, nf.suspects; sys.exit('onnxruntime' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_runtime_does_not_call_home(write: Write, linear: str, tmp_path: Path) -> None:
    """Before it sends anything it writes down who it is, in the home of its user."""
    code = (
        "import sys, time; from pathlib import Path; from nf.suspects import OnnxSuspect; "
        "OnnxSuspect(Path(sys.argv[1])); time.sleep(1)"
    )
    home = tmp_path / "home"
    home.mkdir()
    kept = {
        name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    }
    command = [sys.executable, "-c", code, str(write(linear))]
    subprocess.run(command, env={**kept, "HOME": str(home)}, check=True)
    assert [path.name for path in home.rglob("*") if "onnxruntime" in path.name] == []
