"""Tables say what their records say, and without a record how to get one; those on the pages are up to date."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.results import conventions, figures, own_model, records, robust, schemes, settings, tables, verdicts

ROOT = Path(__file__).resolve().parents[2]


def scheme(aruc, positives, missed, negatives, accused):
    return {
        "aruc": aruc,
        "aruc_low": aruc - 0.01,
        "aruc_high": aruc + 0.02,
        "at_threshold": {
            "positives": positives,
            "false_negatives": missed,
            "negatives": negatives,
            "false_positives": accused,
        },
    }


@pytest.fixture
def record():
    return {
        "n": {"runs": 1, "models": 170, "queries": 100},
        "note": "JPEG copies.",
        "source": {"source": {"train": "cifar10/train.parquet"}, "knockoff": {"train": None, "name": "CIFAR100"}},
        "hardware": {"device": "NVIDIA H100"},
        "zoo": {"accuracy_mean": 0.9012},
        "parts": {"zoo": {"seconds": 900.0}, "export": {"seconds": 300.0}},
        "whole": {"seconds": 1140.0},
        "commit": "abc",
        "schemes": {"akh": scheme(0.6, 63, 3, 91, 9), "naturalfinger": scheme(0.87, 63, 0, 91, 1)},
        "detection": {"naturalfinger": {"naive": {"detection_rate": 0.01}}},
        "variants": [],
    }


def with_rates(record, **more):
    rates = {"roc_auc": 0.9, "tpr_at_fpr_0": 0.8, **more}
    return {name: {**scores, **rates} for name, scores in record["schemes"].items()}


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "ROOT", tmp_path)
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def put(results, name, record):
    (results / f"{name}.json").write_text(json.dumps(record))


def written(results, record):
    put(results, "cifar10", record)
    return tables.rendered("before\n<!-- results:cifar10 -->\nold\n<!-- /results:cifar10 -->\nafter").splitlines()


def test_the_pages_show_what_the_records_say():
    command = [sys.executable, "-m", "tools.results.tables", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", tables.TABLES)
def test_without_a_record_the_place_says_so(results, name):
    assert " been recorded yet" in tables.TABLES[name]()


def test_the_paper_s_setting_says_how_to_fill_its_place(results):
    text = tables.rendered("<!-- results:cifar10 -->\n<!-- /results:cifar10 -->")
    assert "Nothing has been recorded yet: `nf run --profile cifar10 --data FOLDER` on a machine with a GPU" in text


def test_records_from_before_a_stage_was_renamed_are_read(results):
    put(results, "old", {"seconds": {"verify@akh": 2.0, "zoo": 1.0}, "missing": {"verify@akh": "out of time"}})
    put(results, "new", {"seconds": {"score@akh": 2.0, "verifying": 1.0}, "parts": None})
    assert records.load("old") == {"seconds": {"score@akh": 2.0, "zoo": 1.0}, "missing": {"score@akh": "out of time"}}
    assert records.load("new") == {"seconds": {"score@akh": 2.0, "verifying": 1.0}, "parts": None}
    assert records.load("none") is None


def test_the_table_stands_beside_the_papers_numbers(results, record):
    lines = written(results, record)
    rows = [line for line in lines if line.startswith(("| NaturalFinger", "| AKH"))]
    assert rows == [
        "| NaturalFinger | 0.870, 0.860 to 0.890 | 0.9112 | 1.0% | 0.3% | 63 of 63 | 1 of 91 (0.0% to 6.0%) |",
        "| AKH | 0.600, 0.590 to 0.620 | not stated | not measured | not stated | 60 of 63 | 9 of 91 (4.6% to 17.9%) |",
    ]
    assert lines[-3] == "1 run, 170 models, 100 queries a scheme; NVIDIA H100, 19.0 minutes, commit abc."
    assert (lines[0], lines[-1]) == ("before", "after")
    assert not any("| variant |" in line for line in lines)


def test_columns_of_twins_and_detection_stand_where_they_were_measured(results, record):
    put(
        results,
        "cifar10-small",
        {**record, "schemes": with_rates(record, plus={"twin": {"models": 5, "called_stolen": 2}})},
    )
    text = schemes.schemes_beside_the_paper("cifar10-small")
    assert (
        "| NaturalFinger | 0.870, 0.860 to 0.890 | 0.911 | 0.900 | 0.800 | 63 of 63 | 1 of 91 | 2 of 5 | 1.0% | 0.3% |"
        in text
    )
    put(results, "cifar10-brief", {**record, "schemes": with_rates(record, plus={}), "detection": {}})
    text = schemes.schemes_beside_the_paper("cifar10-brief")
    assert "| NaturalFinger | 0.870, 0.860 to 0.890 | 0.911 | 0.900 | 0.800 | 63 of 63 | 1 of 91 |" in text
    assert "| AKH | 0.600, 0.590 to 0.620 | not stated | 0.900 | 0.800 | 60 of 63 | 9 of 91 |" in text


def variant(name, **parameters):
    settings = {
        "label": "negative",
        "transforms": ["identity", "noise"],
        "discriminator": "corrected",
        "gan": "sagan",
        **parameters,
    }
    metrics = {"aruc": 0.8, "at_threshold": scheme(0.8, 10, 1, 10, 1)["at_threshold"], "plus": {}}
    return {
        "variant": name,
        "scheme": "naturalfinger",
        "seed": 0,
        "changes": parameters,
        "parameters": settings,
        "metrics": metrics,
    }


def test_variants_stand_beside_the_papers_ablation(results, record):
    variants = [
        variant("label-transform-corrected"),
        variant("label-transform-published", discriminator="published"),
        variant("none", label="random", transforms=["identity"], discriminator="none"),
        variant("twins", twins=True),
    ]
    lines = written(results, {**record, "variants": variants})
    start = lines.index("| variant | seeds | ARUC | paper's ARUC | honest accused |")
    assert lines[start + 2 : start + 6] == [
        "| none | 1 | 0.800 | 0.79 | 10.0% |",
        "| label-transform-corrected | 1 | 0.800 | not stated | 10.0% |",
        "| label-transform-published | 1 | 0.800 | 0.91 | 10.0% |",
        "",
    ]


def test_detectors_stand_beside_the_papers_on_its_images_alone(results):
    def found(rate, **accuracy):
        return {"detection_rate": rate, "detection_rate_std": 0.01, "runs": [rate] * 3, "accuracy": accuracy}

    kinds = {
        "naive": found(0.1, normal=0.9, noise=0.8),
        "other_gan": found(0.2, normal=0.7, samples=0.6),
        "half_of_queries": found(0.3, normal=1.0),
    }
    for profile in ("digits", "cifar10-small"):
        put(results, profile, {"detection": {"metav": kinds}})
    row = "| MetaV | 10.0% ± 1.0% | 20.0% ± 1.0% | 30.0% ± 1.0% |"
    assert f"{row} 48.0% |\n" in schemes.detection("cifar10-small")
    assert f"{row}\n" in schemes.detection("digits")
    assert "over 3 detectors" in schemes.detection("digits")
    assert "they know: noise 80.0%, samples 60.0%, normal 90.0% and 70.0%." in schemes.detection("digits")


def test_variants_have_the_papers_column_on_its_images_alone(results):
    records = [variant("label-transform-published", discriminator="published")]
    records[0]["metrics"]["plus"] = {}
    records[0] |= {"queries": 20, "training_models": 8}
    for profile in ("digits", "cifar10-small"):
        put(results, profile, {"variants": records})
    assert "| published | 1 | 0.800 | 0.91 | none |" in schemes.variants("cifar10-small")
    assert "| published | 1 | 0.800 | none |" in schemes.variants("digits")
    assert schemes.variants("digits").endswith("20 queries from 8 training models. One seed.")


def test_settings_show_their_query_sets_side_by_side_and_say_where_one_fell_short(results):
    found = {"aruc": 0.5, "roc_auc": 0.98, "tpr_at_fpr_0": 0.75}
    wrong = {"positives": 63, "false_negatives": 2, "negatives": 91, "false_positives": 5}
    sets = [
        {"zoo": 1, "setting": "in use", "draw": 0, **found, "at_threshold": wrong},
        {"zoo": 1, "setting": "in use", "draw": 1, "shortage": "12 of 100"},
        {"zoo": 0, "setting": "in use", "draw": 0, **found, "at_threshold": wrong},
    ]
    put(results, "settings-digits", {"query_sets": sets})
    rows = settings.settings_digits().splitlines()[2:]
    assert rows[0].startswith("| 1 | in use | 0.500 / too few queries | 0.980 / too few queries |")
    assert rows[1] == "| 0 | in use | 0.500 | 0.980 | 0.750 | 61 of 63 | 5 of 91 |"


def test_survivors_are_averaged_over_draws(results):
    assert "experiments.survivors" in settings.survivors()

    def chosen(draw: int, ranking: str, aruc: float, accused: int) -> dict:
        wrong = {"positives": 43, "false_negatives": 1, "negatives": 51, "false_positives": accused}
        rates = {"aruc": aruc, "roc_auc": 0.99, "tpr_at_fpr_0": 0.5}
        funnel = [["drawn", 400], ["shear", 100 + draw]]
        return {"draw": draw, "ranking": ranking, "pair_share": 0.1, "funnel": funnel, **rates, "at_threshold": wrong}

    sets = [chosen(0, "mean", 0.6, 9), chosen(0, "steady", 0.7, 2), chosen(1, "mean", 0.7, 6)]
    record = {"queries": 40, "training_models": 8, "query_sets": [*sets, chosen(1, "steady", 0.75, 1)]}
    put(results, "survivors-cifar10-small", record)
    rows = settings.survivors().splitlines()[2:]
    assert rows[0] == "| mean | 10.0% | 0.650 | 0.990 | 0.500 | 1.0 of 43 | 7.5 of 51 |"
    assert rows[1] == "| steady | 10.0% | 0.725 | 0.990 | 0.500 | 1.0 of 43 | 1.5 of 51 |"
    assert rows[-1].startswith("40 queries out of 100 / 101 survivors, from 8 training models; means over 2 draws")


def test_latent_steps_stand_below_samples_that_were_not_moved(results):
    assert "experiments.latent_steps" in settings.latent_steps()
    found = {"naive": [0.5, 0.0, 0.25], "other_gan": [1.0, 0.9, 0.8]}
    moved = {
        "changes": {"epochs": 1000, "learning_rate": 0.5},
        "length": 13.04,
        "funnel": [["drawn", 400], ["shortlisted", 160], ["noise", 90], ["shear", 80]],
        "found": found,
        "aruc": 0.7,
        "aruc_low": 0.6,
        "aruc_high": 0.8,
        "at_threshold": {"false_positives": 2, "negatives": 51},
        "plus": {"twin": {"called_stolen": 1, "models": 5}},
    }
    sets = [{"setting": "unmoved", "length": 11.3, "found": found}, moved]
    record = {"queries": 40, "training_models": 8, "samples": 1000, "query_sets": sets}
    put(results, "latent-steps-cifar10-small", record)
    rows = settings.latent_steps().splitlines()[2:]
    assert rows[0] == "| none |  | 11.3 |  | 50% / 0% / 25% | 100% / 90% / 80% |  |  |  |"
    assert rows[1].startswith("| 1,000 | 0.5 | 13.0 | 80 of 160 | 50% / 0% / 25% | 100% / 90% / 80% | 0.700, 0.600 to")
    assert rows[1].endswith("| 2 of 51 | 1 of 5 |")
    assert "the first row is 1,000 samples" in rows[-1]


def convention(name, kind="searched", **more):
    row = {"name": name, "kind": kind, "models": 20, "as_stated": 20, "no_verdict_before_queries": 0}
    row |= {"no_verdict_after_queries": 0, "answers_equal": 1.0, "images_sent": 700.0}
    return row | {"honest_graver": [], "honest_lighter": [], "thieves_graver": [], "thieves_lighter": []} | more


def test_conventions_are_counted_by_kind_and_shown_where_something_changed(results):
    odd = convention(
        "gamma", "unknown", as_stated=17, honest_graver=["a"], thieves_lighter=["b", "c"], answers_equal=0.7
    )
    floor = {"floor": 0.57, "asked_rightly": 20, "asked_rightly_refused": [], "asked_rightly_lowest": 0.77}
    floor |= {"asked_wrongly": 40, "asked_wrongly_refused": 30, "asked_wrongly_changed": 10}
    floor |= {"asked_wrongly_changed_above": 2, "honest_graver": 1, "honest_graver_above": 0}
    every = [convention("signed"), convention("bytes", images_sent=500.0), odd]
    run = {"profile": "digits", "seed": 5, "models": {"positive": 8, "negative": 12}, "models_of_the_zoo": 24}
    put(results, "conventions", {"runs": [{**run, "conventions": every, "floor": floor}]})
    searched, unknown = conventions.conventions().splitlines()[2:]
    assert searched == (
        "| digits (seed 5), 20 of 24 models | 2 conventions that the search tries | 40 | 40 | 0 | 0 "
        "| 0 of 24 (0.0% to 14.2%) | 0 of 16 (0.0% to 20.6%) | 0 | 600 |"
    )
    assert "| 1 conventions that it does not try | 20 | 17 | 0 | 0 | 1 of 12 (0.2% to 38.5%) | 2 of 8 (" in unknown
    assert conventions.by_convention().splitlines()[2:] == [
        "| digits (seed 5) | gamma | 20 | 17 | 0 | 1 | 2 | 0 | 70% |"
    ]
    later = {**run, "seed": 6, "conventions": [{**odd, "name": "contrast"}], "floor": floor}
    put(results, "conventions", {"runs": [{**run, "conventions": every, "floor": floor}, later]})
    assert conventions.by_convention().splitlines()[2:] == [
        "| digits (seed 6) | contrast | 20 | 17 | 0 | 1 | 2 | 0 | 70% |"
    ]
    put(results, "conventions", {"runs": [{**run, "conventions": every, "floor": floor}]})
    assert "| asked wrongly, refused | 30 of 40 (58.8% to 87.3%) |" in conventions.floors()
    assert conventions.floors().splitlines()[-1] == "| the same, above the floor | 0 |"


def test_the_worst_of_several_zoos_is_named_in_a_sentence(results):
    def zoo(accused, stolen):
        counts = {"independent_accused": accused, "trained_accused": stolen}
        return {"verdicts": {group: {"count": count, "total": 20} for group, count in counts.items()}}

    put(results, "verdicts", {"runs": [zoo(1, 0), zoo(3, 0), zoo(0, 2)]})
    assert figures.figure("verdicts", "runs", "worst-independent") == "3 of 20"
    assert figures.figure("verdicts", "runs", "worst-trained") == "2 of 20"


def test_published_settings_have_a_row_each_and_say_where_queries_ran_out(results, record):
    found = with_rates(record)["naturalfinger"]
    variants = [
        {"variant": "ipguard-paper", "queries": 20, "metrics": found},
        {"variant": "paper", "shortage": "found 3 of 20"},
    ]
    put(results, "published-digits", {**record, "variants": variants})
    assert schemes.published("digits").splitlines()[2:] == [
        "| `ipguard-paper` | 20 | 0.870, 0.860 to 0.890 | 0.900 | 0.800 | 63 of 63 | 1 of 91 |",
        "| `paper` | too few | none | none | none | none | none |",
        "",
        "`paper`: found 3 of 20. One seed.",
    ]


def test_schemes_under_one_calibration_stand_in_the_order_of_thieves_found(results):
    assert verdicts.by_scheme() == "No verdicts have been recorded yet."

    def row(scheme, missed, **changes):
        counts = {"missed": (missed, 63), "not_called_stolen": (9, 63), "independent_accused": (1, 91)}
        found = {name: {"count": count, "total": total} for name, (count, total) in counts.items()}
        calibrated = {"aruc": 0.7, "aruc_low": 0.6, "aruc_high": 0.8}
        judged = {"verdicts": {**found, "trained_accused": None}, "calibrated": calibrated}
        return {"seed": 7, "scheme": scheme, "aruc": 0.25, "candidates": 1200, **changes, **judged}

    short = {"seed": 7, "scheme": "naturalfinger", "choice": "margin", "twins": True, "shortage": "got 7; raise epochs"}
    sets = [row("metav", 20), short, row("akh", 5, choice="held-out")]
    put(results, "schemes-calibrated-digits", {"note": "frozen", "query_sets": sets})
    assert verdicts.by_scheme().splitlines()[2:] == [
        "| AKH | calibration models | 58 of 63 (82.4% to 97.4%) | 54 of 63 | 1 of 91 | no such models | "
        "0.700, 0.600 to 0.800 | 0.250 | 1,200 |",
        "| MetaV | the scheme | 43 of 63 (55.3% to 79.4%) | 54 of 63 | 1 of 91 | no such models | "
        "0.700, 0.600 to 0.800 | 0.250 | 1,200 |",
        "",
        "Seed 7, frozen. NaturalFinger against twins, chosen by margins: got 7.",
    ]


def test_an_owner_s_model_has_a_row_and_each_of_its_suspects(results):
    assert own_model.own_model().startswith("Nothing has been recorded yet")
    assert own_model.own_model_each().startswith("Nothing has been recorded yet")
    suspects = {
        "thief-pruned": {"score": 0.98, "outcome": "stolen", "accuracy": 0.71},
        "thief-distilled": {"score": 0.4, "outcome": "not shown", "accuracy": 0.6},
        "independent-regnet": {"score": 0.6, "outcome": "stolen or trained on your data", "accuracy": 0.6},
        "twin-mobilenet": {"score": None, "outcome": None, "accuracy": 0.53},
    }
    zoo = {"missed": {"count": 1, "total": 16}, "independent_accused": {"count": 0, "total": 24}}
    run = {
        "owner": "Keras CNN",
        "form": "ONNX alone",
        "size": 32,
        "seconds": 3600.0,
        "bytes": 1_240_000_000,
        "minutes_asked": 60.0,
    }
    put(results, "own-model-keras", {**run, "note": "", "suspects": suspects, "zoo": zoo})
    (row,) = own_model.own_model().splitlines()[2:]
    assert row == "| Keras CNN, ONNX alone, 32 px | 60 | 1.2 | 1 of 2 | 1 of 1 | 1 |"
    head, _, *rows, _, sentence = own_model.own_model_each().splitlines()
    assert head == "| suspect | Keras CNN, ONNX alone, 32 px |"
    assert rows[2:] == ["| thief pruned | 71%: 0.98, stolen |", "| twin mobilenet | 53%: no verdict |"]
    assert sentence == (
        "- Keras CNN, ONNX alone, 32 px: a run of which 60 minutes were asked for (two cores). 15 of the 16 thieves of "
        "its own zoo were accused, and 0 of its 24 independent models."
    )
    begun = {**run, "scheme": "akh", "note": "", "left": ["twin-mobilenet", "thief-pruned"]}
    some = {name: row for name, row in suspects.items() if name not in begun["left"]}
    put(results, "own-model-keras-akh", {**begun, "suspects": some, "zoo": zoo})
    assert own_model.own_model().splitlines()[3].startswith("| Keras CNN, ONNX alone, 32 px, AKH | 60 |")
    head, _, *rows, _, _, sentence = own_model.own_model_each().splitlines()
    assert head == "| suspect | Keras CNN, ONNX alone, 32 px | Keras CNN, ONNX alone, 32 px, AKH |"
    assert rows[1:3] == [
        "| thief distilled | 60%: 0.40, not shown | 60%: 0.40, not shown |",
        "| thief pruned | 71%: 0.98, stolen | - |",
    ]
    assert "(two cores). 2 further suspects are still to be made. 15 of the 16 " in sentence


def test_honest_models_have_a_row_each_and_a_verdict_of_each_set(results):
    assert own_model.honest_training().startswith("Nothing has been recorded yet")
    said = {"score": 0.54, "p": 0.00016, "outcome": "stolen"}
    row = {"epochs": 10, "seed": 1, "accuracy": 0.751, "sets": {"weak": said, "good": {**said, "p": 0.4}}}
    put(results, "honest-training", {"architecture": "resnet18", "images": 9000, "models": [row]})
    head, _, line = own_model.honest_training().splitlines()
    assert head.count("|") == line.count("|")
    assert "| weak: matching rate | p-value | verdict | good: matching rate |" in head
    assert line == "| 10 | 75% | 0.54 | 0.00016 | stolen | 0.54 | 0.4 | stolen |"


def test_faults_are_counted_and_those_that_did_not_hold_are_told(results):
    record = {"trials": 3, "tried": {"kill all": 2, "full disk": 1}, "held": {"kill all": 1, "full disk": 1}}
    put(results, "torture", {**record, "faults": [{"trial": "2: kill all, zoo", "said": "differs:\n a"}]})
    assert robust.torture().splitlines()[2:] == [
        "| full disk | 1 | 1 |",
        "| kill all | 2 | 1 |",
        "| **all** | 3 | 2 |",
        "",
        "- 2: kill all, zoo: differs: a",
    ]


def test_resizing_has_a_row_for_each_way_and_columns_for_each_run(results):
    ways = [{"way": "as they are", "changed": 0.0, "positive": 0.754, "negative": 0.364}]
    run = {"profile": "digits", "image_size": 16, "queries": 100, "transforms": ["identity", "shear"], "ways": ways}
    put(results, "resizing-digits", {**run, "suspects": {"positive": 63, "negative": 91}})
    row, _, sentence = robust.resizing().splitlines()[2:]
    assert row == "| as they are | 0.754 | 0.364 | 0.0% |"
    assert sentence.endswith("moved under identity, shear; 63 thieves and 91 independent models.")
