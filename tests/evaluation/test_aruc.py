import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nf.core.errors import ConfigError
from nf.evaluation.aruc import aruc, curves, robustness, uniqueness

RATES = st.lists(st.integers(0, 100).map(lambda hits: hits / 100), min_size=1, max_size=20)
SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def on_a_grid(pos, neg, cells=1_000):
    """The integral by the midpoint rule, from the definitions and one threshold at a time."""
    middles = (np.arange(cells) + 0.5) / cells
    robust = sum((middles <= score).astype(float) for score in pos) / len(pos)
    unique = sum((middles > score).astype(float) for score in neg) / len(neg)
    return np.minimum(robust, unique).mean()


def test_curves_step_at_the_scores_and_count_ties_as_defined():
    assert robustness([0.2, 0.5, 0.5, 1.0], [0.0, 0.2, 0.5, 0.6, 1.0]).tolist() == [1.0, 1.0, 0.75, 0.25, 0.25]
    assert uniqueness([0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.6, 1.0]).tolist() == [0.0, 0.25, 0.75, 0.75]
    steps = curves([0.75], [0.25])
    assert steps.thresholds.tolist() == [0.0, 0.25, 0.75, 1.0]
    assert steps.robustness.tolist() == [1.0, 1.0, 1.0, 0.0]
    assert steps.uniqueness.tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("pos", "neg", "area"),
    [
        ([1.0, 1.0], [0.0, 0.0], 1.0),
        ([0.0], [1.0], 0.0),
        ([0.5], [0.5], 0.0),
        ([0.75], [0.25], 0.5),
        # min(R, U) is 1/2 on (0.2, 0.4], 1 on (0.4, 0.7] and 1/2 on (0.7, 0.9].
        ([0.9, 0.7], [0.4, 0.2], 0.1 + 0.3 + 0.1),
        # Both positives lie between the negatives: R is 1 up to 0.5, U is 1/2 from 0.1.
        ([0.5, 0.5], [0.1, 0.8], 0.5 * 0.4),
    ],
)
def test_aruc_of_cases_worked_by_hand(pos, neg, area):
    assert isinstance(aruc(pos, neg), float)
    assert aruc(pos, neg) == pytest.approx(area, abs=1e-12)


@settings(deadline=None)  # a busy machine is no failure
@given(RATES, RATES)
def test_aruc_is_the_limit_of_a_fine_grid(pos, neg):
    # Every score is a boundary between cells, so that the grid has no error but rounding.
    assert aruc(pos, neg) == pytest.approx(on_a_grid(pos, neg), abs=1e-9)


@given(SCORES, SCORES, st.randoms(use_true_random=False))
def test_aruc_is_bounded_and_indifferent_to_order(pos, neg, random):
    area = aruc(pos, neg)
    assert 0 <= area <= 1
    shuffled = random.sample(pos, len(pos)), random.sample(neg, len(neg))
    assert aruc(*shuffled) == pytest.approx(area, abs=1e-12)


@given(SCORES, SCORES, st.floats(0, 1))
def test_aruc_does_not_fall_when_positives_rise_or_negatives_sink(pos, neg, shift):
    area = aruc(pos, neg)
    assert aruc(np.minimum(np.array(pos) + shift, 1), neg) >= area - 1e-12
    assert aruc(pos, np.maximum(np.array(neg) - shift, 0)) >= area - 1e-12


@given(SCORES, SCORES)
def test_aruc_survives_exchanging_the_roles_of_both_sides(pos, neg):
    mirrored = aruc(1 - np.array(neg), 1 - np.array(pos))
    assert mirrored == pytest.approx(aruc(pos, neg), abs=1e-9)


def test_leading_axes_are_evaluated_row_by_row():
    rng = np.random.default_rng(0)
    pos, neg = rng.integers(0, 11, (5, 7)) / 10, rng.integers(0, 11, (5, 9)) / 10
    assert aruc(pos, neg) == pytest.approx([aruc(p, n) for p, n in zip(pos, neg, strict=True)])


def test_bad_scores_are_named():
    with pytest.raises(ConfigError, match="expected the scores of at least one positive model, got none"):
        aruc([], [0.5])
    with pytest.raises(ConfigError, match=r"expected negative scores in \[0, 1\], got 1.5"):
        aruc([0.5], [0.2, 1.5])
    with pytest.raises(ConfigError, match=r"expected positive scores in \[0, 1\], got nan"):
        curves([float("nan")], [0.5])
