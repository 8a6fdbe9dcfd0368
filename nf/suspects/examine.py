"""Asking a suspect with care: control images before the queries and among them, and a floor under what makes sense."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nf.core.answers import Answers
from nf.core.controls import Controls
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.predictor import OutputKind, Predictor
from nf.core.queries import QuerySet
from nf.suspects.answers import look_like_probabilities
from nf.suspects.csv import CsvSuspect
from nf.suspects.interface import Interface, Kind
from nf.suspects.interpret import Raw, interpret
from nf.suspects.probe import MAX_CHANGED, Found, find
from nf.suspects.query import ask
from nf.suspects.readings import MIN_ACCURACY
from nf.suspects.served import ServedSuspect, choose

_MIN_IN_TABLE = 8  # control images in a table of answers, below which they say too little


@runtime_checkable
class Searchable(Protocol):
    """A suspect that can be asked in several ways."""

    @property
    def interface(self) -> Interface:
        """What is stated of how it is asked."""
        ...

    def find(self, controls: Controls, num_classes: int) -> Found:
        """How it wants to be asked, by its answers to ``controls``."""
        ...

    def ask(self, images: NDArray[np.uint8], hows: Sequence[Interface]) -> list[dict[str, Raw]]:
        """Its answers to ``images`` by output, asked in each of the ways ``hows``."""
        ...


@dataclass(frozen=True)
class Examined:
    """What a suspect answered to the queries, and how it was asked.

    Attributes:
        answers: to each query.
        found: how it was asked and what it answered to control images; ``None`` without any.
        stated: what whoever asked said of that.
        sense: share of queries, in [0, 1], answered with the class of thieves or of honest models; ``None`` where the
            scheme does not say what honest models answer.
    """

    answers: Answers
    found: Found | None
    stated: Interface
    sense: float | None

    def to_json(self) -> dict[str, Any]:
        """For the evidence."""
        controls = None
        if self.found is not None:
            controls = {"asked": self.found.controls, "right": self.found.right, "ways_tried": self.found.tried}
        how = self.found.how if self.found is not None else self.stated
        return {
            "interface": how.to_json(),
            "stated": sorted(self.stated.stated()),
            "controls": controls,
            "sense": self.sense,
        }


def examine(
    suspect: Predictor,
    queries: QuerySet,
    stated: Interface | None = None,
    *,
    before_queries: Callable[[], None] = lambda: None,
) -> Examined:
    """Ask ``suspect`` the control images, then these and the queries in one random order.

    Args:
        suspect: one that is ``Searchable`` is asked as its controls show, any other as it wants to be called.
        queries: a set without controls is asked as is stated.
        stated: how the answers are to be read; of a ``Searchable`` one what it says itself.
        before_queries: called when the suspect is about to see the first query.

    Raises:
        NoVerdictError: the answers to controls or queries are not those of a classifier of the owner's classes.
        SuspectError: it does not answer, or in a form that cannot be read.
    """
    searchable = suspect if isinstance(suspect, Searchable) else _Fixed(suspect, stated or Interface())
    controls = _in_table(suspect, queries.controls) if isinstance(suspect, CsvSuspect) else queries.controls
    try:
        return _examine(suspect, searchable, queries, controls, before_queries)
    except NoVerdictError:
        _finish(suspect)
        raise


def _examine(
    suspect: Predictor,
    searchable: Searchable,
    queries: QuerySet,
    controls: Controls | None,
    before_queries: Callable[[], None],
) -> Examined:
    found = None if controls is None else searchable.find(controls, _num_classes(queries, controls))
    before_queries()
    if controls is None or found is None:
        answers = _as_stated(suspect, queries, searchable.interface)
    else:
        answers = _mixed(searchable, queries, controls, found)
    _finish(suspect)
    return Examined(answers, found, searchable.interface, check_sense(answers, queries))


def _finish(suspect: Predictor) -> None:
    """A server's answers are all there or of no use, so that the next run is to ask anew."""
    if isinstance(suspect, ServedSuspect):
        suspect.finish()


def _in_table(table: CsvSuspect, controls: Controls | None) -> Controls | None:
    """Those of ``controls`` that somebody wrote answers down to; ``None`` if they are too few to tell."""
    places = [] if controls is None else table.answered(controls.images)
    if controls is None or len(places) < _MIN_IN_TABLE:
        return None
    return replace(controls, images=controls.images[places], labels=controls.labels[places])


def check_sense(answers: Answers, queries: QuerySet) -> float | None:
    """The share of queries that were answered with the thief's or the honest class; ``None`` where none is known.

    Raises:
        NoVerdictError: it is below the floor in the card of ``queries``.
    """
    if (queries.negative_labels < 0).any():
        return None
    sense, floor = queries.sense(answers), queries.card.get("floor")
    if isinstance(floor, int | float) and sense < floor:
        raise NoVerdictError(
            f"it gives the class of thieves or of honest models on {sense:.0%} of the queries, fewer than {floor:.0%}: "
            "it does not understand them, whatever its origin"
        )
    return sense


def _num_classes(queries: QuerySet, controls: Controls) -> int:
    known = queries.card.get("num_classes")
    return int(known) if known is not None else int(max(queries.labels.max(), controls.labels.max())) + 1


def _mixed(suspect: Searchable, queries: QuerySet, controls: Controls, found: Found) -> Answers:
    """The answers to the queries, asked among the controls so that whoever runs the suspect sees no block of them."""
    images = np.concatenate([controls.images, queries.images])
    order = np.random.default_rng(secrets.randbits(128)).permutation(len(images))
    hows = (found.how, *found.rivals)
    read = []
    for how, raws in zip(hows, suspect.ask(images[order], hows), strict=True):
        mixed = _meaning(raws, how, queries, controls)
        labels = np.empty_like(mixed.labels)
        labels[order] = mixed.labels
        scores = None if mixed.probabilities is None else np.empty_like(mixed.probabilities)
        if scores is not None and mixed.probabilities is not None:
            scores[order] = mixed.probabilities
            scores = scores[len(controls) :]
        read.append((labels[: len(controls)], Answers(labels[len(controls) :], scores)))
    _check_controls(read[0][0], controls, found)
    _check_rivals(hows, [answers for _, answers in read], queries)
    return read[0][1]


def _meaning(raws: dict[str, Raw], how: Interface, queries: QuerySet, controls: Controls) -> Answers:
    raw = next(iter(raws.values()), None) if len(raws) <= 1 else raws.get(str(how.output_name))
    if raw is None:
        got = ", ".join(map(repr, raws)) or "none"
        raise SuspectError(f"expected answers of the output {how.output_name or 0!r}, got {got}")
    _check_form(raw, how, queries)
    return interpret(raw, how, len(controls) + len(queries), _num_classes(queries, controls))


def _check_controls(given: NDArray[np.int64], controls: Controls, found: Found) -> None:
    changed = float((given != np.array(found.labels)).mean())
    right = float((given == controls.labels).mean())
    if changed > MAX_CHANGED or right < MIN_ACCURACY:
        raise NoVerdictError(
            f"it answers {changed:.0%} of the control images otherwise when they are asked among queries, "
            f"{right:.0%} rightly"
        )


def _check_rivals(hows: Sequence[Interface], answers: Sequence[Answers], queries: QuerySet) -> None:
    """Refuse a verdict that hangs on which of several ways of asking is meant, where controls do not tell."""
    threshold = queries.card.get("threshold")
    if not isinstance(threshold, int | float):
        return
    scores = [queries.score(given) for given in answers]
    for how, score in zip(hows[1:], scores[1:], strict=True):
        if (score >= threshold) != (scores[0] >= threshold):
            raise NoVerdictError(
                f"it scores {scores[0]:.3f} asked as {hows[0]} and {score:.3f} asked as {how}, on either side of the "
                f"threshold {threshold:.3f}, and the control images do not tell which is meant: say so with --input"
            )


def _as_stated(suspect: Predictor, queries: QuerySet, stated: Interface) -> Answers:
    """The answers where no control image can show how to ask."""
    known = queries.card.get("num_classes")
    if isinstance(suspect, CsvSuspect):
        raw, how = suspect.answers(queries.images, stated)
    elif isinstance(suspect, ServedSuspect):
        how = suspect.declared(queries.images.shape[1:])
        raw = choose(suspect.ask_once(queries.images, how), how)
    elif stated.offset is None and stated.classes is None and stated.labels is None:
        return ask(suspect, queries)
    else:
        raw, how = cast(NDArray[Any], suspect(queries.images)), stated.over(Interface.of(kind=suspect.output))
    if how.kind is None:
        how = replace(how, kind=_kind_of(raw))
    _check_form(raw, how, queries)
    return interpret(raw, how, len(queries), known)


def _kind_of(raw: Raw) -> Kind:
    """What answers are by their form alone, where nobody says; scores are then logits."""
    if isinstance(raw, np.ndarray):
        return "labels" if raw.ndim == 1 or raw.shape[1:] == (1,) else "logits"
    return "names" if isinstance(raw[0], str | bytes) else "top-k"


def _check_form(raw: Raw, how: Interface, queries: QuerySet) -> None:
    """Refuse probabilities that are said to be logits, of which a verifier would get the softmax."""
    if queries.verifier is None or how.kind not in (None, "logits") or not isinstance(raw, np.ndarray):
        return
    if raw.ndim == 2 and look_like_probabilities(raw):
        raise SuspectError(
            "expected logits, got numbers in [0, 1] that add up to 1 for every image; if these are probabilities, "
            "say so"
        )


class _Fixed:
    """A suspect that is asked in one way, with what its answers mean left to find."""

    def __init__(self, predictor: Predictor, stated: Interface) -> None:
        self._predictor = predictor
        self.interface = stated

    def find(self, controls: Controls, num_classes: int) -> Found:
        output: OutputKind = self._predictor.output
        how = self.interface.over(Interface.of(kind=output))

        def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
            return self.ask(images, [how])[0]

        return find(ask, [how], controls, num_classes, self.interface)

    def ask(self, images: NDArray[np.uint8], hows: Sequence[Interface]) -> list[dict[str, Raw]]:
        return [{"answers": self._predictor(images)} for _ in hows]
