"""P-values against calibration models, their tail and Holm's correction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nf.core.calibration import Calibration, CalibrationModel, Levels, Look
from nf.verdict import holm, p_value
from nf.verdict.levels import EVEN, SMALLEST
from nf.verdict.student import upper_tail


def calibration(*models, score=None):
    """A calibration of (kind, lineage, held-out score) of independent models, and its one look."""
    known = tuple(
        CalibrationModel(f"m{place}", "independent", kind, lineage) for place, (kind, lineage, _) in enumerate(models)
    )
    look = Look(1, (1.0,), 0.0, tuple(held_out for *_, held_out in models))
    return Calibration(known, (look,), Levels(), candidates=1, folds=5), look


def p(score, *models):
    known, look = calibration(*models)
    return p_value(score, look, known, "independent")


SPREAD = [("train", f"l{place}", float(value)) for place, value in enumerate((-5, -4, -3, -2, -1))]


def test_a_score_far_beyond_all_models_has_the_smallest_p_value_and_never_zero():
    assert p(1e9, *SPREAD).value == SMALLEST > 0


def test_models_without_any_spread_say_no_more_than_their_ranks():
    alike = [("train", f"l{place}", -3.0) for place in range(5)]
    assert p(1e9, *alike).value == p(0.1, *alike).value == pytest.approx(1 / 6)
    assert p(-3.0, *alike).value == 1.0


def test_the_tail_is_that_of_a_further_model_of_a_normal_kind():
    found = p(1.0, *SPREAD)
    scores = [score for *_, score in SPREAD]
    distance = (1.0 - np.mean(scores)) / (np.std(scores, ddof=1) * np.sqrt(1 + 1 / 5))
    assert found.value == pytest.approx(stats.t.sf(distance, 4))
    assert (found.kind, found.models, found.lineages) == ("train", 5, 5)
    assert found.ranks == pytest.approx(1 / 6)


def test_a_score_that_a_lineage_reached_is_no_rarer_than_ranks_say():
    """One outlier that no normal distribution would give."""
    models = [*[("train", f"l{place}", -10 + place / 100) for place in range(30)], ("train", "wild", 5.0)]
    found = p(5.0, *models)
    assert found.ranks == pytest.approx(2 / 32)
    assert found.value >= found.ranks
    assert p(5.1, *models).ranks == pytest.approx(1 / 32)


def test_offspring_of_one_lineage_is_one_witness():
    models = [*SPREAD, *[("prune", "l0", 3.0 + place / 10) for place in range(4)]]
    found = p(2.0, *models)
    assert (found.ranks, found.models, found.lineages) == (pytest.approx(2 / 6), 9, 5)


def kinds_of(means: dict[str, float], models: int = 20) -> list[tuple[str, str, float]]:
    """As many models of each kind, each a lineage, spread by one around the kind's mean."""
    spread = np.linspace(-1.5, 1.5, models)
    return [(k, f"{k}{i}", mean + float(value)) for k, mean in means.items() for i, value in enumerate(spread)]


def test_every_kind_is_as_likely_and_the_one_that_scores_so_high_most_easily_is_named():
    found = p(3.5, *kinds_of({"train": -4.0, "distill": 0.0, "prune": -4.0}))
    assert found.kind == "distill"
    assert found.value == pytest.approx(found.worst / 3, rel=0.05)  # the other two hardly ever score so high
    assert found.worst > p(3.5, *kinds_of({"train": -4.0})).worst


def test_kinds_that_differ_by_chance_alone_have_the_mean_of_all():
    apart, alike = (p(3.0, *kinds_of({"train": -d, "distill": d, "prune": 0.0})) for d in (0.1, 0.0))
    assert apart.value == pytest.approx(alike.value, rel=0.05)
    assert apart.worst == pytest.approx(apart.value, rel=0.05)


def test_kinds_of_few_models_are_taken_together():
    rare = [("prune", "a", 5.0), ("noise", "b", 5.5), ("noise", "c", 4.5)]
    assert p(8.0, *kinds_of({"train": 0.0}), *rare).kind == "others"


def test_one_model_tells_nothing_and_none_gives_no_p_value():
    assert p(9.0, ("train", "a", -1.0)).value == 1.0
    known, look = calibration(*SPREAD)
    assert p_value(9.0, look, known, "twin") is None


scores = st.floats(-20, 20)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["train", "prune", "noise"]), st.integers(0, 5), scores), min_size=1, max_size=12
    ),
    scores,
    scores,
)
def test_a_higher_score_is_never_less_surprising(models, one, other):
    named = [(kind, f"l{lineage}", score) for kind, lineage, score in models]
    low, high = sorted((one, other))
    more, less = p(low, *named), p(high, *named)
    assert 0 < less.value <= more.value * (1 + 1e-9) <= 1 + 1e-9
    assert less.ranks <= more.ranks


@settings(max_examples=200, deadline=None)
@given(st.floats(-50, 50), st.integers(1, 60))
def test_the_upper_tail_is_that_of_scipy(t, degrees):
    assert upper_tail(t, degrees) == pytest.approx(stats.t.sf(t, degrees), rel=1e-6, abs=1e-13)


def test_the_upper_tail_at_infinity_and_without_degrees_of_freedom():
    assert upper_tail(np.inf, 5) == pytest.approx(0, abs=1e-15)
    assert upper_tail(-np.inf, 5) == pytest.approx(1)
    with pytest.raises(ValueError, match="degrees: expected at least 1, got 0"):
        upper_tail(1.0, 0)


def step_down(values, level):
    """Who is rejected, straight from Holm's words: begin with the smallest, stop at the first that is too large."""
    rejected, left = set(), sorted(range(len(values)), key=lambda place: values[place])
    while left and values[left[0]] <= level / len(left):
        rejected.add(left.pop(0))
    return rejected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-6, 1), max_size=8, unique=True), st.floats(0.001, 0.5))
def test_holm_rejects_whom_its_procedure_rejects(values, level):
    corrected = holm(values)
    borderline = [place for place, value in enumerate(corrected) if value == pytest.approx(level)]
    chosen = {place for place, value in enumerate(corrected) if value <= level}
    assert chosen ^ step_down(values, level) <= set(borderline)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_answers_that_fit_an_honest_model_better_than_a_thief_are_no_sign_of_theft():
    """However alike the calibration models are: another honest model is far out in their tail, and far from thieves."""
    models = [("train", f"l{place}", -3.0 + place / 100) for place in range(12)]
    far, even, beyond = (p(score, *models) for score in (-2.0, 0.0, 1e-9))
    assert (far.value, even.value, beyond.value) == (EVEN, EVEN, SMALLEST)


def grouped(**held_out):
    """A calibration of models from scratch by group, each a lineage, and its one look."""
    known = [
        (group, f"{group}{place}", value) for group, values in held_out.items() for place, value in enumerate(values)
    ]
    models = tuple(CalibrationModel(name, group, "train", name) for group, name, _ in known)
    look = Look(1, (1.0,), 0.0, tuple(value for *_, value in known))
    return Calibration(models, (look,), Levels(), candidates=1, folds=5), look


HONEST, STOLEN = np.linspace(-4, -3, 8), np.linspace(3, 4, 8)


@pytest.mark.parametrize(
    ("score", "thieves", "explained"),
    [
        (3.0, STOLEN, True),
        (1.0, STOLEN, False),  # as far from thieves as from honest models
        (1.0, np.linspace(0, 7, 8), True),  # thieves differ that much
        (2.5, np.full(8, 3.5) + np.arange(8) / 1e4, True),  # however alike they are, this is near enough
        (1.5, np.full(8, 3.5) + np.arange(8) / 1e4, False),
    ],
)
def test_a_score_that_neither_thieves_nor_honest_models_have_is_no_sign_of_theft(score, thieves, explained):
    known, look = grouped(thief=thieves, independent=HONEST)
    found = p_value(score, look, known, "independent")
    assert found.value < 0.01 if explained else found.value == EVEN
    assert found.explained == explained


def test_a_model_of_the_same_data_explains_what_independent_ones_do_not():
    known, look = grouped(thief=STOLEN, independent=HONEST, twin=np.linspace(0.5, 1.5, 8))
    independent, trained = (p_value(1.0, look, known, group) for group in ("independent", "twin"))
    assert independent.value < 0.01
    assert trained.value >= EVEN


@settings(max_examples=50, deadline=None)
@given(scores, scores)
def test_with_thieves_too_a_higher_score_is_never_less_surprising(one, other):
    known, look = grouped(thief=STOLEN, independent=HONEST)
    low, high = (p_value(score, look, known, "independent").value for score in sorted((one, other)))
    assert high <= low * (1 + 1e-9)
