"""The webhook against a real server on loopback."""

import json
import socket
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.notify import call_webhook
from nf.core.errors import ConfigError, NFError


@pytest.fixture
def server(monkeypatch):
    """A server that answers with ``server.status`` and remembers what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            running.received.append((self.headers["Authorization"], json.loads(body)))
            self.send_response(running.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the name is the protocol's

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.received, running.status = [], 204
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    monkeypatch.setenv("NF_WEBHOOK_URL", f"http://127.0.0.1:{running.server_port}/hook?key=secret")
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def test_the_message_arrives_with_the_token(server, monkeypatch):
    call_webhook({"suspect": "a"})
    monkeypatch.setenv("NF_WEBHOOK_TOKEN", "word")
    call_webhook({"suspect": "b"})
    assert server.received == [(None, {"suspect": "a"}), ("Bearer word", {"suspect": "b"})]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_status_is_an_error_without_the_secret_and_redirects_are_not_followed(server, status):
    server.status = status
    with pytest.raises(NFError, match=f"webhook at 127.0.0.1: expected status 2xx, got {status}") as caught:
        call_webhook({})
    assert "secret" not in str(caught.value)
    assert len(server.received) == 1


def test_nobody_there(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NF_WEBHOOK_URL", f"http://127.0.0.1:{probe.getsockname()[1]}/")
        with pytest.raises(NFError, match=r"webhook at 127.0.0.1: expected an answer within 10 s, got .*refused"):
            call_webhook({})


def test_a_server_that_never_answers(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("NF_WEBHOOK_URL", f"http://127.0.0.1:{listening.getsockname()[1]}/")
        with pytest.raises(NFError, match=r"expected an answer within 0.2 s, got timed out"):
            call_webhook({}, timeout=0.2)


def test_without_an_address_nothing_is_sent_and_a_file_is_no_address(monkeypatch):
    monkeypatch.delenv("NF_WEBHOOK_URL", raising=False)
    call_webhook({})
    monkeypatch.setenv("NF_WEBHOOK_URL", "file:///etc/passwd")
    with pytest.raises(ConfigError, match="expected an address that begins with http:// or https://"):
        call_webhook({})


def shown(caught):
    """What Prefect would log of it."""
    return "".join(traceback.format_exception(caught.value))


def test_a_secret_from_a_file_with_a_last_line_break_is_sent_without(server, monkeypatch):
    monkeypatch.setenv("NF_WEBHOOK_URL", f" http://127.0.0.1:{server.server_port}/hook\n")
    monkeypatch.setenv("NF_WEBHOOK_TOKEN", "word\n")
    call_webhook({})
    assert server.received == [("Bearer word", {})]
    monkeypatch.setenv("NF_WEBHOOK_TOKEN", " \n")
    call_webhook({})
    assert server.received[1] == (None, {})


@pytest.mark.parametrize("token", ["SECRET\nSECRET", "SECRET\u20ac"])
def test_a_token_that_no_request_may_hold_is_not_shown(server, monkeypatch, token):
    monkeypatch.setenv("NF_WEBHOOK_TOKEN", token)
    with pytest.raises(ConfigError, match="NF_WEBHOOK_TOKEN: expected what fits into a request") as caught:
        call_webhook({})
    assert "SECRET" not in shown(caught)
    assert server.received == []


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://user:SECRET@127.0.0.1/", "expected an address without user name and password"),
        ("https://SECRET@127.0.0.1/", "expected an address without user name and password"),
        ("https://127.0.0.1:SECRET/", "expected host and port as in"),
        ("https://127.0.0.1:99999/SECRET", "expected host and port as in"),
        ("https://[SECRET/", "expected host and port as in"),
        ("https://127.0.0.1/SECRET\u2100@host", "expected what fits into a request"),
        ("https://SECRET\u2100.example/", "expected host and port as in"),
        ("https://127.0.0.1/SEC RET", "expected what fits into a request"),
        ("https://127.0.0.1/SEC\nRET", "expected what fits into a request"),
    ],
)
def test_an_address_that_cannot_be_is_not_shown(monkeypatch, address, message):
    monkeypatch.setenv("NF_WEBHOOK_URL", address)
    with pytest.raises(ConfigError, match=f"NF_WEBHOOK_URL: {message}") as caught:
        call_webhook({})
    assert not {"SECRET", "SEC", "RET"}.intersection(shown(caught).replace("/", " ").replace("@", " ").split())
    assert "SECRET" not in shown(caught)


def test_an_answer_that_is_not_http_is_not_shown(monkeypatch):
    """It may hold what was sent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("NF_WEBHOOK_URL", f"http://127.0.0.1:{listening.getsockname()[1]}/SECRET")

        def echo():
            connection, _ = listening.accept()
            with connection:
                connection.sendall(connection.recv(65536))

        thread = threading.Thread(target=echo)
        thread.start()
        with pytest.raises(NFError, match=r"webhook at 127.0.0.1: expected an answer in HTTP, got another") as caught:
            call_webhook({})
        thread.join()
    assert "SECRET" not in shown(caught)
