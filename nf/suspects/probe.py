"""Finding out how a suspect wants to be asked, by control images, before it sees a query.

What is stated is not searched. Of the rest, the ways of asking that the suspect's declaration leaves open are tried on
a few control images, the best on all; the winner is whatever gets most of them right, and of equals the one whose
answers are surest. A suspect that gets too few right in every way gets no verdict.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.interface import NO_CLASS, Interface
from nf.suspects.forms import SIZES, rare_scales, scales
from nf.suspects.interpret import Raw
from nf.suspects.readings import Reading, UnreadableError, read

MAX_CHANGED = 0.1
"""The share of control images that a suspect may answer otherwise when it is asked again."""

_SCREENED = 16  # control images that every way is tried on
_FINALISTS = 6
_WITHIN = 0.25  # of the screened images that a finalist may be behind the best
_CLOSE = 0.05  # of the control images that a rival may be behind the best
_RIVALS = 3
_GOOD = 0.8  # below, other sizes are tried where a suspect takes any, and rare ways of scaling pixels
_CLEARLY = 0.1  # of the control images that a rare way has to get right beyond the best of the usual ones
_REORDERED = 0.08  # and another order of classes: two of ten in each other's place are a fifth of them

Ask = Callable[[NDArray[np.uint8], Interface], Mapping[str, Raw]]


@dataclass(frozen=True)
class Found:
    """How a suspect is to be asked.

    Attributes:
        how: all that is stated, declared or found.
        right: control images that it answered rightly so.
        controls: number of control images.
        tried: ways of asking that were tried.
        labels: what it answered to the control images.
        rivals: other ways of asking that get nearly as many right, with other answers, and other outputs that do.
    """

    how: Interface
    right: int
    controls: int
    tried: int
    labels: tuple[int, ...]
    rivals: tuple[Interface, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "interface": self.how.to_json(),
            "right": self.right,
            "controls": self.controls,
            "tried": self.tried,
            "labels": list(self.labels),
            "rivals": [rival.to_json() for rival in self.rivals],
        }


def all_ways(forms: list[Interface], controls: Controls, stated: Interface) -> list[Interface]:
    """``forms``, each with the usual ways of scaling pixels where none is ``stated``, the likeliest first."""
    return [way for form in forms for way in scales(form, _shape(controls), controls, stated)]


def _shape(controls: Controls) -> tuple[int, int, int]:
    channels, height, width = controls.images.shape[1:]
    return channels, height, width


def find(
    ask: Ask,
    ways: list[Interface],
    controls: Controls,
    num_classes: int,
    stated: Interface,
    *,
    any_size: bool = False,
    advice: Callable[[], str] = str,
) -> Found:
    """How a suspect wants to be asked, of ``ways``.

    Args:
        ask: puts images to it; raises ``SuspectError`` where it cannot answer.
        ways: ways of asking that its declaration leaves open, the likeliest first, with what is stated; see
            ``all_ways``.
        controls: what to ask.
        num_classes: number of the owner's classes.
        stated: what whoever asks has stated.
        any_size: whether it takes images of any size.
        advice: what to add where its answers cannot be read, or are all the same.

    Raises:
        NoVerdictError: no way of asking gets ``Controls.floor`` of the control images right, or it answers the same
            image differently.
        SuspectError: it answers in no way at all, or in a form that cannot be read.
    """
    search = _Search(ask, controls, num_classes)
    best = search.best(ways)
    if any_size and stated.size is None and (best is None or best.right < _GOOD * len(controls)):
        others = [replace(way, size=(side, side)) for side in SIZES for way in ways]
        best = search.best(others) if best is None else search.clearly_better(best, others)
    if best is not None and best.how.size not in (None, _shape(controls)[1:]) and stated.resize is None:
        best = _better(best, search.best(_resized(best.how, stated), screen=False))
    scales_tried = {(way.range, way.mean, way.std) for way in ways}
    if best is not None and len(scales_tried) > 1 and best.right < max(_GOOD * len(controls), controls.usual or 0):
        best = search.clearly_better(best, rare_scales(best.how, _shape(controls), stated))
    if best is None or best.right < controls.floor * len(controls):
        best = _better(best, search.best(ways, reorder=True))
    else:
        best = search.reordered(best)
    if best is None:
        raise search.unread(advice()) or search.failure or SuspectError("expected an answer, got none")
    again = search.repeated(best)
    if again > MAX_CHANGED:
        raise NoVerdictError(
            f"it answers {again:.0%} of the control images otherwise when asked again, among others, so its answers "
            "say nothing; a network that was exported in training mode does so: export it after `.eval()`"
        )
    if best.right < controls.floor * len(controls):
        raise NoVerdictError(_reason(best, search.tried, controls, advice))
    labels = tuple(best.answers.labels.tolist())
    return Found(best.how, best.right, len(controls), search.tried, labels, search.rivals(best))


def _reason(best: Reading, tried: int, controls: Controls, advice: Callable[[], str]) -> str:
    given = set(best.answers.labels.tolist())
    if len(given) == 1:
        none = ", none of yours" if given == {NO_CLASS} else ""
        return f"it gives every control image the same class{none}, in the best of {tried} ways of asking{advice()}"
    return (
        f"it gets {best.right} of {len(controls)} control images right in the best of {tried} ways of asking, "
        f"fewer than {controls.floor:.0%}: it is for another task, or wants to be asked in another way; say how with "
        "--input, --size and --labels"
    )


def _resized(how: Interface, stated: Interface) -> list[Interface]:
    crops = (1.0, 0.875) if stated.crop is None else (stated.crop,)
    ways = [(resize, crop) for crop in crops for resize in ("bilinear", "bicubic", "nearest", "box")]
    return [Interface.of(resize=resize, crop=crop).over(replace(how, resize=None, crop=None)) for resize, crop in ways]


def _better(one: Reading | None, other: Reading | None) -> Reading | None:
    """The better of two; of equals the first."""
    if one is None or other is None:
        return one or other
    return other if other.rank > one.rank else one


class _Search:
    """Ways of asking that are tried, and how many were."""

    def __init__(self, ask: Ask, controls: Controls, num_classes: int) -> None:
        self._ask = ask
        self._controls = controls
        self._num_classes = num_classes
        self._full: list[Reading] = []
        self._beside: dict[Interface, list[Reading]] = {}  # what other outputs say, asked as the best of them
        self._raws: dict[Interface, Mapping[str, Raw]] = {}  # answers to all control images, by way of asking
        self.tried = 0
        self.failure: SuspectError | None = None
        self._unread: str | None = None

    def best(self, ways: Iterable[Interface], *, reorder: bool = False, screen: bool = True) -> Reading | None:
        """The best way of asking; ``None`` if the suspect answers to none in a form that can be read."""
        ways = list(ways)
        if screen and not reorder and len(ways) > 1:
            few = min(_SCREENED, len(self._controls))
            tried = [(way, self._try(way, few, reorder=False)) for way in ways]
            most = max((reading.right for _, reading in tried if reading), default=0)
            ahead = [(way, one) for way, one in tried if one and one.right >= most - _WITHIN * few]
            ways = [way for way, _ in sorted(ahead, key=lambda pair: pair[1].rank, reverse=True)[:_FINALISTS]]
            self.tried -= len(ways)
        best = None
        for way in ways:
            best = _better(best, self._try(way, len(self._controls), reorder=reorder))
        return best

    def clearly_better(self, best: Reading, ways: list[Interface]) -> Reading:
        """The best of ``ways`` where it is clearly better than ``best``, which else stays and has no rival in them."""
        aside = _Search(self._ask, self._controls, self._num_classes)
        other = aside.best(ways)
        self.tried += aside.tried
        if other is None or other.right < best.right + _CLEARLY * len(self._controls):
            return best
        self._beside |= aside._beside
        self._raws |= aside._raws
        return other

    def reordered(self, best: Reading) -> Reading:
        """The best order of classes that the answers show where it is clearly better than ``best``, which else stays.

        A few classes in each other's place leave enough control images right to hide among a model's mistakes. Nobody
        is asked again: all ways of asking that did well are read anew.
        """
        aside = _Search(self._ask, self._controls, self._num_classes)
        aside._raws = self._raws
        other = aside.best(self._raws, reorder=True)
        if other is None or other.right < best.right + _REORDERED * len(self._controls):
            return best
        self._beside |= aside._beside
        self._full += aside._full
        return other

    def _try(self, way: Interface, count: int, *, reorder: bool) -> Reading | None:
        self.tried += 1
        by_output: dict[str | int | None, Reading | None] = {}
        labels, names = self._controls.labels[:count], self._controls.class_names
        try:
            raws = self._raws.get(way) if count == len(self._controls) else None
            if raws is None:
                raws = self._ask(self._controls.images[:count], way)
            if count == len(self._controls):
                self._raws[way] = raws
            for reading in read(raws, way, labels, self._num_classes, names, reorder=reorder):
                output = reading.how.output_name
                by_output[output] = _better(by_output.get(output), reading)
        except UnreadableError as error:
            self._unread = self._unread or str(error)
            return None
        except SuspectError as error:
            self.failure = self.failure or error
            return None
        ranked = sorted(filter(None, by_output.values()), key=lambda one: one.rank, reverse=True)
        if ranked and count == len(self._controls):
            self._full.append(ranked[0])
            self._beside[ranked[0].how] = ranked[1:]
        return ranked[0] if ranked else None

    def unread(self, advice: str) -> SuspectError | None:
        """What came where nothing could be read; ``None`` if nothing came."""
        if self._unread is None:
            return None
        return SuspectError(
            f"expected scores, labels or names of {self._num_classes} classes, as the source model has, "
            f"got {self._unread}{advice}"
        )

    def rivals(self, best: Reading) -> tuple[Interface, ...]:
        """What all control images were tried on and is close to ``best``: other ways of asking, and other outputs.

        Outputs may agree on control images and still be two models, so these are rivals in any case.
        """
        least = max(best.right - _CLOSE * len(self._controls), self._controls.floor * len(self._controls))
        others = [one for one in self._full if one.how != best.how]
        apart = [one for one in others if (one.answers.labels != best.answers.labels).any()]
        apart.sort(key=lambda one: one.rank, reverse=True)
        close = [[one.how for one in few if one.right >= least] for few in (self._beside.get(best.how, []), apart)]
        return (*close[0][:_RIVALS], *close[1][:_RIVALS])

    def repeated(self, best: Reading) -> float:
        """The share of control images that are answered otherwise among others: every second one, then the rest."""
        changed, backwards = 0, np.arange(len(self._controls))[::-1]
        for part in filter(len, (backwards[::2], backwards[1::2])):
            raws = self._ask(self._controls.images[part], best.how)
            try:
                again = next(read(raws, best.how, self._controls.labels[part], self._num_classes))
            except UnreadableError:
                changed += len(part)
            else:
                changed += int((again.answers.labels != best.answers.labels[part]).sum())
        return changed / len(self._controls)
