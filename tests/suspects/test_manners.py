"""Servers that fail on the way: how often they are asked again, after how long, and what of it is remembered."""

import datetime
import gzip
import ipaddress
import json
import logging
import socket
import ssl
import stat
import struct
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nf.cli.asking import Case, forget
from nf.core.errors import ArtifactError, ConfigError, SuspectError
from nf.core.http import Client, Tls
from nf.core.queries import QuerySet
from nf.suspects import HttpSuspect, examine, open_suspect
from nf.suspects.journal import Journal
from nf.suspects.manners import Caller, Manners

IMAGES = np.random.default_rng(0).integers(0, 256, (100, 1, 2, 2), dtype=np.uint8)
MEANS = IMAGES.reshape(100, -1).astype(np.float32).mean(axis=1)
QUICK = Manners(first_wait=0.01, timeout=5.0)


class Faulty:
    """Answers each image with its mean, unless ``fault`` does something else with the n-th request, from 0 on."""

    def __init__(self, fault):
        self.fault = fault
        self.requests = 0
        self.seen = []
        self.times = []

    def reply(self, handler, body):
        (tensor,) = json.loads(body)["inputs"]
        mean = float(np.mean(tensor["data"]) * 255)
        self.seen.append(tuple(tensor["data"]))
        output = {"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [mean, 0.0]}
        send(handler, 200, json.dumps({"outputs": [output]}).encode())


def send(handler, status, data=b"", **headers):
    handler.send_response(status)
    for name, value in {"Content-Length": len(data), **headers}.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(data)


def cut(handler, after=b""):
    handler.wfile.write(after)
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.wfile = handler.rfile = open("/dev/null", "rb+", buffering=0)  # noqa: PTH123, SIM115 - the handler closes it
    handler.close_connection = True


@contextmanager
def serving(faulty, context=None):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer takes 40 ms

        def do_GET(self):
            send(self, 404)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            number, faulty.requests = faulty.requests, faulty.requests + 1
            faulty.times.append(time.monotonic())
            if not faulty.fault(self, number):
                faulty.reply(self, body)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            """A handshake that fails is the caller's to tell."""

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'' if context is None else 's'}://127.0.0.1:{server.server_port}/v2/models/shop"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def once(number, act):
    return lambda handler, got: got == number and (act(handler), True)[1]


BUSY = {
    "429 that says when": lambda handler: send(handler, 429, Retry_After=0),
    "503 that says a date": lambda handler: send(handler, 503, Retry_After=formatdate(usegmt=True)),
    "502": lambda handler: send(handler, 502),
    "504 with a page": lambda handler: send(handler, 504, b"<html>"),
    "a cut": cut,
    "a cut in the answer": lambda handler: cut(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"),
}


@pytest.mark.parametrize("fault", BUSY)
def test_what_passes_costs_one_request_more(fault):
    faulty = Faulty(once(60, BUSY[fault]))
    with serving(faulty) as address:
        suspect = HttpSuspect(address, manners=QUICK)
        np.testing.assert_allclose(suspect(IMAGES)[:, 0], MEANS, rtol=1e-5)
        assert faulty.requests == 101
        assert suspect.asked.requests == 102  # with that for the description
        assert suspect.asked.images == 100


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500])
def test_what_does_not_pass_is_not_asked_again(status, tmp_path):
    faulty = Faulty(once(60, lambda handler: send(handler, status)))
    with serving(faulty) as address:
        with pytest.raises(SuspectError, match=f"got {status}; 60 of 100 images asked; run again to go on"):
            HttpSuspect(address, manners=QUICK, journal=tmp_path)(IMAGES)
        assert faulty.requests == 61


def test_a_server_that_stays_busy_is_asked_so_often_and_no_more():
    faulty = Faulty(lambda handler, _: (send(handler, 503), True)[1])
    with serving(faulty) as address:
        with pytest.raises(SuspectError, match="expected status 2xx, got 503"):
            HttpSuspect(address, manners=Manners(first_wait=0.01, retries=3))(IMAGES)
        assert faulty.requests == 4


def test_a_server_that_wants_a_long_pause_ends_the_run():
    faulty = Faulty(lambda handler, _: (send(handler, 429, Retry_After=3600), True)[1])
    with serving(faulty) as address:
        with pytest.raises(SuspectError, match="got 429; it wants to be asked again in 3600 s"):
            HttpSuspect(address)(IMAGES)
        assert faulty.requests == 1


def test_pauses_are_as_long_as_the_server_says_or_double():
    waits = []
    headers = iter([{"Retry_After": 7}, {}, {}])
    faulty = Faulty(lambda handler, number: number < 3 and (send(handler, 429, **next(headers)), True)[1])
    with serving(faulty) as address, Client() as client:
        caller = Caller(client, Manners(first_wait=0.5), sleep=waits.append)
        body = json.dumps({"inputs": [{"data": [0.5]}]}).encode()
        caller.ask(f"{address}/infer", body, {"Content-Type": "application/json"}, lambda reply: reply)
    assert waits == [7, 1.0, 2.0]


def test_a_rate_is_kept():
    waits = []
    with serving(Faulty(lambda *_: False)) as address, Client() as client:
        caller = Caller(client, Manners(rate=0.001), sleep=waits.append)
        for _ in range(3):
            body = json.dumps({"inputs": [{"data": [0.5]}]}).encode()
            caller.ask(f"{address}/infer", body, {}, lambda reply: reply)
    assert waits == pytest.approx([1000, 2000], abs=60)


def test_a_run_that_is_cut_goes_on_without_asking_twice(tmp_path):
    faulty = Faulty(lambda handler, number: 60 <= number < 66 and (send(handler, 503), True)[1])
    with serving(faulty) as address:
        with pytest.raises(SuspectError, match="60 of 100 images asked; run again to go on"):
            HttpSuspect(address, manners=QUICK, journal=tmp_path / "journals")(IMAGES)
        (journal,) = (tmp_path / "journals").iterdir()
        assert stat.S_IMODE(journal.stat().st_mode) == 0o600
        assert stat.S_IMODE(journal.parent.stat().st_mode) == 0o700
        with journal.open("ab") as file:  # as a process that is killed leaves it
            file.write(b'{"key": "abc')

        suspect = HttpSuspect(address, manners=Manners(price=0.01), journal=tmp_path / "journals")
        np.testing.assert_allclose(suspect(IMAGES)[:, 0], MEANS, rtol=1e-5)
        assert len(faulty.seen) == len(set(faulty.seen)) == 100
        assert str(suspect.asked) == "41 requests for 100 images, 60 answers from the journal, cost 0.41"

        assert not journal.exists()  # what is complete is asked anew
        HttpSuspect(address, journal=tmp_path / "journals")(IMAGES[:1])
        assert len(faulty.seen) == 101


def test_an_excuse_is_no_answer_and_not_remembered_as_one(tmp_path):
    faulty = Faulty(once(60, lambda handler: send(handler, 200, b'{"error": "overloaded"}')))
    with serving(faulty) as address:
        with pytest.raises(SuspectError, match="expected one output or more; 60 of 100 images asked; run again to go"):
            HttpSuspect(address, manners=QUICK, journal=tmp_path)(IMAGES)
        again = HttpSuspect(address, manners=QUICK, journal=tmp_path)
        np.testing.assert_allclose(again(IMAGES)[:, 0], MEANS, rtol=1e-5)
        assert again.asked.remembered == 60


def test_answers_that_are_read_otherwise_than_before_are_asked_anew(tmp_path):
    journal = Journal(tmp_path, "shop")
    with serving(Faulty(lambda *_: False)) as address, Client() as client:
        caller = Caller(client, QUICK, journal)
        body = json.dumps({"inputs": [{"data": [0.5]}]}).encode()
        assert caller.ask(f"{address}/infer", body, {}, lambda reply: len(reply.body)) > 0

        def stricter(reply):
            if client.requests == 1:
                raise SuspectError("another form")
            return "read"

        again = Caller(client, QUICK, Journal(tmp_path, "shop"))
        assert again.ask(f"{address}/infer", body, {}, stricter) == "read"
        assert (again.asked.remembered, client.requests) == (0, 2)


def test_answers_are_kept_until_what_came_of_them_is_kept_elsewhere(tmp_path):
    """A run that is killed between the last answer and the report has paid for nothing otherwise."""
    queries = QuerySet(IMAGES, np.zeros(100, np.int64), np.full(100, -1), {"scheme": "random", "threshold": 0.5})
    with serving(Faulty(lambda *_: False)) as address:
        suspect = HttpSuspect(address, manners=QUICK, journal=tmp_path)
        examined = examine(suspect, queries)
        (journal,) = tmp_path.iterdir()
        assert len(journal.read_bytes().splitlines()) == 100
        failed = Case(address, error=SuspectError("cut"))
        forget({address: suspect}, [failed])
        assert journal.exists()  # to go on with
        forget({address: suspect}, [Case(address, examined=examined)])
        assert not journal.exists()


def test_the_same_question_twice_has_two_answers_in_a_journal(tmp_path):
    journal = Journal(tmp_path, "suspect")
    keys = [journal.key(b"question"), journal.key(b"question")]
    assert len(set(keys)) == 2
    again = Journal(tmp_path, "suspect")
    assert [again.key(b"question"), again.key(b"question")] == keys
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="expected a journal of answers, cannot use it"):
        Journal(tmp_path / "file", "suspect")


def bomb(handler):
    send(handler, 200, gzip.compress(b" " * (1 << 26)), Content_Encoding="gzip")


HOSTILE = {
    "too large": (lambda h: send(h, 200, b" " * (1 << 21)), "expected an answer of at most 1048576 bytes, got more"),
    "a bomb": (bomb, "expected an answer of at most 1048576 bytes, got more"),
    "no gzip": (lambda h: send(h, 200, b"{}", Content_Encoding="gzip"), "expected an answer as gzip, got another"),
    "an unknown packing": (lambda h: send(h, 200, b"{}", Content_Encoding="br"), "got another encoding"),
    "deep": (lambda h: send(h, 200, b"[" * 100_000), "expected JSON, got 100000 other bytes"),
    "no text": (lambda h: send(h, 200, b"\xff\xfe\xfd"), "expected JSON, got 3 other bytes"),
    "a redirect": (lambda h: send(h, 302, Location="http://127.0.0.1:9/"), "expected status 2xx, got 302"),
    "no HTTP": (lambda h: h.wfile.write(b"220 ftp\r\n\r\n"), "expected an answer in HTTP, got another"),
    "a long header": (
        lambda h: send(h, 200, b"{}", X_Long="x" * (1 << 20)),
        "expected an answer in HTTP, got another",
    ),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_hostile_answers_are_told_in_a_line_and_asked_once(fault, tmp_path):
    act, message = HOSTILE[fault]
    faulty = Faulty(once(60, lambda handler: (act(handler), setattr(handler, "close_connection", True))))
    with serving(faulty) as address:
        with pytest.raises(SuspectError, match=message) as caught:
            HttpSuspect(address, manners=QUICK, journal=tmp_path)(IMAGES)
        assert "\n" not in str(caught.value)
        assert faulty.requests == 61


def test_gzip_is_read():
    output = {"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]}
    packed = gzip.compress(json.dumps({"outputs": [output]}).encode())
    faulty = Faulty(once(0, lambda handler: send(handler, 200, packed, Content_Encoding="gzip")))
    with serving(faulty) as address:
        assert HttpSuspect(address)(IMAGES[:1]).tolist() == [[1.0, 2.0]]


def test_a_secret_is_in_no_message_and_no_log(caplog):
    def refuse(handler, _):
        send(handler, 401, json.dumps({"error": {"message": f"no: {handler.headers['Authorization']}"}}).encode())
        return True

    caplog.set_level(logging.DEBUG)
    with serving(Faulty(refuse)) as address:
        suspect = HttpSuspect(address, token="hush-hush-token")
        with pytest.raises(SuspectError, match=r"expected status 2xx, got 401: no: \*\*\*") as caught:
            suspect(IMAGES)
        assert "hush" not in str(caught.value) + repr(suspect.__dict__) + caplog.text
        assert "v2/models" not in caplog.text


@pytest.mark.parametrize("field", ["ca", "certificate"])
def test_files_of_certificates_that_are_none(field, tmp_path):
    for path in (tmp_path / "nowhere.pem", tmp_path / "junk.pem"):
        if path.name == "junk.pem":
            path.write_text("junk")
        with pytest.raises(ConfigError, match=rf"{path.name}: expected (certificates to trust|a certificate and its)"):
            Tls(**{field: path}).context()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A private authority, a server's certificate and a client's, as PEM."""
    folder = tmp_path_factory.mktemp("certificates")
    now = datetime.datetime.now(datetime.UTC)

    def certify(name, issuer=None, signer=None):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder(issuer or subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        )
        signed = builder.sign(signer or key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        private = serialization.PrivateFormat.PKCS8
        for suffix, lock in (
            ("key", serialization.NoEncryption()),
            ("locked", serialization.BestAvailableEncryption(b"passphrase")),
        ):
            path = folder / f"{name}.{suffix}"
            path.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, lock))
        return subject, key

    authority, key = certify("ca")
    for name in ("server", "client"):
        certify(name, authority, key)
    return folder


@pytest.fixture
def secured(certificates):
    """The address of a server that asks callers for a certificate of the same private authority."""
    faulty = Faulty(lambda *_: False)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(faulty, context) as address:
        yield address


def test_a_private_authority_and_a_certificate_of_ones_own(secured, certificates, tmp_path):
    described = {"address": secured, "preset": "v2", "ca": str(certificates / "ca.pem")}
    own = {"certificate": str(certificates / "client.pem"), "key": str(certificates / "client.key")}

    def ask(**more):
        path = tmp_path / "shop.yaml"
        path.write_text(json.dumps({**described, **more}))
        return open_suspect(str(path))(IMAGES[:3])

    np.testing.assert_allclose(ask(**own)[:, 0], MEANS[:3], rtol=1e-5)
    with pytest.raises(SuspectError, match=r"expected an answer within 60 s, got|got a connection that was cut"):
        ask()
    with pytest.raises(SuspectError, match="certificate verify failed"):
        ask(**own, ca=None)
    with pytest.raises(ConfigError, match=r"client\.pem: expected a certificate and its key as PEM, not locked"):
        ask(**own | {"key": str(certificates / "client.locked")})
    with pytest.raises(ConfigError, match=r"client\.key: expected a certificate for this key, got none"):
        ask(key=own["key"])
