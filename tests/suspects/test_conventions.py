"""The conventions that the search is measured on are what they are called: those that it tries are found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from experiments.callers import Caller, Convention, Inner, conventions
from experiments.conventions import examined, wrongly
from nf.core.answers import Answers
from nf.core.controls import Controls
from nf.core.queries import QuerySet
from nf.suspects import Interface
from tests.suspects.test_forms import plain, queries  # noqa: F401 - fixtures

CONVENTIONS = {
    each.name: each
    for each in conventions(
        (1, 16, 16),
        Controls(np.zeros((1, 1, 16, 16), np.uint8), np.zeros(1, np.int64), mean=(0.31,), std=(0.37,)),
        10,
    )
}


@pytest.fixture(scope="module")
def asked(queries: QuerySet) -> QuerySet:  # noqa: F811
    # So low a threshold that ways of asking agree on what would be claimed: what is found is in question here.
    return replace(queries, card={**queries.card, "scheme": "naturalfinger", "threshold": 0.1})


@pytest.fixture(scope="module")
def inner(plain: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> Inner:  # noqa: F811
    path = Path(tmp_path_factory.mktemp("inner")) / "plain.onnx"
    path.write_bytes(plain.SerializeToString())
    return Inner(path)


@pytest.mark.parametrize("name", [name for name, each in CONVENTIONS.items() if each.kind == "searched"])
def test_what_the_search_tries_is_found(name: str, inner: Inner, asked: QuerySet) -> None:
    told = examined(Caller(inner, CONVENTIONS[name], 0), asked, Answers(asked.labels))
    # Sizes, colours and half precision are not undone to the last bit.
    assert told.equal == 1 if name not in ("twice the size", "colours", "float16") else told.equal >= 0.9
    assert told.queried
    assert told.images > len(asked) + 64


@pytest.mark.parametrize("name", [name for name, each in CONVENTIONS.items() if each.kind == "broken"])
def test_nonsense_gets_no_verdict_and_sees_no_query(name: str, inner: Inner, asked: QuerySet) -> None:
    told = examined(Caller(inner, CONVENTIONS[name], 0), asked, Answers(asked.labels))
    assert (told.outcome, told.queried) == (None, False)


def test_a_convention_that_is_stated_is_not_searched(inner: Inner, asked: QuerySet) -> None:
    stated = Interface(mean=(0.5,), std=(0.25,), range=(0, 1))
    wanted = Answers(asked.labels)
    found, told = (examined(Caller(inner, CONVENTIONS["[-2, 2]"], 0), asked, wanted, how) for how in (None, stated))
    assert told.equal == 1 > found.equal
    assert told.images < found.images


def test_asked_wrongly_it_answers_otherwise(inner: Inner, asked: QuerySet) -> None:
    right, _ = wrongly(Caller(inner, Convention("its own"), 0), asked)
    wrong, _ = wrongly(Caller(inner, CONVENTIONS["inverted"], 0), asked)
    assert wrong < 0.6 < right == 1
