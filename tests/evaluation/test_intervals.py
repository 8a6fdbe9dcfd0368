import numpy as np
import pytest
from scipy import stats

from nf.core.errors import ConfigError
from nf.evaluation.aruc import aruc
from nf.evaluation.intervals import Sample, bootstrap, estimate
from nf.evaluation.roc import roc_auc

SETTINGS = {"resamples": 2000, "confidence": 0.95, "seed": 7}


def separation(pos, neg):
    return pos.mean(axis=-1) - neg.mean(axis=-1)


@pytest.fixture
def scores():
    rng = np.random.default_rng(3)
    return rng.beta(8, 2, 63), rng.beta(2, 8, 91)


def test_interval_agrees_with_scipys_percentile_bootstrap(scores):
    expected = stats.bootstrap(
        scores, lambda p, n, axis: p.mean(axis=axis) - n.mean(axis=axis), method="percentile", n_resamples=5000, rng=1
    ).confidence_interval
    interval = bootstrap(separation, *scores, **SETTINGS | {"resamples": 5000})
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=0.003)


def test_each_side_is_resampled_within_itself():
    # Sides that hardly vary stay so only if no positive is ever drawn in the place of a negative.
    interval = bootstrap(separation, [0.9, 0.9, 0.9001], [0.2] * 50, **SETTINGS)
    assert (interval.low, interval.high) == (pytest.approx(0.7), pytest.approx(0.7, abs=2e-4))


@pytest.mark.parametrize("statistic", [aruc, roc_auc])
def test_estimate_lies_in_its_interval_and_repeats_with_the_seed(scores, statistic):
    result = estimate(statistic, *scores, **SETTINGS)
    assert result.value == pytest.approx(float(statistic(*scores)))
    assert result.interval.low <= result.value <= result.interval.high
    assert result == estimate(statistic, *scores, **SETTINGS)
    assert result != estimate(statistic, *scores, **SETTINGS | {"seed": 8})


def test_interval_widens_with_confidence_and_with_fewer_models(scores):
    def width(pos, neg, **changed):
        interval = bootstrap(separation, pos, neg, **SETTINGS | changed)
        return interval.high - interval.low

    pos, neg = scores
    assert width(pos, neg, confidence=0.5) < width(pos, neg) < width(pos[:10], neg[:10])


def test_lineages_that_fail_together_widen_the_interval(scores):
    """Thirty honest models of three lineages tell hardly more than three; thirty lineages of one tell more."""
    rng = np.random.default_rng(4)
    centres = np.repeat([0.1, 0.3, 0.6], 10)
    honest = np.clip(centres + rng.normal(0, 0.01, 30), 0, 1)
    together = Sample(honest, tuple(f"lineage-{place // 10}" for place in range(30)))
    apart = Sample(honest, ("",) * 30)

    def width(neg):
        interval = bootstrap(separation, scores[0], neg, **SETTINGS)
        return interval.high - interval.low

    assert width(together) > 2 * width(apart)
    assert bootstrap(separation, scores[0], apart, **SETTINGS) == bootstrap(separation, scores[0], honest, **SETTINGS)


def test_lineages_that_do_not_fail_together_do_not(scores):
    rng = np.random.default_rng(4)
    honest = rng.uniform(0, 0.5, 90)
    mixed = Sample(honest, tuple(f"lineage-{place % 30}" for place in range(90)))
    widths = [
        interval.high - interval.low
        for interval in (bootstrap(separation, scores[0], neg, **SETTINGS) for neg in (mixed, honest))
    ]
    assert widths[0] == pytest.approx(widths[1], rel=0.25)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_no_error_among_few_is_no_proof_that_there_are_none(confidence):
    """The exact bound of as many lineages as the smaller side has, all of which went well."""
    honest = Sample(np.linspace(0, 0.2, 40), tuple(f"lineage-{place % 14}" for place in range(40)))
    interval = bootstrap(roc_auc, np.linspace(0.8, 1, 63), honest, **SETTINGS | {"confidence": confidence})
    exact = stats.binomtest(14, 14).proportion_ci(confidence, method="exact")
    assert (interval.low, interval.high) == (pytest.approx(exact.low), 1.0)
    worst = bootstrap(roc_auc, np.linspace(0, 0.2, 63), np.linspace(0.8, 1, 14), **SETTINGS)
    assert (worst.low, worst.high) == (0.0, pytest.approx(stats.binomtest(0, 14).proportion_ci(0.95, "exact").high))


def test_scores_that_are_all_alike_are_no_proof_either():
    interval = bootstrap(aruc, np.full(63, 0.9), np.full(14, 0.1), **SETTINGS)
    assert interval.low < 0.8 - 0.1 < 0.8 + 0.1 < interval.high


def test_bad_settings_are_named(scores):
    with pytest.raises(ConfigError, match="resamples: expected at least 1, got 0"):
        bootstrap(aruc, *scores, **SETTINGS | {"resamples": 0})
    with pytest.raises(ConfigError, match="confidence: expected a share between 0 and 1, got 95"):
        bootstrap(aruc, *scores, **SETTINGS | {"confidence": 95})
    with pytest.raises(ConfigError, match="at least one positive model, got none"):
        bootstrap(aruc, [], [0.5], **SETTINGS)
