"""A suspect behind an address, asked one image a request, as by any customer."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.errors import ConfigError, NFError, SuspectError
from nf.core.files import sha256_bytes
from nf.core.http import Reply
from nf.core.interface import NO_CLASS, Interface, Layout, Number
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.core.progress import show_progress
from nf.suspects.answers import Answered, check_answers
from nf.suspects.interpret import Raw, choose, interpret
from nf.suspects.manners import Asked, Caller, UnavailableError
from nf.suspects.probe import Found, all_ways, find
from nf.suspects.scope import Scope

_SHOWN = 100  # characters of an answer
_QUIET_SECONDS = 2.0  # of work before its progress is shown


@dataclass(frozen=True)
class Message:
    """One image on its way to a server.

    Attributes:
        address: address that it goes to.
        content: content of the request.
        headers: headers of the request, without those that the server knows callers by.
    """

    address: str = field(repr=False)
    content: bytes = field(repr=False)
    headers: Mapping[str, str]


class Speech(Protocol):
    """A way in which servers are spoken to."""

    @property
    def name(self) -> str:
        """The address, as it may be shown."""
        ...

    @property
    def advice(self) -> str:
        """What to do where answers are read wrongly, if anything."""
        ...

    @property
    def sends_numbers(self) -> bool:
        """Whether images go out as numbers, of which a scale has to be known."""
        ...

    @property
    def scope(self) -> Scope:
        """What can be stated of how it is asked, as far as that is known."""
        ...

    def declare(self, caller: Caller, shape: tuple[int, int, int]) -> Interface:
        """What the server says of itself to somebody with images of ``shape`` (C, H, W)."""
        ...

    def encode(self, image: NDArray[np.uint8], how: Interface) -> Message:
        """One ``image`` (C, H, W)."""
        ...

    def decode(self, reply: Reply, how: Interface) -> Mapping[str, Any]:
        """Answers by output: an array (1, ...), a name, {class: score} or [(class, score)]."""
        ...


class ServedSuspect:
    """A classifier behind HTTP as a black box; see ``nf.core.predictor.Predictor``.

    Args:
        speech: how it is spoken to.
        caller: who speaks.
        output: what its answers mean.
        how: what is stated of how it is asked.

    Raises:
        ConfigError: it would not heed what is stated.
    """

    def __init__(
        self, speech: Speech, caller: Caller, *, output: OutputKind = "logits", how: Interface | None = None
    ) -> None:
        self._speech = speech
        self._caller = caller
        self._output = output
        self._how = how or Interface()
        refused = speech.scope.refusal(self._how)
        if refused is not None:
            raise ConfigError(refused)
        self._gone: SuspectError | None = None
        self._heard = b""  # the last answer

    @property
    def output(self) -> OutputKind:
        """What an answer means."""
        return self._output

    @property
    def interface(self) -> Interface:
        """What is stated of how it is asked."""
        return self._how

    @property
    def address(self) -> str:
        """Where it is, as it may be shown: without what stands behind ``?``."""
        return self._speech.name

    @property
    def asked(self) -> Asked:
        """What it has been asked so far, and at what cost."""
        return self._caller.asked

    def __call__(self, images: NDArray[np.uint8]) -> Answered:
        """Answer ``images`` (N, C, H, W), N >= 1: (N, classes) float32 scores or (N,) int64 labels.

        Raises:
            SuspectError: nobody answers in time, the model takes other images, or the answers are not of the stated
                form.
        """
        how = self.declared(images.shape[1:])
        raws = self.ask_once(images, how)
        try:
            with _readable():
                answers = self._understood(choose(raws, how), how, len(images))
        except SuspectError as error:
            raise self._unfit(str(error)) from None
        self.finish()
        return answers

    def declared(self, shape: tuple[int, ...]) -> Interface:
        """What is stated, and for the rest what the server says of itself.

        Args:
            shape: (C, H, W) of the images that it will be asked.

        Raises:
            SuspectError: it cannot be asked such images, or not as is stated.
        """
        try:
            declared = self._speech.declare(self._caller, cast(tuple[int, int, int], shape))
        except SuspectError:
            self._caller.close()
            raise
        refused = self._speech.scope.refusal(self._how)
        if refused is not None:
            self._caller.close()
            raise self._unfit(refused)
        return self._how.over(declared)

    def find(self, controls: Controls, num_classes: int) -> Found:
        """How it wants to be asked, by its answers to ``controls``; see ``nf.suspects.probe.find``.

        Raises:
            NoVerdictError: it answers too few of them rightly, however it is asked.
            SuspectError: it does not answer.
        """
        how = self.declared(controls.images.shape[1:])
        ways = all_ways(_forms(how), controls, self._how) if self._speech.sends_numbers else [how]
        try:
            with _readable():
                return find(self.ask_once, ways, controls, num_classes, self._how, advice=self._advice)
        except SuspectError:
            self._caller.close()
            raise
        finally:
            # Or a server that was busy for a while would look like one that wants to be asked in another way.
            if self._gone is not None:
                raise self._gone

    def ask(self, images: NDArray[np.uint8], hows: Sequence[Interface]) -> list[dict[str, Raw]]:
        """Its answers to ``images`` by output, asked in each of the ways ``hows``, but the same only once.

        Raises:
            SuspectError: as ``ask_once``.
        """
        answers: dict[str, dict[str, Raw]] = {}
        contents = [sha256_bytes(b"".join(self._speech.encode(image, how).content for image in images)) for how in hows]
        for content, how in zip(contents, hows, strict=True):
            if content not in answers:
                answers[content] = self.ask_once(images, how)
        return [answers[content] for content in contents]

    def ask_once(self, images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        """Its answers to ``images`` by output, asked as ``how`` says.

        Raises:
            SuspectError: it does not answer one of them; those before stand in the journal.
        """
        if self._gone is not None:
            raise self._gone
        gathered: list[Mapping[str, Any]] = []

        def understand(reply: Reply) -> Mapping[str, Any]:
            self._heard = reply.body
            try:
                with _readable():
                    return self._speech.decode(reply, how)
            except SuspectError as error:
                said = self._caller.without_secrets(str(error))
                raise self._unfit(f"{said}{self._advice(said)}") from None

        with _progress(f"asking {self._speech.name.split('/')[2]}") as report:
            for image in images:
                message = self._speech.encode(image, how)
                try:
                    answer = self._caller.ask(message.address, message.content, message.headers, understand)
                except SuspectError as error:
                    self._caller.close()
                    told = self._cut(error, len(gathered), len(images))
                    self._gone = told if isinstance(error, UnavailableError) else None
                    raise told from None
                gathered.append(answer)
                report(len(gathered), len(images), "images")
        return {name: self._together([answer.get(name) for answer in gathered]) for name in gathered[0]}

    def close(self) -> None:
        """End the connections, which open again with the next question."""
        self._caller.close()

    def finish(self) -> None:
        """To be called when what came of the answers is kept elsewhere: the next run asks anew."""
        self._caller.finish()

    def _together(self, answers: list[Any]) -> Raw:
        """The answers of one output to all images."""
        if not isinstance(answers[0], np.ndarray):
            forms = {isinstance(answer, str) for answer in answers}
            if len(forms) > 1 or any(answer is None or isinstance(answer, np.ndarray) for answer in answers):
                raise self._unfit("expected answers of one form, got several")
            return answers
        shapes = {answer.shape[1:] if isinstance(answer, np.ndarray) else None for answer in answers}
        if len(shapes) > 1:
            raise self._unfit("expected one number of classes, got several")
        return np.concatenate(answers)

    def _understood(self, raw: Raw, how: Interface, count: int) -> Answered:
        kind = how.kind or self._output
        if not isinstance(raw, np.ndarray):
            kind = "names" if isinstance(raw[0], str | int) else "top-k"
        answers = interpret(raw, replace(how, kind=kind), count)
        if self._output == "labels":
            return check_answers(np.maximum(answers.labels, NO_CLASS), "labels", count)
        if kind in ("labels", "names") or answers.probabilities is None:
            raise SuspectError(f"expected {self._output} of every class, got labels; say so")
        if how.classes is None and how.offset is None and isinstance(raw, np.ndarray):
            return check_answers(raw.reshape(count, -1).astype(np.float64), self._output, count)
        return answers.probabilities

    def _cut(self, error: SuspectError, done: int, count: int) -> SuspectError:
        known = "run again to go on" if self._caller.journaled else "its answers are lost, as there is no journal"
        return type(error)(f"{error}; {done} of {count} images asked; {known}" if done else str(error))

    def _beginning(self) -> str:
        said = self._heard.decode(errors="replace")
        with suppress(ValueError, RecursionError):  # without escapes, behind which secrets would not be found
            said = json.dumps(json.loads(said), ensure_ascii=False)
        return printable(self._caller.without_secrets(said))[:_SHOWN]

    def _advice(self, said: str = "") -> str:
        """What to add to ``said`` where answers cannot be read, or are read wrongly."""
        if not self._speech.advice:
            return ""
        begins = self._beginning()
        return f"{'' if begins in said else f'; an answer begins {begins}'}; {self._speech.advice}"

    def _unfit(self, reason: str) -> SuspectError:
        return SuspectError(f"{self._speech.name}: {printable(reason)}")


def _forms(how: Interface) -> list[Interface]:
    """``how``, with what a server that describes nothing may want where nobody says."""
    if how.layout is not None:
        return [how]
    types: tuple[Number, ...] = ("float32", "uint8") if how.dtype is None else (how.dtype,)
    layouts: tuple[Layout, ...] = ("nchw", "nhwc")
    return [replace(how, layout=layout, dtype=dtype) for dtype in types for layout in layouts]


@contextmanager
def _readable() -> Iterator[None]:
    """Whatever an untrusted server's answers lead to is said of them, and ends no run over several suspects.

    Raises:
        SuspectError: they cannot be read.
    """
    try:
        yield
    except NFError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise SuspectError(f"expected answers that can be read, got {type(error).__name__}: {error}") from error


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """As ``show_progress``, of work that turns out to be long."""
    start = time.monotonic()
    with ExitStack() as stack:
        shown: list[Callable[[int, int, str], None]] = []

        def report(done: int, total: int, what: str) -> None:
            if not shown and time.monotonic() - start > _QUIET_SECONDS:
                shown.append(stack.enter_context(show_progress(title)))
            for show in shown:
                show(done, total, what)

        yield report
