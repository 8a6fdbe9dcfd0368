"""Queries are chosen, and scores weighed, by models that are scored by what the others taught."""

from itertools import product

import numpy as np
import pytest

from nf.calibration import CalibrationPool, calibrate
from nf.calibration.choose import choose
from nf.calibration.fit import fit
from nf.calibration.folds import deal, weigh
from nf.core.calibration import CalibrationModel, Levels
from nf.core.errors import ConfigError

ATTACKS = ("prune", "noise", "distill")


def models_of(lineages: int = 12) -> tuple[CalibrationModel, ...]:
    thieves = [CalibrationModel(f"{a}-source-c{i}", "thief", a, "source") for a, i in product(ATTACKS, range(8))]
    honest = []
    for group, root in (("independent", "scratch"), ("twin", "twin")):
        for number in range(lineages):
            name = f"{root}-{number}"
            honest.append(CalibrationModel(name, group, "train", name))
            honest.append(CalibrationModel(f"prune-{name}", group, "prune", name))
    return (*thieves, *honest)


def pool_of(models) -> CalibrationPool:
    return CalibrationPool(models, lambda images: images, Levels(), "digest")


def answers(models, candidates: int, *, telling: int, seed: int = 0):
    """Whether each model answers like a thief: by chance, but for ``telling`` candidates."""
    rng = np.random.default_rng(seed)
    matches = rng.random((len(models), candidates)) < 0.5
    thief = np.array([model.group == "thief" for model in models])
    right = rng.random((len(models), telling)) < 0.9
    matches[:, :telling] = np.where(thief[:, None], right, ~right)
    return matches


def held_out_gap(models, known) -> float:
    scores, thief = np.array(known.full.held_out), np.array([m.group == "thief" for m in models])
    above = scores[thief][:, None] - scores[~thief]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def test_telling_candidates_are_chosen_and_the_held_out_score_tells_models_apart():
    models = models_of()
    matches = answers(models, 300, telling=30)
    pairs = np.arange(300)
    chosen, known = calibrate(pool_of(models), matches, 20, pairs=pairs)
    assert len(set(chosen.tolist())) == 20
    assert (chosen < 30).all()
    assert held_out_gap(models, known) > 0.95
    assert [look.queries for look in known.looks] == [2, 4, 8, 14, 20]


def test_what_was_chosen_by_chance_does_not_look_good_on_the_record():
    """Among many candidates that tell nothing some fit the models by luck: held-out scores must not show it."""
    models = models_of()
    matches = answers(models, 2000, telling=0)
    chosen, known = calibrate(pool_of(models), matches, 20, pairs=np.arange(2000))
    assert held_out_gap(models, known) < 0.75
    thief = np.array([model.group == "thief" for model in models])
    weights, bias = fit(matches[:, chosen], models)
    in_sample = matches[:, chosen] @ weights + bias
    assert (in_sample[thief][:, None] > in_sample[~thief]).mean() > 0.9  # the luck is there, and is not reported


def test_without_pairs_queries_stay_as_they_come():
    models = models_of()
    chosen, known = calibrate(pool_of(models), answers(models, 10, telling=5), 10)
    assert chosen.tolist() == list(range(10))
    assert known.candidates == 10


def test_no_pair_of_labels_crowds_out_the_others_while_those_last():
    models = models_of()
    matches = answers(models, 60, telling=30)
    pairs = np.where(np.arange(60) < 30, 0, np.arange(60))
    chosen = choose(matches, models, 20, pairs, each=4)
    assert (pairs[chosen] == 0).sum() == 4
    assert len(choose(matches[:, :30], models, 20, pairs[:30], each=4)) == 20


def test_lineages_stay_whole_and_every_fold_has_every_kind_of_thief():
    models = models_of()
    folds = deal(models, 4)
    by_lineage = {}
    for model, fold in zip(models, folds, strict=True):
        if model.group != "thief":
            by_lineage.setdefault(model.lineage, set()).add(int(fold))
    assert all(len(found) == 1 for found in by_lineage.values())
    for fold in range(4):
        assert {m.kind for m, f in zip(models, folds, strict=True) if m.group == "thief" and f == fold} == set(ATTACKS)


def test_thieves_weigh_as_much_as_honest_models_students_as_copies_and_kinds_alike():
    models = models_of()
    weights = weigh(models)
    by_kind = {kind: weights[[m.group == "thief" and m.kind == kind for m in models]].sum() for kind in ATTACKS}
    assert weights.sum() == pytest.approx(1)
    assert by_kind == pytest.approx({"prune": 0.125, "noise": 0.125, "distill": 0.25})
    kinds = [weights[[m.group == "twin" and m.kind == kind for m in models]].sum() for kind in ("train", "prune")]
    assert kinds == pytest.approx([0.125, 0.125])


def test_a_pool_that_is_too_small_to_hold_anything_out_is_refused():
    models = models_of(lineages=3)
    with pytest.raises(ConfigError, match=r"zoo.calibration: expected at least 5 of independent, got 3"):
        pool_of(models)


def test_equal_answers_give_equal_calibrations():
    models = models_of()
    matches = answers(models, 100, telling=20)
    one, two = (calibrate(pool_of(models), matches, 20, pairs=np.arange(100)) for _ in range(2))
    assert one[0].tolist() == two[0].tolist()
    assert one[1].digest == two[1].digest
