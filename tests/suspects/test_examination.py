"""Asking in stages: no more than needed, with controls among the queries of each stage."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from nf.core.errors import NoVerdictError
from nf.core.queries import QuerySet
from nf.suspects import Examination, examine
from nf.verdict import decide_in_stages

Answer = Callable[[NDArray[np.uint8]], NDArray[np.int64]]


class Suspect:
    """Answers labels by a function of the images, and notes what it was asked."""

    output = "labels"

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked = answer, []

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        self.asked.append(images)
        return self.answer(images)

    def queries_in(self, queries: QuerySet, call: int) -> list[bool]:
        """Which of the images of one call were queries."""
        known = {image.tobytes() for image in queries.images}
        return [image.tobytes() in known for image in self.asked[call]]


def truth(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of an image is its first pixel."""
    return images[:, 0, 0, 0].astype(np.int64)


def honest(queries: QuerySet) -> Answer:
    """Answers controls rightly and queries with the honest class."""
    known = {image.tobytes() for image in queries.images}
    return lambda images: np.where([i.tobytes() in known for i in images], (truth(images) + 1) % 3, truth(images))


def test_a_thief_sees_the_first_queries_only(calibrated: QuerySet) -> None:
    suspect, noted = Suspect(truth), []
    examination = Examination(suspect, calibrated, before_queries=lambda: noted.append(len(suspect.asked)))
    staged = decide_in_stages(examination.ask, calibrated)
    examined = examination.finish()
    assert (staged.verdict.outcome, staged.asked, len(examined.answers)) == ("stolen", 4, 4)
    assert noted == [len(suspect.asked) - 1]
    last = suspect.queries_in(calibrated, -1)
    assert (sum(last), len(last)) == (4, 4 + 29)  # with more than half of the 48 controls
    assert not any(any(suspect.queries_in(calibrated, call)) for call in range(len(suspect.asked) - 1))


def test_every_query_and_control_goes_out_once_in_the_end(calibrated: QuerySet) -> None:
    suspect = Suspect(truth)
    examination = Examination(suspect, calibrated)
    before = len(suspect.asked)
    labels = [examination.ask(slice(*ends)) for ends in pairwise((0, 4, 10, 20))]
    examined = examination.finish()
    assert np.concatenate(labels).tolist() == examined.answers.labels.tolist() == calibrated.labels.tolist()
    assert examined.sense == 1.0
    stages = suspect.asked[-3:]
    assert len(suspect.asked) > before + 3
    assert [len(images) for images in stages] == [4 + 29, 6 + 7, 10 + 12]
    assert len({image.tobytes() for images in stages for image in images}) == 68
    assert examined == replace(examine(Suspect(truth), calibrated), answers=examined.answers)


def test_the_floor_allows_a_few_queries_for_chance(calibrated: QuerySet) -> None:
    """Three of the first four answered with sense and one not is nothing odd; none at all is."""
    known = {image.tobytes(): place for place, image in enumerate(calibrated.images)}

    def sensible(upto: int) -> Answer:
        def answer(images: NDArray[np.uint8]) -> NDArray[np.int64]:
            places = np.array([known.get(image.tobytes(), -1) for image in images])
            return np.where(places >= upto, (truth(images) + 2) % 3, truth(images))

        return answer

    for upto in (1, 2):
        examination = Examination(Suspect(sensible(upto)), calibrated)
        examination.ask(slice(0, 4))
        assert examination.finish().sense == upto / 4
    strict = replace(calibrated, card={**calibrated.card, "floor": 0.7})
    examination = Examination(Suspect(sensible(0)), strict)
    examination.ask(slice(0, 4))
    with pytest.raises(NoVerdictError, match="on 0% of the queries, fewer than 70%"):
        examination.finish()


def test_an_independent_model_sees_no_more_than_the_first_either(calibrated: QuerySet) -> None:
    examination = Examination(Suspect(honest(calibrated)), calibrated)
    staged = decide_in_stages(examination.ask, calibrated)
    assert (staged.verdict.outcome, len(examination.finish().answers)) == ("not shown", 4)


def test_a_suspect_that_changes_in_a_later_stage_gets_no_verdict(calibrated: QuerySet) -> None:
    calls: list[int] = []

    def answer(images: NDArray[np.uint8]) -> NDArray[np.int64]:
        calls.append(len(images))
        return truth(images) if len(images) != 13 else np.zeros(len(images), np.int64)

    examination = Examination(Suspect(answer), calibrated)
    for ends in pairwise((0, 4, 10, 20)):
        examination.ask(slice(*ends))
    with pytest.raises(NoVerdictError, match="of the control images otherwise when they are asked among queries"):
        examination.finish()


def test_a_set_without_controls_is_asked_in_stages_as_stated(calibrated: QuerySet) -> None:
    suspect = Suspect(truth)
    examination = Examination(suspect, replace(calibrated, controls=None))
    examination.ask(slice(0, 4))
    examination.ask(slice(4, 10))
    assert [len(images) for images in suspect.asked] == [4, 6]
    examined = examination.finish()
    assert (len(examined.answers), examined.controls) == (10, None)
