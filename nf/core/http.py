"""Requests over HTTP: bounded in time and size, no redirects, and nothing of a secret in an error or a log."""

import base64
import json
import logging
import queue
import ssl
import threading
import time
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult, urlsplit

from nf.core.errors import ConfigError, NFError

if TYPE_CHECKING:
    import httpx

_MOST_SAID = 1 << 16  # bytes of a refusal that are looked at
_LEAST_SECRET = 4  # characters; what is shorter stands in too many words by chance


class HttpError(NFError):
    """Raised when an address does not answer as it should. The message names neither address nor token.

    Attributes:
        said: what the server itself wrote about it, unchecked but without secrets; empty if nothing.
        status: status of the answer; ``None`` if there was none.
        retry_after: seconds after which the server wants to be asked again, if it said so.
        cut: whether the connection ended before the answer did.
        late: whether time ran out.
    """

    def __init__(
        self,
        reason: str,
        said: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
        cut: bool = False,
        late: bool = False,
    ) -> None:
        super().__init__(reason)
        self.said = said
        self.status = status
        self.retry_after = retry_after
        self.cut = cut
        self.late = late


@dataclass(frozen=True)
class Tls:
    """Whom to trust, and who to be.

    Attributes:
        ca: file of certificates in the place of the system's authorities.
        certificate: file with the caller's own certificate, for servers that ask for one.
        key: file with its key, if that is another.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """As ``ssl`` wants it.

        Raises:
            ConfigError: a file is missing or holds something else.
        """
        if self == Tls():
            return _usual_context()
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise ConfigError(f"{self.ca}: expected certificates to trust, as PEM: {_why(error)}") from None
        if self.certificate is not None:
            try:  # a key that wants a passphrase would ask the terminal for it
                context.load_cert_chain(self.certificate, self.key, password="")
            except OSError as error:
                raise ConfigError(
                    f"{self.certificate}: expected a certificate and its key as PEM, not locked: {_why(error)}"
                ) from None
        elif self.key is not None:
            raise ConfigError(f"{self.key}: expected a certificate for this key, got none")
        return context


@cache
def _usual_context() -> ssl.SSLContext:
    """One for the whole process: it holds the authorities of the system, half a megabyte for each suspect otherwise."""
    return ssl.create_default_context()


def _why(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or str(error)


def basic_credentials(user: str, password: str) -> str:
    """The value of the header ``Authorization`` for a user name and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


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


@dataclass(frozen=True)
class Reply:
    """What a server answered.

    Attributes:
        body: unpacked where it was gzip.
        headers: headers of the answer by their names in small letters.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Client:
    """Asks servers, over connections that stay open in between; to be closed, or used with ``with``.

    Redirects are not followed: what a server knows callers by is for that address alone.

    Attributes:
        headers: sent with each request; what they hold is secret.
        tls: whom to trust.
        secrets: what else is not to be repeated from a server's words.
        requests: number of requests that were sent, those included that were not answered.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Tls = Tls()
    secrets: Collection[str] = field(default=(), repr=False)
    requests: int = 0
    _open: "httpx.Client | None" = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def send(
        self,
        address: str,
        content: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float,
        most_bytes: int = 1 << 20,
    ) -> Reply:
        """POST ``content``, or GET without one, and return what comes back.

        Args:
            address: after ``check_address``.
            content: to be sent.
            headers: headers of this request.
            timeout: seconds until the answer must be whole, however slowly it trickles in.
            most_bytes: the largest size of an answer; 0 leaves it unread.

        Raises:
            HttpError: nobody answers in time, or with another status than 2xx, or too much.
            ConfigError: the files of ``tls`` cannot be used.
        """
        import httpx  # takes a fifth of a second, and most suspects are files

        if self._open is None:
            self._open = httpx.Client(verify=self.tls.context(), follow_redirects=False)
        client, sent = self._open, {"Accept-Encoding": "gzip, deflate", **self.headers, **(headers or {})}
        self.requests += 1
        # Sockets' own limits begin anew with every byte. A thread that still listens ends with its connection.
        outcome: queue.SimpleQueue[Reply | HttpError] = queue.SimpleQueue()

        def ask() -> None:
            _quiet.on = True
            try:
                outcome.put(_send(client, address, content, sent, timeout, most_bytes))
            except HttpError as error:
                outcome.put(error)
            except RuntimeError:  # the client was closed meanwhile, and nobody waits any more
                outcome.put(_late(timeout))

        threading.Thread(target=ask, daemon=True).start()
        try:
            answered = outcome.get(timeout=timeout)
        except queue.Empty:
            answered = _late(timeout)
        if isinstance(answered, HttpError):
            if answered.late or answered.cut:
                self.close()
            answered.said = self.without_secrets(answered.said)
            raise answered
        return answered

    def without_secrets(self, said: str) -> str:
        """A server's words, which may repeat what it knows callers by."""
        words = [word for value in self.headers.values() for word in (value, *value.split())]
        for secret in sorted({*words, *self.secrets}, key=len, reverse=True):
            if len(secret) >= _LEAST_SECRET:
                said = said.replace(secret, "***")
        return said


def request(
    address: str,
    body: Mapping[str, Any] | None = None,
    *,
    token: str | None = None,
    timeout: float,
    most_bytes: int = 1 << 20,
) -> bytes:
    """POST ``body`` as JSON, or GET without one, and return what comes back; see ``Client.send``.

    Args:
        address: after ``check_address``.
        body: to be sent.
        token: after ``check_token``; sent as bearer token.
        timeout: seconds until the answer must be whole, however slowly it trickles in.
        most_bytes: the largest size of an answer; 0 leaves it unread.

    Raises:
        HttpError: nobody answers in time, or with another status than 2xx, or too much.
    """
    with Client({} if token is None else {"Authorization": f"Bearer {token}"}) as client:
        content = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        return client.send(address, content, headers=kind, timeout=timeout, most_bytes=most_bytes).body


def _send(
    client: "httpx.Client",
    address: str,
    content: bytes | None,
    headers: Mapping[str, str],
    timeout: float,
    most_bytes: int,
) -> Reply:
    import httpx

    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise _unsendable()
    method = "GET" if content is None else "POST"
    try:
        with client.stream(method, address, content=content, headers=dict(headers), timeout=timeout) as response:
            if response.is_success:
                return Reply(_read(response, most_bytes), dict(response.headers))
            retry_after = _seconds(response.headers.get("Retry-After"))
            raise HttpError(
                f"expected status 2xx, got {response.status_code}",
                _said(response),
                status=response.status_code,
                retry_after=retry_after,
            )
    except httpx.TimeoutException:
        raise _late(timeout) from None
    except (httpx.LocalProtocolError, httpx.InvalidURL, ValueError):  # quotes what it was to send
        raise _unsendable() from None
    except httpx.RemoteProtocolError as error:  # quotes what was received
        if "disconnected" in str(error) or "closed connection" in str(error):
            raise HttpError("expected a whole answer, got a connection that was cut", cut=True) from None
        raise HttpError("expected an answer in HTTP, got another") from None
    except (httpx.TransportError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise HttpError(f"expected an answer within {timeout:.3g} s, got {reason}", cut=True) from None


def _unsendable() -> HttpError:
    return HttpError("expected an address and a token that HTTP can send, got others")


def _late(timeout: float) -> HttpError:
    return HttpError(f"expected an answer within {timeout:.3g} s, got timed out", late=True)


def _read(response: "httpx.Response", most_bytes: int) -> bytes:
    """The body, of at most ``most_bytes``; httpx would unpack a bomb before it says how large it is."""
    if most_bytes == 0:
        return b""
    answer = bytearray()
    for chunk in response.iter_raw():
        answer += chunk
        if len(answer) > most_bytes:
            raise _too_large(most_bytes)
    packed = response.headers.get("Content-Encoding", "identity").lower()
    if packed == "identity":
        return bytes(answer)
    if packed not in ("gzip", "x-gzip", "deflate"):
        raise HttpError("expected an answer as it is or as gzip, got another encoding")
    try:
        unpacked = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS).decompress(bytes(answer), most_bytes + 1)
    except zlib.error:
        raise HttpError("expected an answer as gzip, got another") from None
    if len(unpacked) > most_bytes:
        raise _too_large(most_bytes)
    return unpacked


def _too_large(most_bytes: int) -> HttpError:
    return HttpError(f"expected an answer of at most {most_bytes} bytes, got more")


def _said(response: "httpx.Response") -> str:
    """What a refusal says of itself, in the places where servers do."""
    import httpx

    try:
        told = json.loads(_read(response, _MOST_SAID))
    except (HttpError, httpx.HTTPError, OSError, ValueError, RecursionError):
        return ""
    while isinstance(told, Mapping):
        told = next((told[key] for key in ("error", "message", "detail") if key in told), "")
    return str(told)[:_MOST_SAID] if told is not None else ""


def _seconds(value: str | None) -> float | None:
    """Of the header ``Retry-After``: seconds, or a date."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None


class _Quiet(threading.local):
    """Whether httpx is to keep the addresses to itself that this thread asks: they may hold secrets."""

    on = False


_quiet = _Quiet()
logging.getLogger("httpx").addFilter(lambda _: not _quiet.on)
