"""How a server is asked politely: not too fast, again only where that helps, and never more often than agreed."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from nf.core.errors import SuspectError
from nf.core.http import Client, HttpError, Reply
from nf.core.printing import printable
from nf.core.sections import at_least, positive
from nf.suspects.journal import Journal

_TRANSIENT = (429, 502, 503, 504)
_NOT_THE_IMAGES = (401, 402, 403, 404, 405, 407, 410, *_TRANSIENT)
_SHOWN = 200  # characters of a server's own words
_MOST_BYTES = 1 << 20

Answer = TypeVar("Answer")


class UnavailableError(SuspectError):
    """Raised when a server does not answer anybody, or not this caller, however it is asked."""


@dataclass(frozen=True)
class Manners:
    """Limits of one run.

    Attributes:
        timeout: seconds that the answer to one image may take.
        rate: images a second at most.
        retries: how often one image may be asked again, where the server is busy or the connection was cut.
        first_wait: seconds before it is asked again, where the server does not say; doubled each time.
        longest_wait: seconds that are waited at most; a server that wants more ends the run.
        price: price of one request, in whatever currency.
    """

    timeout: float = 60.0
    rate: float | None = None
    retries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 120.0
    price: float | None = None

    def __post_init__(self) -> None:
        positive(self, "timeout", "rate", "first_wait", "longest_wait")
        at_least(self, retries=0, price=0)


@dataclass(frozen=True)
class Asked:
    """What a run has cost so far.

    Attributes:
        images: number of images that were answered.
        requests: number of requests that were sent, those included that were not answered.
        remembered: images whose answer stood in the journal already.
        cost: cost of the requests, where a price was stated.
    """

    images: int
    requests: int
    remembered: int
    cost: float | None

    def __str__(self) -> str:
        known = f", {self.remembered} answers from the journal" if self.remembered else ""
        cost = f", cost {self.cost:.2f}" if self.cost is not None else ""
        return f"{self.requests} requests for {self.images} images{known}{cost}"


class Caller:
    """Puts questions to a server, one after the other.

    Args:
        client: client that sends them.
        manners: limits.
        journal: journal of answers, if a run that is cut is to go on.
        sleep: for tests.
    """

    def __init__(
        self,
        client: Client,
        manners: Manners,
        journal: Journal | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._manners = manners
        self._journal = journal
        self._sleep = sleep
        self._next = 0.0
        self._answered = self._remembered = 0

    @property
    def asked(self) -> Asked:
        """So far."""
        price = self._manners.price
        cost = None if price is None else price * self._client.requests
        return Asked(self._answered, self._client.requests, self._remembered, cost)

    @property
    def journaled(self) -> bool:
        """Whether a run that is cut can go on."""
        return self._journal is not None

    def describe(self, address: str) -> Reply | None:
        """What a server says at ``address`` to a GET, ``None`` where it has nothing there.

        Raises:
            SuspectError: as ``ask``.
        """
        try:
            return self._send(address, None, {})
        except HttpError as error:
            if error.status in (400, 404, 405, 501):
                return None
            raise _failure(address, error) from None

    def ask(
        self, address: str, content: bytes, headers: Mapping[str, str], understand: Callable[[Reply], Answer]
    ) -> Answer:
        """What ``understand`` makes of the answer to one image, from the journal or the server.

        The journal keeps what was understood: a server's words of excuse are no answer, also to the next run.

        Raises:
            UnavailableError: it does not answer, or too slowly, or is still busy after the last retry.
            SuspectError: it refuses this image, or ``understand`` does not understand it.
        """
        key = self._journal.key(b"\n".join([address.encode(), content])) if self._journal else ""
        known = self._journal.find(key) if self._journal else None
        if known is not None:
            with suppress(SuspectError):  # answers may be read otherwise than in the run that wrote them down
                answer = understand(known)
                self._remembered += 1
                self._answered += 1
                return answer
        try:
            reply = self._send(address, content, headers)
        except HttpError as error:
            raise _failure(address, error) from None
        answer = understand(reply)
        if self._journal:
            self._journal.write(key, reply)
        self._answered += 1
        return answer

    def without_secrets(self, said: str) -> str:
        """A server's words, which may repeat what it knows callers by."""
        return self._client.without_secrets(said)

    def close(self) -> None:
        """End the connections; they open again with the next question."""
        self._client.close()

    def finish(self) -> None:
        """The run is complete: another one asks everything anew."""
        if self._journal:
            self._journal.close()
        self.close()

    def _send(self, address: str, content: bytes | None, headers: Mapping[str, str]) -> Reply:
        wait = self._manners.first_wait
        for left in reversed(range(self._manners.retries + 1)):
            self._hold_back()
            try:
                return self._client.send(
                    address, content, headers=headers, timeout=self._manners.timeout, most_bytes=_MOST_BYTES
                )
            except HttpError as error:
                pause = wait if error.retry_after is None else error.retry_after
                if not left or not self._is_passing(error) or pause > self._manners.longest_wait:
                    raise
                self._sleep(pause)
                wait = min(2 * wait, self._manners.longest_wait)
        raise AssertionError("the last try returns or raises")

    def _is_passing(self, error: HttpError) -> bool:
        """Whether it may be otherwise a moment later; where nobody ever answered, the address is wrong instead."""
        return error.status in _TRANSIENT or (error.cut and self._answered > 0)

    def _hold_back(self) -> None:
        if self._manners.rate is None:
            return
        now = time.monotonic()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + 1 / self._manners.rate


def _failure(address: str, error: HttpError) -> SuspectError:
    words = f": {printable(error.said[:_SHOWN])}" if error.said else ""
    wants = f"; it wants to be asked again in {error.retry_after:.0f} s" if error.retry_after else ""
    gone = error.cut or error.late or error.status in _NOT_THE_IMAGES
    kind = UnavailableError if gone else SuspectError
    return kind(f"{address.partition('?')[0]}: {error}{words}{wants}")
