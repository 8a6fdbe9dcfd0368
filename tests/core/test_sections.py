import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from nf.core.errors import ConfigError
from nf.core.sections import at_least, below_one, parse_section, positive


@dataclass(frozen=True)
class Inner:
    rate: float


@dataclass(frozen=True)
class Outer:
    count: int
    mode: Literal["fast", "slow"] = "fast"
    inner: Inner = field(default_factory=lambda: Inner(0.5))
    names: tuple[str, ...] = ()
    widths: Mapping[str, float] = field(default_factory=dict)
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count: expected at least 0, got {self.count}")


def test_nested_values_become_dataclasses():
    parsed = parse_section(
        Outer, {"count": 2, "inner": {"rate": 1}, "names": ["a"], "widths": {"x": 1}, "limit": None}, "here"
    )
    assert parsed == Outer(2, "fast", Inner(1.0), ("a",), {"x": 1.0}, None)
    assert isinstance(parsed.inner.rate, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1, "cuont": 2}, "here: unknown key 'cuont', expected some of count, mode"),
        ({}, "here: missing key 'count'"),
        ({"count": "1"}, "here.count: expected int, got '1'"),
        ({"count": True}, "here.count: expected int, got True"),
        ({"count": 1, "mode": "best"}, "here.mode: expected one of 'fast', 'slow', got 'best'"),
        ({"count": 1, "inner": {"rate": "x"}}, "here.inner.rate: expected float, got 'x'"),
        ({"count": 1, "names": "abc"}, "here.names: expected a list, got 'abc'"),
        ({"count": 1, "names": [1]}, r"here.names\[0\]: expected str, got 1"),
        ({"count": 1, "widths": [1]}, r"here.widths: expected a mapping, got \[1\]"),
        ({"count": 1, "limit": "x"}, "here.limit: expected int, got 'x'"),
        ({"count": -1}, "here: count: expected at least 0, got -1"),
        ([1], r"here: expected a mapping, got \[1\]"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_the_place(values, message):
    with pytest.raises(ConfigError, match=message):
        parse_section(Outer, values, "here")


@dataclass(frozen=True)
class Refused(Inner):
    def __post_init__(self) -> None:
        raise ConfigError("rate: expected another")


def test_an_error_of_a_section_of_its_own_gets_its_place_too():
    with pytest.raises(ConfigError, match=r"^there: rate: expected another$"):
        parse_section(Refused, {"rate": 1.0}, "there")


@pytest.mark.parametrize(
    ("check", "fitting", "others", "expected"),
    [
        (lambda section: at_least(section, rate=1), (1, 1.5, None), (0.9, math.nan), "at least 1"),
        (lambda section: positive(section, "rate"), (1e-9, None), (0.0, -1.0, math.nan), "a positive number"),
        (lambda section: below_one(section, "rate"), (0.0, 0.99, None), (-0.1, 1.0, math.nan), "0 or more and less"),
    ],
)
def test_ranges_let_nothing_through_but_what_fits(check, fitting, others, expected):
    for value in fitting:
        check(Inner(value))
    for value in others:
        with pytest.raises(ConfigError, match=f"rate: expected {expected}.*, got {value}"):
            check(Inner(value))
