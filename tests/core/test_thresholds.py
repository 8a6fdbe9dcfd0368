import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nf.core.thresholds import midpoint_threshold

SCORES = st.lists(st.integers(0, 20).map(lambda i: i / 20), min_size=1, max_size=8)


def balanced_accuracy(positives, negatives, threshold):
    return (np.mean(np.array(positives) >= threshold) + np.mean(np.array(negatives) < threshold)) / 2


def test_without_overlap_it_is_the_midpoint_of_the_two_nearest():
    assert midpoint_threshold([0.9, 0.7, 1.0], [0.1, 0.3]) == pytest.approx(0.5)
    assert midpoint_threshold([1.0], [0.0]) == pytest.approx(0.5)


def test_with_overlap_one_outlier_on_each_side_is_given_up():
    assert midpoint_threshold([0.2, 0.8, 0.9], [0.1, 0.3, 0.4]) == pytest.approx(0.6)


def test_of_equally_good_gaps_the_widest_is_taken():
    # [0.2, 0.3], [0.3, 0.9] and [0.9, 1] are candidates; the middle one loses a positive, the first a negative.
    assert midpoint_threshold([0.3, 0.9], [0.2, 0.35]) == pytest.approx((0.35 + 0.9) / 2)


def test_a_rate_that_is_the_midpoint_reaches_it():
    rates = [(a / 100, b / 100, (a + b) / 200) for a in range(100) for b in range(a + 2, 101, 2)]
    assert all(middle >= midpoint_threshold([high], [low]) for low, high, middle in rates)


@given(SCORES, SCORES)
def test_no_threshold_of_a_fine_grid_has_a_better_balanced_accuracy(positives, negatives):
    threshold = midpoint_threshold(positives, negatives)
    best = max(balanced_accuracy(positives, negatives, t) for t in np.arange(0.0125, 1, 0.0125))
    assert 0 < threshold < 1
    assert balanced_accuracy(positives, negatives, threshold) == pytest.approx(best)


@pytest.mark.parametrize(("positives", "negatives"), [([], [0.1]), ([0.5], [])])
def test_both_sides_need_a_score(positives, negatives):
    with pytest.raises(ValueError, match="expected at least one score, got none"):
        midpoint_threshold(positives, negatives)


@pytest.mark.parametrize("score", [1.5, -0.1, float("nan")])
def test_scores_outside_the_unit_interval_are_refused(score):
    with pytest.raises(ValueError, match=r"positive_scores: expected scores in \[0, 1\], got"):
        midpoint_threshold([score], [0.1])
