"""What passes between processes comes out as it went in, and anything else is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nf.core.controls import Controls
from nf.core.errors import SuspectError
from nf.suspects import IsolatedSuspect
from nf.suspects.transport import pack, pack_raws, unpack, unpack_raws

RAWS = {
    "scores": np.arange(6, dtype=np.float16).reshape(2, 3),
    "labels": np.array([1, 2], np.int32),
    "names": ["zero", "eins"],
    "numbered": [{0: 0.25, 1: 0.75}, {0: 1.0, 1: 0.0}],
    "top": [{"a": 0.5}, {}],
}


def test_answers_of_every_form_come_back() -> None:
    first, second = unpack_raws(pack_raws([RAWS, {"scores": RAWS["scores"]}]), 2)
    assert list(first) == list(RAWS)
    for name in ("scores", "labels"):
        np.testing.assert_array_equal(first[name], RAWS[name])
        assert first[name].dtype == RAWS[name].dtype
    for name in ("names", "numbered", "top"):
        assert first[name] == RAWS[name]
    assert list(second) == ["scores"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        b"nothing",
        b'{"arrays": 1}\n',
        pack({"outputs": [{"name": "a", "keys": None}]}, [np.zeros(1)]),
        pack({"outputs": [{"time": 3, "name": "a", "keys": None}]}, [np.zeros(1)]),
        pack({"outputs": [{"time": 0, "name": "a", "keys": ["k"]}]}, [np.zeros(2)]),
        pack({"outputs": []}, [np.zeros(1)]),
        pack({}, [np.zeros(1)])[:-3],
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|argument|bytes|JSON|Expecting|EOF|read"):
        unpack_raws(data, 1)


def test_objects_do_not_pass() -> None:
    with pytest.raises(ValueError, match="pickle"):
        pack({}, [np.array([{}], object)])
    header, arrays = unpack(pack({"a": 1}, [np.eye(2)]))
    assert header["a"] == 1
    np.testing.assert_array_equal(arrays[0], np.eye(2))


def test_a_search_that_reports_on_other_images_is_refused(
    write: Callable[[str], Path], linear: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that searched may be the suspect's by now."""
    suspect = IsolatedSuspect(write(linear), "logits")
    report = {"interface": {}, "right": 9, "controls": 9, "tried": 1, "labels": [0], "rivals": []}
    monkeypatch.setattr(IsolatedSuspect, "_do", lambda *_: pack(report))
    with pytest.raises(SuspectError, match=r"expected answers as \.npy, got \d+ other bytes"):
        suspect.find(Controls(np.zeros((9, 1, 4, 4), np.uint8), np.zeros(9, np.int64)), 3)
