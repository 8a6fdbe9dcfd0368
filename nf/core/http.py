"""JSON over HTTP: bounded in time and size, no redirects, and nothing of a secret in an error."""

import http.client
import json
import time
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
        _ = parts.port  # read only now
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
        timeout: seconds until an answer must have begun, and again until it must be whole.
        most_bytes: an answer's largest size.

    Raises:
        HttpError: nobody answers in time, or with another status than 2xx, or too much.
    """
    headers = {} if body is None else {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, data, headers)
    try:
        with urllib.request.build_opener(_NoRedirect).open(asked, timeout=timeout) as response:
            return _read(response, time.monotonic() + timeout, most_bytes)
    except urllib.error.HTTPError as error:
        with error:
            raise HttpError(f"expected status 2xx, got {error.code}", _said(error)) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise HttpError(f"expected an answer within {timeout:.3g} s, got {reason}") from None
    except http.client.HTTPException:  # quotes what was received
        raise HttpError("expected an answer in HTTP, got another") from None


def _read(response: http.client.HTTPResponse, deadline: float, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > most_bytes:
            raise HttpError(f"expected an answer of at most {most_bytes} bytes, got more")
        if time.monotonic() > deadline:
            raise HttpError("expected the whole answer in time, got a part")
    return b"".join(parts)


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(_CHUNK))["error"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
