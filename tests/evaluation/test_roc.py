import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from nf.core.errors import ConfigError
from nf.evaluation.intervals import Interval
from nf.evaluation.roc import perfect_range, roc_auc, tpr_at_fpr

RATES = st.lists(st.integers(0, 20).map(lambda hits: hits / 20), min_size=1, max_size=30)


def as_labelled(pos, neg):
    return [1] * len(pos) + [0] * len(neg), [*pos, *neg]


@settings(deadline=None)  # a busy machine is no failure
@given(RATES, RATES)
def test_roc_auc_equals_scikit_learns_with_ties(pos, neg):
    assert roc_auc(pos, neg) == pytest.approx(roc_auc_score(*as_labelled(pos, neg)))


@settings(deadline=None)  # a busy machine is no failure
@given(RATES, RATES, st.sampled_from([0.0, 0.01, 0.05, 0.29, 0.5, 1.0]))
def test_tpr_at_fpr_is_the_highest_point_of_scikit_learns_curve(pos, neg, fpr):
    fprs, tprs, _ = roc_curve(*as_labelled(pos, neg), drop_intermediate=False)
    assert tpr_at_fpr(pos, neg, fpr) == pytest.approx(tprs[fprs <= fpr].max())


def test_tpr_at_fpr_allows_exactly_the_stated_share():
    neg = np.arange(100) / 100
    pos = np.linspace(0.005, 0.995, 100)
    assert tpr_at_fpr(pos, neg, 0.0) == 0.01
    assert tpr_at_fpr(pos, neg, 0.01) == 0.02
    assert tpr_at_fpr(pos, neg, 0.29) == 0.3
    # With fewer than a hundred negatives one in a hundred is none.
    assert tpr_at_fpr(pos, neg[:91], 0.01) == tpr_at_fpr(pos, neg[:91], 0.0)


def test_perfect_range_lies_between_the_sides_or_is_none():
    band = perfect_range([0.7, 0.9], [0.1, 0.4])
    assert band == Interval(0.4, 0.7)
    assert perfect_range([0.4, 0.9], [0.1, 0.4]) is None
    assert perfect_range([0.3], [0.4]) is None


def test_leading_axes_are_evaluated_row_by_row():
    rng = np.random.default_rng(0)
    pos, neg = rng.integers(0, 11, (5, 7)) / 10, rng.integers(0, 11, (5, 9)) / 10
    rows = list(zip(pos, neg, strict=True))
    assert roc_auc(pos, neg) == pytest.approx([roc_auc(p, n) for p, n in rows])
    assert tpr_at_fpr(pos, neg, 0.2) == pytest.approx([tpr_at_fpr(p, n, 0.2) for p, n in rows])
    assert tpr_at_fpr(pos, neg, 1.0).tolist() == [1.0] * 5


def test_bad_values_are_named():
    with pytest.raises(ConfigError, match=r"fpr: expected a share in \[0, 1\], got -0.1"):
        tpr_at_fpr([0.5], [0.5], -0.1)
    with pytest.raises(ConfigError, match="expected the scores of at least one negative model, got none"):
        roc_auc([0.5], [])
