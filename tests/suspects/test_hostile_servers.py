"""Servers that do what no server should, byte by byte on a socket: one line for the caller, in time, and no more."""

import gzip
import json
import random
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nf.cli.verify import verify
from nf.core.errors import SuspectError
from nf.core.interface import Interface, Kind
from nf.core.queries import QuerySet
from nf.suspects import HttpSuspect, examine, open_suspect
from nf.suspects.manners import Manners

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 1, 4, 4), dtype=np.uint8)
QUICK = Manners(first_wait=0.01, timeout=2.0, retries=1)
INPUT = {"name": "images", "datatype": "FP32", "shape": [-1, 1, 4, 4]}
OUTPUT = {"name": "y", "datatype": "FP32", "shape": [1, 3], "data": [0.1, 0.7, 0.2]}
Say = Callable[[socket.socket, bytes], None]
"""What the server does with a connection and the request that came over it."""


@contextmanager
def serving(say: Say) -> Iterator[tuple[str, list[bytes]]]:
    """A server's address, and the requests that it got."""
    got: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request or len(request.partition(b"\r\n\r\n")[2]) < _length(request):
                request += connection.recv(1 << 16) or b"\r\n\r\n"
            got.append(request)
            say(connection, request)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v2/models/shop", got
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _length(request: bytes) -> int:
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def reply(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    size = f"Content-Length: {len(body) if length is None else length}"
    return "\r\n".join([f"HTTP/1.1 {status}", size, "Connection: close", *headers, "", ""]).encode() + body


def of(answer: bytes, described: bytes = b"") -> Say:
    """Says ``answer`` to questions, and ``described`` to whoever asks what the model takes."""

    def say(connection: socket.socket, request: bytes) -> None:
        about = described or reply(b"", status="404 Not Found")
        connection.sendall(about if request.startswith(b"GET") else answer)

    return say


def trickle(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.1)


def endless_headers(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def slow_headers(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: x\r\n")
        time.sleep(0.1)


def endless_continue(connection: socket.socket, request: bytes) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def endless_body(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        connection.sendall(b" " * (1 << 16))


def endless_chunks(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\n \r\n")


def silent(connection: socket.socket, request: bytes) -> None:
    time.sleep(30)


def _redirect(place: str) -> Say:
    return of(reply(b"", f"Location: {place}", status="302 Found"))


def _deep(levels: int) -> bytes:
    return json.dumps({"outputs": [{**OUTPUT, "data": 77}]}).replace("77", "[" * levels + "]" * levels).encode()


def _nested(times: int) -> bytes:
    data = b" " * (1 << 22)
    for _ in range(times):
        data = gzip.compress(data)
    return data


SAYS: dict[str, Say] = {
    "a trickle": trickle,
    "headers without end": endless_headers,
    "headers that trickle": slow_headers,
    "continue for ever": endless_continue,
    "a body without end": endless_body,
    "chunks without end": endless_chunks,
    "nothing": silent,
    "more than it says": of(reply(json.dumps({"outputs": [OUTPUT]}).encode() * 3, length=10)),
    "less than it says": of(reply(b"{}", length=5000)),
    "a negative length": of(reply(b"{}", length=-1)),
    "two lengths": of(reply(b"{}", "Content-Length: 77")),
    "a length beyond all": of(reply(b"{}", length=10**30)),
    "a redirect to a file": _redirect("file:///etc/passwd"),
    "a redirect elsewhere": _redirect("http://127.0.0.1:9/"),
    "a redirect to itself": _redirect("/v2/models/shop/infer"),
    "a bomb": of(reply(_nested(1), "Content-Encoding: gzip")),
    "a bomb in a bomb": of(reply(_nested(2), "Content-Encoding: gzip, gzip")),
    "half a gzip": of(reply(_nested(1)[:100], "Content-Encoding: gzip")),
    "deep JSON": of(reply(b'{"outputs":' + b"[" * 200_000)),
    "deep data": of(reply(_deep(900))),
    "a huge number": of(reply(b'{"outputs": [{"shape": [1], "datatype": "FP32", "data": [' + b"9" * 5000 + b"]}]}")),
    "a shape beyond all": of(reply(json.dumps({"outputs": [{**OUTPUT, "shape": [10**12, 10**12]}]}).encode())),
    "a shape of text": of(reply(json.dumps({"outputs": [{**OUTPUT, "shape": ["x"]}]}).encode())),
    "an infinite shape": of(reply(b'{"outputs": [{"shape": [1e999], "datatype": "FP32", "data": [1]}]}')),
    "no UTF-8": of(reply(b'{"outputs": "\xff\xfe\xc3"}')),
    "another answer's status": of(b"HTTP/1.1 999 \xff\xfe\r\n\r\n"),
    "no HTTP at all": of(b"\x16\x03\x01" + b"\xff" * 500),
    "a header that steers a terminal": of(reply(b'{"error": "\\u001b[2Jnot stolen"}', status="500 \x1b[2J")),
}  # fmt: skip


@pytest.mark.parametrize("fault", SAYS)
def test_one_line_in_time(fault: str) -> None:
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with serving(SAYS[fault]) as (address, got):
        with pytest.raises(SuspectError) as caught:
            HttpSuspect(address, manners=QUICK)(IMAGES)
        assert time.monotonic() - started < 4 * QUICK.timeout + 10  # a description, a question, each asked again once
        assert len(got) <= 4
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 << 10  # KiB


@pytest.mark.parametrize("sizes", [[-1, 3, 10**6, 10**6], [-1, 10**9, 10**9, 1], [10**9, 10**9], [-1, 1, 10**400, 4]])
def test_a_server_for_images_of_a_size_that_nobody_has_is_not_asked(sizes: list[int]) -> None:
    described = reply(json.dumps({"inputs": [{**INPUT, "shape": sizes}]}).encode())
    with serving(of(reply(json.dumps({"outputs": [OUTPUT]}).encode()), described)) as (address, got):
        with pytest.raises(SuspectError, match="expected an input of numbers that takes an image"):
            HttpSuspect(address, manners=QUICK)(IMAGES)
        assert [request for request in got if request.startswith(b"POST")] == []


def _output(**said: object) -> bytes:
    return json.dumps({"outputs": [{"name": "y", "datatype": "FP32", **said}]}).encode()


OF_THE_PROTOCOL: dict[str, tuple[bytes, str]] = {
    "no dimension": (_output(shape=[], data=1), "got an output of shape"),
    "no scores": (_output(shape=[1, 0], data=[]), "got an output of shape"),
    "no labels": (_output(datatype="INT64", shape=[1, 0], data=[]), "got an output of shape"),
    "scores of no image": (_output(shape=[0, 3], data=[]), "got an output of shape"),
    "scores of two images": (_output(shape=[2, 3], data=[1, 2, 3, 4, 5, 6]), "got an output of shape"),
    "labels of two images": (_output(datatype="INT64", shape=[2], data=[1, 2]), "got an output of shape"),
    "a label that is no number": (_output(shape=[1], data=[float("nan")]), "expected scores, labels or names"),
    "an infinite label": (_output(shape=[1], data=[float("inf")]), "expected scores, labels or names"),
    "a label beyond all": (_output(datatype="UINT64", shape=[1], data=[2**64 - 1]), "expected scores, labels or names"),
    "scores in tables": (_output(shape=[1, 3, 2], data=[1, 2, 3, 4, 5, 6]), "expected scores, labels or names"),
}
OF_ITS_OWN: dict[str, tuple[bytes, str]] = {
    "a class beyond 64 bits": (b"1" + b"0" * 30, "expected a class or scores"),
    "a class beyond all": (b"1e300", "expected a class or scores"),
    "a score beyond all": (b'{"cat": 1' + b"0" * 400 + b"}", "expected finite scores"),
    "scores beyond all": (b"[1, 1" + b"0" * 400 + b"]", "expected scores, labels or names"),
    "an endless number": (b"9" * 5000, "expected JSON"),
}


@pytest.mark.parametrize("kind", [None, "logits", "labels"])
@pytest.mark.parametrize("fault", [*OF_THE_PROTOCOL, *OF_ITS_OWN])
def test_no_answer_ends_a_run_over_several_suspects(
    calibrated: QuerySet, tmp_path: Path, fault: str, kind: Kind | None
) -> None:
    """However it is read: ``nf verify`` and the watch catch errors that are a user's to put right, and no others."""
    body, message = {**OF_THE_PROTOCOL, **OF_ITS_OWN}[fault]
    with serving(of(reply(body))) as (address, _):
        place, how = address, Interface(layout="nchw", range=(0, 1), kind=kind)
        if fault in OF_ITS_OWN:
            (tmp_path / "shop.yaml").write_text(json.dumps({"address": address, "send": "png"}))
            place, how = str(tmp_path / "shop.yaml"), Interface(kind=kind)
        with pytest.raises(SuspectError, match=message if kind is None else "expected"):
            examine(open_suspect(place, stated=how), calibrated)


def test_a_length_of_a_thousand_digits_is_none() -> None:
    said = of(reply(_output(shape=[1, 3], data=[1, 2, 3]), "Inference-Header-Content-Length: " + "0" * 5000))
    with serving(said) as (address, _), pytest.raises(SuspectError, match="expected the length of the JSON"):
        HttpSuspect(address, manners=QUICK)(IMAGES)


def test_a_hostile_server_leaves_the_others_their_verdicts(
    calibrated: QuerySet, table: Callable[[int], Path], tmp_path: Path
) -> None:
    calibrated.save(tmp_path / "queries")
    with serving(of(reply(_output(shape=[], data=1)))) as (address, _):
        asked = [str(table(20)), address, "--queries", str(tmp_path / "queries"), "--journal", str(tmp_path)]
        done = CliRunner().invoke(verify, asked, catch_exceptions=False)
    assert done.exit_code == 1
    assert "1 STOLEN, 1 ERROR" in done.output
    assert "got an output of shape []" in done.output


@pytest.mark.parametrize("part", range(4))
def test_mutants_of_right_answers(part: int) -> None:
    """Of description and answer: bytes flipped, cut, doubled, and values of JSON exchanged for others."""
    rng = random.Random(part)
    described, answered = {"name": "shop", "inputs": [INPUT]}, {"outputs": [OUTPUT]}
    refused = 0
    for _ in range(30):
        said = of(_mutant(rng, answered), _mutant(rng, described) if rng.random() < 0.5 else b"")
        with serving(said) as (address, _got):
            try:
                answers = HttpSuspect(address, manners=QUICK, output="probabilities", how=Interface())(IMAGES[:1])
            except SuspectError as error:
                refused += 1
                assert str(error).isprintable()  # noqa: PT017 - some pass
            else:
                assert answers.shape[0] == 1
    assert refused > 5


def _mutant(rng: random.Random, value: dict[str, object]) -> bytes:
    text = json.dumps(value)
    if rng.random() < 0.6:
        values = ("null", "-1", "1e999", "1e308", '""', "[]", "{}", "true", '"\\u0000"', "99999999999999999999", "NaN")
        parts = text.split('": ')
        place = rng.randrange(1, len(parts))
        parts[place] = rng.choice(values) + parts[place][len(parts[place].rstrip("}],")) :]
        return reply('": '.join(parts).encode())
    data = bytearray(reply(text.encode()))
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(data))
        if rng.random() < 0.7:
            data[place] ^= 1 << rng.randrange(8)
        elif rng.random() < 0.5:
            data[place:place] = data[place : place + 20]
        else:
            del data[place:]
            data += b" "
    return bytes(data)
