"""Asking a suspect with care: control images before the queries and among them, and a floor under what makes sense."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nf.core.answers import Answers
from nf.core.controls import Controls
from nf.core.errors import NoVerdictError
from nf.core.interface import Interface, Kind
from nf.core.predictor import OutputKind, Predictor
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.suspects.csv import CsvSuspect
from nf.suspects.interpret import Raw, choose, interpret
from nf.suspects.probe import MAX_CHANGED, Found, find
from nf.suspects.query import ask, check_logits
from nf.suspects.served import ServedSuspect

Claim = Callable[[Answers], str]
"""Function from a suspect's answers to the queries that were asked to what would be claimed of it."""

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
        answers: to each query that was asked, from the first on.
        found: how it was asked and what it answered to control images; ``None`` without any.
        stated: what whoever asked said of that.
        sense: share of queries, in [0, 1], answered with the class of thieves or of honest models; ``None`` where the
            scheme does not say what honest models answer.
        controls: control images that it was asked before the queries; ``None`` without any.
    """

    answers: Answers
    found: Found | None
    stated: Interface
    sense: float | None
    controls: Controls | None = None

    @property
    def doubt(self) -> str | None:
        """Why it may have been asked in another way than it wants to be, if so."""
        known = None if self.controls is None else self.controls.usual
        if known is None or self.found is None or self.found.controls != len(self.controls or ()):
            return None
        if self.found.right >= known:
            return None
        return (
            f"it gets {self.found.right} control images right where 9 in 10 calibration models get {known} or more: "
            "maybe it sees other pixels than it wants; if you know its scale, state it with --input"
        )

    @property
    def caution(self) -> str | None:
        """Why the levels may not hold for it, if so."""
        return None if self.controls is None else self.controls.weakness

    def to_json(self) -> dict[str, Any]:
        """For the evidence."""
        controls: dict[str, Any] | None = None
        if self.found is not None:
            controls = {"asked": self.found.controls, "right": self.found.right, "ways_tried": self.found.tried}
            said = {"doubt": self.doubt, "caution": self.caution}
            controls |= {name: text for name, text in said.items() if text is not None}
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
    before_queries: Callable[[], object] = lambda: None,
    claim: Claim | None = None,
) -> Examined:
    """Ask ``suspect`` the control images, then these and the queries in one random order.

    Args:
        suspect: one that is ``Searchable`` is asked as its controls show, any other as it wants to be called.
        queries: a set without controls is asked as is stated.
        stated: how the answers are to be read; of a ``Searchable`` one what it says itself.
        before_queries: called when the suspect is about to see the first query.
        claim: function from the answers to all queries to what would be claimed; see ``Examination``.

    Raises:
        NoVerdictError: the answers to controls or queries are not those of a classifier of the owner's classes.
        SuspectError: it does not answer, or in a form that cannot be read.
    """
    examination = Examination(suspect, queries, stated, before_queries=before_queries, claim=claim)
    examination.ask(slice(0, len(queries)))
    return examination.finish()


class Examination:
    """Asking a suspect some of the queries, then more, and to stop when that is enough; ``examine`` asks all at once.

    The control images that go out among the queries are dealt out, half of them with the first queries.

    Args:
        suspect: one that is ``Searchable`` is asked as its controls show, any other as it wants to be called.
        queries: a set without controls is asked as is stated.
        stated: how the answers are to be read; of a ``Searchable`` one what it says itself.
        before_queries: called when the suspect is about to see the first query.
        claim: function from the answers to the queries that were asked to what would be claimed of the suspect, on
            which ways of asking that controls do not tell apart have to agree; without it, they have to agree on the
            side of the threshold.
    """

    def __init__(
        self,
        suspect: Predictor,
        queries: QuerySet,
        stated: Interface | None = None,
        *,
        before_queries: Callable[[], object] = lambda: None,
        claim: Claim | None = None,
    ) -> None:
        self._claim = claim
        self._suspect = suspect
        self._queries = queries
        self._searchable = suspect if isinstance(suspect, Searchable) else _Fixed(suspect, stated or Interface())
        self._controls = _in_table(suspect, queries.controls) if isinstance(suspect, CsvSuspect) else queries.controls
        self._before_queries = before_queries
        self._found: Found | None = None
        self._asked = 0
        self._mixed_in = 0  # control images that went out among the queries
        self._given: list[list[Answers]] = []  # of each part, by each way of asking
        self._repeated: list[NDArray[np.int64]] = []  # labels of the control images among the queries

    def ask(self, part: slice) -> NDArray[np.int64]:
        """Ask the queries of ``part``, which begins where the last one ended: (n,) int64 labels.

        Raises:
            NoVerdictError: the answers to controls are not those of a classifier of the owner's classes.
            SuspectError: it does not answer, or in a form that cannot be read.
        """
        try:
            if self._asked == 0:
                if self._controls is not None:
                    self._found = self._searchable.find(self._controls, _num_classes(self._queries, self._controls))
                    _check_comparable(self._found, self._controls)
                self._before_queries()
            answers = self._ask(_part(self._queries, part))
        except NoVerdictError:
            _hang_up(self._suspect)
            raise
        self._asked = part.stop
        return answers.labels

    def _ask(self, part: QuerySet) -> Answers:
        if self._controls is None or self._found is None:
            self._given.append([_as_stated(self._suspect, part, self._searchable.interface)])
            return self._given[-1][0]
        due = round(len(self._controls) * (1 + (self._asked + len(part)) / len(self._queries)) / 2)
        among = self._controls.images[self._mixed_in : due]
        classes = _num_classes(self._queries, self._controls)
        repeated, given = _mixed(self._searchable, part, among, self._found, classes)
        self._mixed_in = due
        self._repeated.append(repeated)
        self._given.append(given)
        return given[0]

    def finish(self) -> Examined:
        """What came of it; the suspect is asked no more.

        Raises:
            NoVerdictError: the answers to controls or queries are not those of a classifier of the owner's classes.
        """
        _hang_up(self._suspect)
        by_way = [_joined(parts) for parts in zip(*self._given, strict=True)]
        asked, whole = _part(self._queries, slice(0, self._asked)), self._asked == len(self._queries)
        if self._controls is not None and self._found is not None:
            _check_controls(np.concatenate(self._repeated), self._controls, self._found)
            claim = self._claim or partial(_side, queries=asked)
            _check_rivals((self._found.how, *self._found.rivals), by_way, asked, claim)
        sense = check_sense(by_way[0], asked, whole=whole)
        return Examined(by_way[0], self._found, self._searchable.interface, sense, self._controls)


def _part(queries: QuerySet, part: slice) -> QuerySet:
    """Some of the queries as a set, or the set itself where these are all."""
    if part.indices(len(queries)) == (0, len(queries), 1):
        return queries
    return replace(
        queries,
        images=queries.images[part],
        labels=queries.labels[part],
        negative_labels=queries.negative_labels[part],
        verifier=None,
        calibration=None,
    )


def _joined(parts: Sequence[Answers]) -> Answers:
    scores = [part.probabilities for part in parts if part.probabilities is not None]
    labels = np.concatenate([part.labels for part in parts])
    return Answers(labels, np.concatenate(scores) if len(scores) == len(parts) else None)


def _hang_up(suspect: Predictor) -> None:
    """A server is asked no more, but its answers stay in the journal until what came of them is kept."""
    if isinstance(suspect, ServedSuspect):
        suspect.close()


def _in_table(table: CsvSuspect, controls: Controls | None) -> Controls | None:
    """Those of ``controls`` that somebody wrote answers down to; ``None`` if they are too few to tell."""
    places = [] if controls is None else table.answered(controls.images)
    if controls is None or len(places) < _MIN_IN_TABLE:
        return None
    return controls.some(places)


def check_sense(answers: Answers, queries: QuerySet, *, whole: bool = True) -> float | None:
    """The share of queries that were answered with the thief's or the honest class; ``None`` where none is known.

    Args:
        answers: answers to ``queries``.
        queries: those that were asked.
        whole: whether these are a whole set; of a part, chance may take the share below the floor.

    Raises:
        NoVerdictError: it is below the floor in the card of ``queries``.
    """
    if (queries.negative_labels < 0).any():
        return None
    sense, floor = queries.sense(answers), queries.card.get("floor")
    likely = sense if whole else Proportion(round(sense * len(queries)), len(queries)).interval()[1]
    if isinstance(floor, int | float) and likely < floor:
        raise NoVerdictError(
            f"it gives the class of thieves or of honest models on {sense:.0%} of the queries, fewer than {floor:.0%}: "
            "it does not understand them, whatever its origin"
        )
    return sense


def _num_classes(queries: QuerySet, controls: Controls) -> int:
    known = queries.card.get("num_classes")
    return int(known) if known is not None else int(max(queries.labels.max(), controls.labels.max())) + 1


def _mixed(
    suspect: Searchable, queries: QuerySet, controls: NDArray[np.uint8], found: Found, num_classes: int
) -> tuple[NDArray[np.int64], list[Answers]]:
    """Labels of the control images, and answers to the queries in each way of asking.

    They are asked among each other, so that whoever runs the suspect sees no block of queries.
    """
    images = np.concatenate([controls, queries.images])
    order = np.random.default_rng(secrets.randbits(128)).permutation(len(images))
    hows = (found.how, *found.rivals)
    read = []
    for how, raws in zip(hows, suspect.ask(images[order], hows), strict=True):
        raw = next(iter(raws.values())) if len(raws) == 1 else choose(raws, how)
        mixed = interpret(raw, how, len(images), num_classes)
        check_logits(raw, how.kind, queries)
        labels = np.empty_like(mixed.labels)
        labels[order] = mixed.labels
        scores = None if mixed.probabilities is None else np.empty_like(mixed.probabilities)
        if scores is not None and mixed.probabilities is not None:
            scores[order] = mixed.probabilities
            scores = scores[len(controls) :]
        read.append((labels[: len(controls)], Answers(labels[len(controls) :], scores)))
    return read[0][0], [answers for _, answers in read]


def _check_comparable(found: Found, controls: Controls) -> None:
    """Refuse a verdict on a suspect that is better than the honest models that its error rate would rest on.

    Where these are wrong, a better honest model is right, and so is the owner's: it would answer like a thief.
    """
    if controls.too_good(found.right, found.controls):
        raise NoVerdictError(
            f"it gets {found.right} of {found.controls} control images right, where one in ten of the honest "
            f"calibration models gets {controls.best} of {len(controls)}: no error rate is known for honest models as "
            "good as this; train better ones, as `nf init` plans them"
        )


def _check_controls(given: NDArray[np.int64], controls: Controls, found: Found) -> None:
    changed = float((given != np.array(found.labels)[: len(given)]).mean())
    right = float((given == controls.labels[: len(given)]).mean())
    if changed > MAX_CHANGED or right < controls.floor:
        raise NoVerdictError(
            f"it answers {changed:.0%} of the control images otherwise when they are asked among queries, "
            f"{right:.0%} rightly"
        )


def _check_rivals(hows: Sequence[Interface], answers: Sequence[Answers], queries: QuerySet, claim: Claim) -> None:
    """Refuse a verdict that hangs on which of several ways of asking is meant, where controls do not tell."""
    first, *others = zip(hows, answers, map(claim, answers), strict=True)
    for how, given, claimed in others:
        if claimed != first[2]:
            raise NoVerdictError(
                f"it scores {queries.score(first[1]):.3f} asked as {first[0]} and {queries.score(given):.3f} asked as "
                f"{how}, which is {first[2]} and {claimed}, and the control images do not tell which is meant: say so "
                f"with {'--input' if how.output_name == first[0].output_name else 'output_name in --interface'}"
            )


def _side(answers: Answers, queries: QuerySet) -> str:
    """The side of the threshold on which ``answers`` lie."""
    threshold = queries.card.get("threshold")
    if not isinstance(threshold, int | float):
        return "without a threshold"
    return f"{'above' if queries.score(answers) >= threshold else 'below'} the threshold {threshold:.3f}"


def _as_stated(suspect: Predictor, queries: QuerySet, stated: Interface) -> Answers:
    """The answers where no control image can show how to ask."""
    known = queries.card.get("num_classes")
    if isinstance(suspect, CsvSuspect):
        names = () if queries.controls is None else queries.controls.class_names
        raw, how = suspect.answers(queries.images, stated, names)
    elif isinstance(suspect, ServedSuspect):
        how = suspect.declared(queries.images.shape[1:])
        raw = choose(suspect.ask_once(queries.images, how), how)
    elif stated.kind != "distances" and stated.offset is None and stated.classes is None and stated.labels is None:
        return ask(suspect, queries)
    else:
        raw, how = cast(NDArray[Any], suspect(queries.images)), stated.over(Interface.of(kind=suspect.output))
    if how.kind is None:
        how = replace(how, kind=_kind_of(raw))
    answers = interpret(raw, how, len(queries), known)
    check_logits(raw, how.kind, queries)
    return answers


def _kind_of(raw: Raw) -> Kind:
    """What answers are by their form alone, where nobody says; scores are then logits."""
    if isinstance(raw, np.ndarray):
        return "labels" if raw.ndim == 1 or raw.shape[1:] == (1,) else "logits"
    return "names" if isinstance(raw[0], str | bytes) else "top-k"


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
