"""The webhook against a real server on loopback."""

import json
import socket
import threading
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
