"""JSON over HTTP: bounded in time and size, no redirects, and nothing of a secret in an error."""

import http.client
import json
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from nf.core.errors import ConfigError, NFError

_CHUNK = 1 << 16


class HttpError(NFError):
    """Raised when an address does not answer as it should. The message names neither address nor token.

    Attributes:
        said: what the server itself wrote under ``error``, unchecked; empty if nothing.
    """

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.said = said


def check_address(address: str, where: str) -> SplitResult:
    """``address`` in its parts.

    Raises:
        ConfigError: at ``where`` stands no address of HTTP, or one with user name and password; it is not quoted.
    """
    try:
        parts = urlsplit(address)
        _ = parts.port, (parts.hostname or "").encode("idna")  # read only now
    except ValueError:
        raise ConfigError(f"{where}: expected host and port as in https://host:443/, got others") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{where}: expected an address that begins with http:// or https://, got another")
    if "@" in parts.netloc:
        raise ConfigError(
            f"{where}: expected an address without user name and password, got one with; what the server is to know "
            "callers by is a token"
        )
    _check_characters(address, where)
    return parts


def check_token(token: str | None, where: str) -> str | None:
    """``token`` without what surrounds it in a file, ``None`` if that leaves nothing.

    Raises:
        ConfigError: it cannot be sent; it is not quoted.
    """
    stripped = (token or "").strip()
    _check_characters(stripped, where)
    return stripped or None


def _check_characters(text: str, where: str) -> None:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(
            f"{where}: expected what fits into a request of HTTP, got another character; look for spaces, line breaks "
            "and letters beyond ASCII"
        )


def request(
    address: str,
    body: Mapping[str, Any] | None = None,
    *,
    token: str | None = None,
    timeout: float,
    most_bytes: int = 1 << 20,
) -> bytes:
    """POST ``body`` as JSON, or GET without one, and return what comes back.

    Redirects are not followed: the token is for that address alone.

    Args:
        address: after ``check_address``.
        body: to be sent.
        token: after ``check_token``; sent as bearer token.
        timeout: seconds until the answer must be whole, however slowly it trickles in.
        most_bytes: the largest size of an answer; 0 leaves it unread.

    Raises:
        HttpError: nobody answers in time, or with another status than 2xx, or too much.
    """
    # Sockets' own limits begin anew with every byte. A thread that still listens ends with this process at the latest.
    outcome: queue.SimpleQueue[bytes | HttpError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            outcome.put(_request(address, body, token, timeout, most_bytes))
        except HttpError as error:
            outcome.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answered = outcome.get(timeout=timeout)
    except queue.Empty:
        answered = HttpError(f"expected an answer within {timeout:.3g} s, got timed out")
    if isinstance(answered, HttpError):
        raise answered
    return answered


def _request(address: str, body: Mapping[str, Any] | None, token: str | None, timeout: float, most_bytes: int) -> bytes:
    headers = {} if body is None else {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, data, headers)
    try:
        with urllib.request.build_opener(_NoRedirect).open(asked, timeout=timeout) as response:
            return _read(response, most_bytes)
    except urllib.error.HTTPError as error:
        with error:
            raise HttpError(f"expected status 2xx, got {error.code}", _said(error)) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise HttpError(f"expected an answer within {timeout:.3g} s, got {reason}") from None
    except http.client.HTTPException:  # quotes what was received
        raise HttpError("expected an answer in HTTP, got another") from None
    except ValueError:  # quotes a header; `check_address` and `check_token` leave none to be raised that is known
        raise HttpError("expected an address and a token that HTTP can send, got others") from None


def _read(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    if most_bytes == 0:
        return b""
    answer = response.read(most_bytes + 1)
    if len(answer) > most_bytes:
        raise HttpError(f"expected an answer of at most {most_bytes} bytes, got more")
    return answer


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(_CHUNK))["error"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
