"""Corrected verdicts: an honest watch list is left alone at its level, however long it is watched."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from nf.core.calibration import Levels
from nf.core.proportions import Proportion
from nf.monitoring import Change, Observation, correct, find_changes
from nf.verdict import Benchmark, holm, outcome_of

LEVELS = Levels(0.01, 0.05)


def judged(independent, trained=1.0, queries="a", levels=LEVELS):
    """An observation with these p-values, which says what it shows alone."""
    alone = outcome_of(independent, trained, levels)
    return Observation("2026-11-01", queries, 0.9, 0.5, alone, 0.8, independent, trained, levels)


def plain(outcome):
    """An observation by a threshold alone."""
    return Observation("2026-11-01", "a", 0.9, 0.5, outcome)


SILENT = Observation("2026-11-01", "a", error="no such file")


def test_a_single_suspect_with_one_set_pays_for_the_sets_to_come():
    (verdict,) = correct({"shop": (judged(0.004, 0.02),)}).values()
    assert (verdict.independent, verdict.trained) == (pytest.approx(0.008), pytest.approx(0.04))
    assert (verdict.outcome, verdict.query_sets, verdict.suspects) == ("stolen", 1, 1)
    assert correct({"shop": (judged(0.006, 0.02),)})["shop"].outcome == "not shown"


def test_a_list_is_corrected_by_holm():
    values = {"a": 0.0001, "b": 0.002, "c": 0.0021, "d": 0.9}
    found = correct({name: (judged(value),) for name, value in values.items()})
    expected = holm([min(1.0, 2 * value) for value in values.values()])
    assert [found[name].independent for name in values] == pytest.approx(expected)
    assert {verdict.suspects for verdict in found.values()} == {4}


def test_each_further_set_costs_more_and_what_was_found_stays_found():
    history = [judged(0.001, 0.001, "a")]
    assert correct({"shop": tuple(history)})["shop"].outcome == "stolen"
    history += [judged(0.009, 0.009, letter) for letter in "bcdefgh"]
    (verdict,) = correct({"shop": tuple(history)}).values()
    assert verdict.independent == pytest.approx(0.002)
    assert (verdict.outcome, verdict.query_sets) == ("stolen", 8)
    late = correct({"shop": tuple(judged(0.001, 0.001, letter) for letter in "ab")})["shop"]
    assert late.independent == pytest.approx(0.002)
    assert correct({"shop": (judged(0.9, 0.9, "a"), judged(0.001, 0.001, "b"))})["shop"].independent == 0.006


@pytest.mark.parametrize("order", [(0.003, 0.0001), (0.0001, 0.003)])
def test_of_several_verdicts_with_one_set_the_least_surprising_counts(order):
    """Or whoever asks every day accuses an honest suspect, whose answers change, sooner or later."""
    (verdict,) = correct({"shop": tuple(map(judged, order))}).values()
    assert (verdict.independent, verdict.query_sets) == (pytest.approx(0.006), 1)


def test_an_honest_suspect_that_answers_otherwise_each_day_is_left_alone_at_the_level():
    rng = np.random.default_rng(7)
    accused = 0
    for _ in range(400):
        history = [judged(float(value)) for value in rng.random(30)]
        accused += any(
            correct({"shop": tuple(history[: day + 1])})["shop"].outcome != "not shown" for day in range(len(history))
        )
    assert accused <= 400 * 0.01 + 3 * np.sqrt(400 * 0.01 * 0.99)


def test_suspects_are_counted_that_have_the_second_p_value_alone():
    (verdict,) = correct({"shop": (judged(None, 0.001),)}).values()
    assert verdict.suspects == 1


def test_a_suspect_that_is_another_model_now_is_let_go():
    history = (judged(0.0001, 0.0001, "a"), judged(0.5, 0.5, "b"))
    (verdict,) = correct({"shop": history}).values()
    assert verdict.independent == pytest.approx(0.0002)
    assert verdict.outcome == "not shown"


def test_verdicts_without_a_level_stand_for_themselves_and_cost_nobody_anything():
    found = correct({"old": (plain("stolen or trained on your data"),), "shop": (judged(0.004),), "new": (SILENT,)})
    assert set(found) == {"old", "shop"}
    assert (found["old"].outcome, found["old"].independent) == ("stolen or trained on your data", None)
    assert found["shop"].independent == pytest.approx(0.008)


def test_without_models_that_learned_from_the_same_data_nothing_is_called_stolen():
    (verdict,) = correct({"shop": (judged(0.0001, None),)}).values()
    assert (verdict.outcome, verdict.trained) == ("stolen or trained on your data", None)


@pytest.mark.parametrize("level", [0.01, 0.05])
def test_a_false_announcement_on_an_honest_list_is_as_rare_as_the_level_says(level):
    """Ten honest suspects, a verdict of each with twenty sets; p-values never rise: the last look has every alarm."""
    runs, suspects, sets = 300, 10, 20
    rng = np.random.default_rng(round(1000 * level))
    false = {"independent": 0, "trained": 0}
    for _ in range(runs):
        values = 1 - rng.random((suspects, sets))
        histories = {
            f"s{number}": tuple(judged(p, p, str(k)) for k, p in enumerate(row)) for number, row in enumerate(values)
        }
        verdicts = correct(histories).values()
        for against in false:
            false[against] += any(getattr(verdict, against) <= level for verdict in verdicts)
    # Not more often than a chance of exactly the level would give in 99.9 % of all such tests.
    assert all(binomtest(count, runs, level, alternative="greater").pvalue > 0.001 for count in false.values())


def test_a_factor_of_the_number_of_sets_alone_would_not_do():
    """Who looks after every set and multiplies by their number so far has three and a half times the chance stated."""
    rng = np.random.default_rng(1)
    values = 1 - rng.random((20_000, 20))
    alarms = (values * np.arange(1, 21) <= 0.05).any(axis=1).mean()
    assert alarms > 3 * 0.05


def changes(announced, *history):
    found = find_changes(correct({"shop": history}), announced)
    return [(change.suspect, change.previous, change.verdict.outcome) for change in found]


THIEF, HONEST = judged(0.0001, 0.0001), judged(0.5)


def test_nothing_is_shown_of_a_suspect_until_announced_otherwise():
    assert changes({}) == []
    assert changes({}, HONEST) == []
    assert changes({}, THIEF) == [("shop", "not shown", "stolen")]
    assert changes({"shop": "stolen"}, THIEF) == []
    assert changes({"shop": "stolen"}, THIEF, HONEST) == [("shop", "stolen", "not shown")]
    assert changes({"shop": "stolen or trained on your data"}, THIEF) == [
        ("shop", "stolen or trained on your data", "stolen")
    ]


def test_no_answer_changes_nothing_and_hides_no_change():
    assert changes({"shop": "stolen"}, THIEF, SILENT) == []
    assert changes({}, THIEF, SILENT) == [("shop", "not shown", "stolen")]
    assert changes({}, SILENT) == []


def test_what_a_verdict_alone_shows_is_not_announced():
    assert changes({}, judged(0.009)) == []


def test_a_change_says_what_it_rests_on():
    (verdict,) = correct({"shop": (judged(0.0001, 0.002),)}).values()
    known = Benchmark(Proportion(0, 91), Proportion(5, 63), Proportion(1, 15))
    record = json.loads(json.dumps(Change(verdict, "not shown", known).to_json()))
    assert record.pop("benchmark")["trained_accused"]["count"] == 1
    assert record == {
        "suspect": "shop",
        "outcome": "stolen",
        "previous": "not shown",
        "uncorrected": "stolen",
        "p_values": {
            "independent": {"raw": 0.0001, "corrected": 0.0002},
            "trained": {"raw": 0.002, "corrected": 0.004},
        },
        "levels": {"independent": 0.01, "trained": 0.05},
        "corrected_for": {"suspects": 1, "query_sets": 1},
        "calibrated": 0.8,
        "score": 0.9,
        "threshold": 0.5,
        "query_set": "a",
        "at": "2026-11-01",
    }
