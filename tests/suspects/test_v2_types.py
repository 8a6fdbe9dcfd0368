"""Every type of tensor that the Open Inference Protocol knows, in and out, in JSON and in its binary extension."""

import base64
import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from nf.core.errors import SuspectError
from nf.core.http import Reply
from nf.core.interface import Interface
from nf.suspects.v2 import V2

IMAGE = np.random.default_rng(1).integers(0, 256, (3, 5, 4), dtype=np.uint8)


class Described:
    """What a server says about its input; stands where a ``Caller`` does."""

    def __init__(self, datatype, shape):
        self._inputs = [{"name": "x", "datatype": datatype, "shape": shape}]

    def describe(self, _):
        return Reply(json.dumps({"name": "m", "inputs": self._inputs}).encode())


def sent(datatype, shape, image=IMAGE, stated=None):
    """The tensor that goes out, as the server sees it."""
    speech = V2("http://host/v2/models/m")
    how = (stated or Interface()).over(speech.declare(Described(datatype, shape), image.shape))
    message = speech.encode(image, how)
    head = int(message.headers.get("Inference-Header-Content-Length", len(message.content)))
    (tensor,) = json.loads(message.content[:head])["inputs"]
    assert (tensor["name"], tensor["datatype"]) == ("x", datatype)
    if datatype == "FP16":
        assert tensor["parameters"]["binary_data_size"] == len(message.content) - head
        return np.frombuffer(message.content[head:], "<f2").reshape(tensor["shape"])
    return np.reshape(tensor["data"], tensor["shape"])


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_floats_are_in_the_unit_interval(datatype):
    got = sent(datatype, [-1, 3, 5, 4])
    np.testing.assert_allclose(got[0], IMAGE / 255, atol=1e-3 if datatype == "FP16" else 1e-7)


@pytest.mark.parametrize("datatype", ["UINT8", "INT16", "INT32", "INT64"])
def test_integers_are_the_pixels(datatype):
    np.testing.assert_array_equal(sent(datatype, [1, 3, -1, -1])[0], IMAGE)


def test_signed_bytes_are_centred():
    np.testing.assert_array_equal(sent("INT8", [1, 3, 5, 4])[0], IMAGE.astype(int) - 128)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ([-1, 5, 4, 3], IMAGE.transpose(1, 2, 0)[None]),
        ([-1, -1, -1, 3], IMAGE.transpose(1, 2, 0)[None]),
        ([5, 4, 3], IMAGE.transpose(1, 2, 0)),
        ([3, 5, 4], IMAGE),
        ([-1, 60], IMAGE.reshape(1, -1)),
        ([-1, -1, -1, -1], IMAGE[None]),
    ],
)
def test_the_description_says_in_which_order(shape, wanted):
    np.testing.assert_array_equal(sent("UINT8", shape), wanted)


def test_grey_images_become_rgb_and_larger_where_that_is_described():
    got = sent("UINT8", [-1, 10, 8, 3], IMAGE[:1])
    assert got.shape == (1, 10, 8, 3)
    assert (got[..., 0] == got[..., 2]).all()
    assert abs(got.mean() - IMAGE[0].mean()) < 5
    assert sent("UINT8", [-1, 5, 4]).shape == (1, 5, 4)


def test_what_is_stated_stands_above_the_description():
    got = sent("FP32", [-1, 3, 5, 4], stated=Interface(range=(0, 255), mean=(1.0,)))
    np.testing.assert_array_equal(got[0], IMAGE.astype(np.float32) - 1)


def test_a_server_that_takes_bytes_gets_a_picture():
    data = sent("BYTES", [-1, 1])[0, 0]
    read = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(read.transpose(2, 0, 1), IMAGE)


def test_the_picture_is_of_the_stated_size_and_nothing_is_stated_that_it_cannot_show():
    data = sent("BYTES", [-1, 1], stated=Interface(size=(10, 8), channels="grey"))[0, 0]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (8, 10)
    speech = V2("http://host/v2/models/m")
    assert speech.scope.refusal(Interface(range=(0, 1))) is None
    speech.declare(Described("BYTES", [-1, 1]), IMAGE.shape)
    assert speech.scope.refusal(Interface(range=(0, 1))).endswith("that takes the bytes of pictures, got range=0/1")


def received(outputs, binary=b""):
    head = json.dumps({"outputs": outputs}).encode()
    headers = {"inference-header-content-length": str(len(head))} if binary else {}
    return V2("http://host/v2/models/m").decode(Reply(head + binary, headers), Interface())


NUMBERS = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "BOOL": "u1", "UINT8": "u1", "INT8": "i1"} | {
    f"{sign}INT{bits}": f"<{sign.lower() or 'i'}{bits // 8}" for sign in ("", "U") for bits in (16, 32, 64)
}


@pytest.mark.parametrize("datatype", NUMBERS)
@pytest.mark.parametrize("binary", [False, True])
def test_numbers_come_in_every_type(datatype, binary):
    values = np.array([[1, 0, 1]], NUMBERS[datatype])
    output = {"name": "y", "datatype": datatype, "shape": [1, 3]}
    if binary:
        raw = values.tobytes()
        got = received([{**output, "parameters": {"binary_data_size": len(raw)}}], raw)
    else:
        got = received([{**output, "data": values.ravel().tolist()}])
    assert got["y"].tolist() == [[1, 0, 1]]
    assert got["y"].dtype.isnative


def test_half_of_a_float_comes_in_bytes():
    raw = b"".join(struct.pack("<f", value)[2:] for value in (0.5, -2.0))
    got = received([{"name": "y", "datatype": "BF16", "shape": [1, 2], "parameters": {"binary_data_size": 4}}], raw)
    assert got["y"].tolist() == [[0.5, -2.0]]


def test_several_outputs_follow_each_other_in_the_bytes():
    first, second = np.array([[7]], "<i8").tobytes(), b"".join(struct.pack("<I", 3) + name for name in (b"cat",))
    outputs = [
        {"name": "label", "datatype": "INT64", "shape": [1, 1], "parameters": {"binary_data_size": len(first)}},
        {"name": "name", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(second)}},
    ]
    got = received(outputs, first + second)
    assert got["label"].tolist() == [[7]]
    assert got["name"] == "cat"


@pytest.mark.parametrize(
    ("strings", "wanted"),
    [
        (["0.9:3:cat", "0.1:5:dog"], [("cat", 0.9), ("dog", 0.1)]),
        (["0.9:3", "1e-3:5"], [(3, 0.9), (5, 0.001)]),
        (["cat"], "cat"),
    ],
)
def test_names_and_tritons_classification(strings, wanted):
    assert received([{"name": "y", "datatype": "BYTES", "shape": [1, len(strings)], "data": [strings]}])["y"] == wanted


@pytest.mark.parametrize("split", ["x", "99999", "-1"])
def test_a_length_of_json_that_is_none(split):
    with pytest.raises(SuspectError, match="expected the length of the JSON in the answer"):
        V2("http://host/v2/models/m").decode(Reply(b"{}", {"inference-header-content-length": split}), Interface())


@pytest.mark.parametrize(
    "output",
    [
        {"datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 8}},
        {"datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 7}},
        {"datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 8}},
        {"datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": "many"}},
        {"datatype": "FP32", "shape": "flat", "parameters": {"binary_data_size": 8}},
    ],
)
def test_bytes_of_another_length_than_stated(output):
    with pytest.raises(SuspectError, match="expected an output with a shape and as many numbers"):
        received([{"name": "y", **output}], b"\xff" * 8)
