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

import numpy as np
import pytest

from nf.core.errors import SuspectError
from nf.core.interface import Interface
from nf.suspects import HttpSuspect
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
