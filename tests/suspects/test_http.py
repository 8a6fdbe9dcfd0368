"""A real server on loopback that speaks the Open Inference Protocol, with an ONNX file behind it."""

import json
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from click.testing import CliRunner

from nf.cli.verify import verify
from nf.core.errors import ConfigError, SuspectError
from nf.core.interface import Interface
from nf.core.predictor import Predictor
from nf.suspects import HttpSuspect, OnnxSuspect, ask

INPUT = {"name": "images", "datatype": "FP32", "shape": [-1, 1, 4, 4]}


class Served:
    """What the server does and saw; ``described``, ``answer`` and ``headers`` are there to be changed."""

    def __init__(self, suspect):
        self.described = {"name": "shop", "platform": "onnx", "inputs": [INPUT]}
        self.answer = self.infer
        self.status = 200
        self.headers = {}
        self.delay = 0.0
        self.requests, self.tokens = [], []
        self._suspect = suspect

    def infer(self, body):
        (tensor,) = body["inputs"]
        image = np.array(tensor["data"], np.float32).reshape(tensor["shape"])
        logits = self._suspect((image * np.float32(255)).round().astype(np.uint8))
        output = {"name": "logits", "datatype": "FP32", "shape": list(logits.shape), "data": logits.ravel().tolist()}
        return {"model_name": "shop", "outputs": [output]}


@contextmanager
def serving(served):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.reply(served.described)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.requests.append((self.path, body))
            self.reply(served.answer(body))

        def reply(self, content):
            served.tokens.append(self.headers["Authorization"])
            time.sleep(served.delay)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v2/models/shop"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def served(write, linear):
    return Served(OnnxSuspect(write(linear)))


@pytest.fixture
def address(served):
    with serving(served) as address:
        yield address


def test_answers_are_those_of_the_file_behind_it_one_image_a_request(served, address, write, linear, queries):
    asked = ask(HttpSuspect(address), queries)
    directly = ask(OnnxSuspect(write(linear)), queries)
    assert asked.labels.tolist() == directly.labels.tolist()
    np.testing.assert_array_equal(asked.probabilities, directly.probabilities)
    assert [path for path, _ in served.requests] == ["/v2/models/shop/infer"] * len(queries)
    for (_, body), image in zip(served.requests, queries.images, strict=True):
        (tensor,) = body["inputs"]
        assert (tensor["name"], tensor["shape"], tensor["datatype"]) == ("images", [1, 1, 4, 4], "FP32")
        np.testing.assert_array_equal(np.array(tensor["data"], np.float32), image.ravel() / np.float32(255))


def test_a_token_goes_along_and_none_goes_without(served, address, images):
    HttpSuspect(address, token="secret\n")(images[:1])
    HttpSuspect(address)(images[:1])
    assert served.tokens == ["Bearer secret"] * 2 + [None] * 2


def test_a_server_without_batches_answers_without_them(served, address, images, write, linear):
    served.described["inputs"] = [{**INPUT, "shape": [1, 4, 4]}]

    def unbatched(body):
        (tensor,) = body["inputs"]
        assert tensor["shape"] == [1, 4, 4]
        (output,) = served.infer({"inputs": [{**tensor, "shape": [1, 1, 4, 4]}]})["outputs"]
        return {"outputs": [{**output, "shape": output["shape"][1:]}]}

    served.answer = unbatched
    np.testing.assert_array_equal(HttpSuspect(address)(images), OnnxSuspect(write(linear))(images))


@pytest.mark.parametrize(
    "other", [{"shape": [7], "data": [0] * 7}, {"shape": [0, 4], "data": []}, {"shape": [], "data": [1]}]
)
@pytest.mark.parametrize("named", ["logits", 1])
def test_an_output_that_is_no_answer_to_one_image_is_left_aside(served, address, images, write, linear, other, named):
    def two(body):
        return {"outputs": [{"name": "version", "datatype": "FP32", **other}, *served.infer(body)["outputs"]]}

    served.answer = two
    asked = HttpSuspect(address, how=Interface(output_name=named))(images)
    np.testing.assert_array_equal(asked, OnnxSuspect(write(linear))(images))
    with pytest.raises(SuspectError, match="expected answers to"):
        HttpSuspect(address, how=Interface(output_name="version"))(images)


@pytest.mark.parametrize("shape", [[1], [1, 1]])
def test_labels_come_as_a_row_or_a_column(served, address, images, shape):
    served.answer = lambda _: {"outputs": [{"name": "y", "datatype": "INT64", "shape": shape, "data": [2]}]}
    suspect: Predictor = HttpSuspect(address, output="labels")
    assert suspect(images).tolist() == [2] * len(images)


def test_a_server_need_not_describe_its_inputs(served, address, images):
    served.described = {"name": "shop", "platform": "python"}
    assert len(HttpSuspect(address)(images[:2])) == 2
    assert served.requests[0][1]["inputs"][0]["name"] == "input-0"


def output(**changes):
    tensor = {"name": "y", "datatype": "FP32", "shape": [1, 3], "data": [0.1, 0.2, 0.7]}
    return {"outputs": [tensor | changes]}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"<html>", "expected JSON, got 6 other bytes"),
        (b"[" * 60_000, "expected JSON, got 60000 other bytes"),
        ({"outputs": []}, "expected one output or more"),
        ([1], "expected one output or more"),
        (
            {"outputs": [*output()["outputs"], {**output()["outputs"][0], "name": "z"}]},
            "expected one output, got 'y', 'z'",
        ),
        (output(datatype="BYTES", shape=[1], data=["2"]), "expected logits of every class, got labels; say so"),
        (output(datatype="BYTES", shape=[2], data=["cat", "dog"]), "expected the name of a class, got 2 names"),
        (output(datatype="IMAGE"), "expected numbers or names, got an output of type 'IMAGE'"),
        (output(shape=[1, 4]), "expected an output with a shape and as many numbers"),
        (output(data="much"), "expected an output with a shape and as many numbers"),
        (output(shape=[3, 1]), r"expected numbers for one image, got an output of shape \[3, 1\]"),
        (
            output(data=[0.1, float("nan"), 0.7]),
            "expected finite logits for every image, got NaN or infinity for 7 of 7",
        ),
        (b'{"outputs": [' + b" " * (1 << 20), "expected an answer of at most 1048576 bytes, got more"),
    ],
)
def test_answers_of_another_form_are_refused(served, address, images, answer, message):
    served.answer = lambda _: answer
    with pytest.raises(SuspectError, match=message):
        HttpSuspect(address)(images)
    assert len(served.requests) in (1, len(images))


def test_a_model_that_changes_its_number_of_classes_is_refused(served, address, images):
    sizes = iter((3, 4))

    def answer(_):
        size = next(sizes)
        return output(shape=[1, size], data=[0.0] * size)

    served.answer = answer
    with pytest.raises(SuspectError, match="expected one number of classes, got several"):
        HttpSuspect(address)(images[:2])


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"inputs": [INPUT, INPUT]}, "expected one input, got 2"),
        ({"inputs": [INPUT | {"datatype": "BOOL"}]}, r"expected an input of numbers .*, got 'BOOL' of shape"),
        (
            {"inputs": [INPUT | {"shape": [-1, 4, 4, 2]}]},
            "expected an input of numbers that takes an image, got 'FP32'",
        ),
        ({"inputs": [INPUT | {"shape": [-1, 17]}]}, r"got 'FP32' of shape \[-1, 17\]"),
        ({"inputs": [INPUT | {"shape": None}]}, "got 'FP32' of shape None"),
        (["shop"], "expected a model's description, got list"),
    ],
)
def test_a_model_for_other_images_is_not_asked(served, address, images, described, message):
    served.described = described
    with pytest.raises(SuspectError, match=message):
        HttpSuspect(address)(images)
    assert served.requests == []


def test_a_refusal_is_told_in_the_servers_words(served, address, images):
    served.status, served.answer = 404, lambda _: {"error": "no model \x1b[2K'shop'"}
    words = "no model \N{REPLACEMENT CHARACTER}[2K'shop'"
    with pytest.raises(SuspectError, match=re.escape(f"/v2/models/shop/infer: expected status 2xx, got 404: {words}")):
        HttpSuspect(address)(images)


def test_a_redirect_is_not_followed(served, address, images):
    with serving(Served(None)) as elsewhere:
        served.status, served.headers = 302, {"Location": elsewhere}
        with pytest.raises(SuspectError, match="expected status 2xx, got 302"):
            HttpSuspect(address, token="secret")(images)


def test_a_slow_model_has_so_much_time_for_each_image(served, address, images):
    served.delay = 0.4
    assert len(HttpSuspect(address, timeout_seconds=2.0)(images)) == len(images)  # 3.2 seconds together
    start = time.monotonic()
    with pytest.raises(SuspectError, match=r"expected an answer within 0\.2 s, got timed out"):
        HttpSuspect(address, timeout_seconds=0.2)(images)
    assert time.monotonic() - start < 5


def test_a_server_that_trickles_for_ever_has_no_longer_than_another(images):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle():
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.1):
                    connection.sendall(b"X")

        ended = threading.Event()
        thread = threading.Thread(target=trickle)
        thread.start()
        start = time.monotonic()
        with pytest.raises(SuspectError, match=r"expected an answer within 0\.5 s, got timed out"):
            HttpSuspect(f"http://127.0.0.1:{listening.getsockname()[1]}/v2/models/shop", timeout_seconds=0.5)(images)
        assert time.monotonic() - start < 5
        ended.set()
        thread.join()


def test_nobody_there(images):
    with pytest.raises(SuspectError, match=r"^http://127\.0\.0\.1:9/v2/models/shop: expected an answer .* refused"):
        HttpSuspect("http://127.0.0.1:9/v2/models/shop")(images)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://host/v2/models/shop", "suspect: expected an address that begins with http:// or https://"),
        ("https://", "suspect: expected an address that begins with http:// or https://"),
        ("https://host/a b", "suspect: expected what fits into a request of HTTP"),
        ("https://a..b/v2", "suspect: expected host and port as in https://host:443/"),
        ("https://host:port/v2", "suspect: expected host and port as in https://host:443/"),
        ("https://me:secret@host/v2", "suspect: expected an address without user name and password"),
        (
            "https://host/v2/models/shop?key=secret",
            r"suspect: expected the address of a model, got one with '\?' or '#'",
        ),
        ("https://host/v2/models/shop#secret", r"suspect: expected the address of a model, got one with '\?' or '#'"),
    ],
)
def test_what_is_no_address(address, message):
    with pytest.raises(ConfigError, match=message) as caught:
        HttpSuspect(address)
    assert "secret" not in str(caught.value)


def test_the_command_takes_an_address_and_its_token(served, address, write, linear, queries, tmp_path, monkeypatch):
    queries.save(tmp_path / "queries")
    monkeypatch.setenv("SHOP_TOKEN", "secret")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    common = ["--queries", str(tmp_path / "queries"), "--json"]

    def evidence(*arguments):
        done = CliRunner().invoke(verify, [*arguments, *common], catch_exceptions=False)
        assert done.exit_code in (0, 1)
        return json.loads(done.output)

    remote, local = evidence(address, "--token-from", "SHOP_TOKEN"), evidence(str(write(linear)))
    assert remote.pop("suspect") == {"address": address}
    assert remote.pop("spent") == {"images": 7, "requests": 8, "remembered": 0, "cost": None}
    assert local.pop("suspect")["file"] == "suspect.onnx"
    asked, later = (datetime.fromisoformat(each.pop("asked_at")) for each in (remote, local))
    assert timedelta(0) <= later - asked < timedelta(minutes=5)
    assert remote == local
    assert set(served.tokens) == {"Bearer secret"}
