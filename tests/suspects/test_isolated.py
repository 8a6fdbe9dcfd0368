"""Suspects that only show what they are when they run."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import psutil
import pytest
from numpy.typing import NDArray

from nf.core.errors import ConfigError, SuspectError
from nf.core.predictor import Predictor
from nf.suspects import IsolatedSuspect, OnnxSuspect
from nf.suspects.isolated import GIBIBYTE, _last_line

Write = Callable[[str | onnx.ModelProto], Path]
Images = NDArray[np.uint8]
T = TypeVar("T")

# Asks for 2**27 floats (half a gibibyte) per unit of the image's sum.
BOMB = """net (float[N,1,4,4] images) => (float[N,3] logits) {
    sum = ReduceSum <keepdims = 0> (images)
    unit = Constant <value_float = 134217728.0> ()
    product = Mul (sum, unit)
    count = Cast <to = 7> (product)
    vector = Constant <value_ints = [1]> ()
    size = Reshape (count, vector)
    filled = ConstantOfShape (size)
    total = ReduceSum (filled)
    flat = Flatten (images)
    product_w = MatMul (flat, w)
    logits = Add (product_w, total)
}"""

# A thousand products of two matrices of 4096 x 4096.
SLOW = """net (float[N,1,4,4] images) => (float[N,3] logits) {
    sum = ReduceSum <keepdims = 0> (images)
    size = Constant <value_ints = [4096, 4096]> ()
    zeros = ConstantOfShape (size)
    x = Add (zeros, sum)
    x0 = Identity (x)
    PRODUCTS
    total = ReduceSum <keepdims = 0> (x1000)
    flat = Flatten (images)
    product_w = MatMul (flat, w)
    logits = Add (product_w, total)
}""".replace("PRODUCTS", "\n".join(f"x{i + 1} = MatMul (x{i}, x)" for i in range(1000)))


def test_answers_are_those_of_the_suspect_in_process(write: Write, linear: str, images: Images) -> None:
    path = write(linear)
    isolated: Predictor = IsolatedSuspect(path, "logits")
    answers = isolated(images)
    assert answers.dtype == np.float32
    np.testing.assert_array_equal(answers, OnnxSuspect(path)(images))


def test_a_network_that_takes_too_much_memory(write: Write) -> None:
    path = write(BOMB)
    black, white = np.zeros((1, 1, 4, 4), np.uint8), np.full((1, 1, 4, 4), 255, np.uint8)
    assert IsolatedSuspect(path, "logits", memory_bytes=GIBIBYTE * 2)(black).tolist() == [[0, 0, 0]]
    with pytest.raises(SuspectError, match=r"suspect\.onnx: the suspect cannot answer: .*alloc"):
        IsolatedSuspect(path, "logits", memory_bytes=GIBIBYTE * 2)(white)


def test_a_network_that_takes_too_long(write: Write, images: Images) -> None:
    with pytest.raises(SuspectError, match=r"suspect\.onnx: expected answers within 4 seconds, got none"):
        IsolatedSuspect(write(SLOW), "logits", timeout_seconds=4)(images)


def test_too_little_memory_for_the_runtime_itself(write: Write, linear: str, images: Images) -> None:
    with pytest.raises(SuspectError, match=r"expected a network that can be asked, got .*under a limit of 0.0625 GiB"):
        IsolatedSuspect(write(linear), "logits", memory_bytes=GIBIBYTE // 16)(images)


def test_a_process_that_dies(write: Write, linear: str, images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SuspectError, match=r"the suspect's process ended with status 1 .* 1 GiB: no mess"):
        IsolatedSuspect(write(linear), "logits")(images)


def test_a_refusal_passes_through_in_one_line(write: Write, linear: str, images: Images, tmp_path: Path) -> None:
    with pytest.raises(SuspectError, match=r"^/.*nothing.onnx: expected an ONNX file, found nothing$"):
        IsolatedSuspect(tmp_path / "nothing.onnx", "logits")(images)
    with pytest.raises(SuspectError, match=r"expected integer labels of shape \(7,\), got float32 of shape \(7, 3\)$"):
        IsolatedSuspect(write(linear), "labels")(images)


def test_names_in_a_refusal_neither_cut_the_line_nor_steer_a_terminal(
    write: Write, model: onnx.ModelProto, images: Images
) -> None:
    model.graph.output.add(name="x\n\x1b[2K\rmatching rate  0.010\x1b[8m")
    with pytest.raises(
        SuspectError, match=r"^/.*suspect\.onnx: expected a valid network, onnxruntime refuses it: .*matching rate"
    ) as caught:
        IsolatedSuspect(write(model), "logits")(images)
    assert str(caught.value).isprintable()


def test_what_a_process_leaves_behind_when_it_dies_cannot_steer_a_terminal() -> None:
    with tempfile.TemporaryFile() as stderr:
        stderr.write(b"first\n\x1b[2K\rmatching rate  0.010\x1b[8m\n\n")
        assert _last_line(stderr) == "\ufffd[2K\ufffdmatching rate  0.010\ufffd[8m"


ASK = """
import sys
from pathlib import Path
import numpy as np
from nf.suspects import IsolatedSuspect
IsolatedSuspect(Path(sys.argv[1]), "logits", timeout_seconds=50.5)(np.ones((1, 1, 4, 4), np.uint8))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_suspect_does_not_outlive_whoever_asked_it(write: Write) -> None:
    """Where the parent is killed outright; and a limit of its own sees to it that the child ends in any case."""
    parent = subprocess.Popen([sys.executable, "-c", ASK, str(write(SLOW))])
    try:
        child = _wait_for(lambda: next(iter(psutil.Process(parent.pid).children()), None))
        _wait_for(lambda: resource.prlimit(child.pid, resource.RLIMIT_CPU) == (56, 56) or None)
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs([child], timeout=20)
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def test_a_suspect_gets_nothing_of_the_environment(
    write: Write, linear: str, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code may be anybody's, and tokens and passwords lie in the environment."""
    monkeypatch.setenv("NF_WEBHOOK_TOKEN", "secret")
    given: list[dict[str, str]] = []
    run = subprocess.run

    def watched(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        given.append(options["env"])
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", watched)
    IsolatedSuspect(write(linear), "logits")(images)
    libraries = {"PYTHONPATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    assert [set(environment) <= libraries for environment in given] == [True]


def _wait_for(look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.05)
    raise TimeoutError("expected something within a minute, got nothing")


def test_without_a_folder_for_temporary_files_it_says_how_to_give_one(
    write: Write, linear: str, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    with pytest.raises(ConfigError, match=r"set TMPDIR, or give a container one with `--tmpfs /tmp`"):
        IsolatedSuspect(write(linear), "logits")(images)
