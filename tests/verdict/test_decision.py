import hashlib
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from nf.cli.words import error_lines, verdict_lines
from nf.core.answers import Answers
from nf.core.calibration import Calibration, CalibrationModel, Group, Levels, Look
from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import write_json
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.core.verifier import Verifier
from nf.suspects import Examined, Interface
from nf.suspects.probe import Found as FoundInterface
from nf.verdict import Benchmark, Found, check_card, decide, evidence, load_benchmark, no_verdict, outcome_of


def answering(queries: QuerySet, matches: int) -> Answers:
    """The answers of a suspect that agrees with thieves on so many queries."""
    return Answers(np.where(np.arange(len(queries)) < matches, queries.labels, queries.labels + 1))


EITHER = "stolen or trained on your data"


@pytest.mark.parametrize(("matches", "outcome"), [(0, "not shown"), (4, "not shown"), (5, EITHER), (7, EITHER)])
def test_a_suspect_at_the_threshold_of_a_set_without_calibration_is_either(
    queries: QuerySet, matches: int, outcome: str
) -> None:
    """Such a set knows no level, and its threshold does not tell thieves from models of the same data."""
    at = replace(queries, card={**queries.card, "threshold": 5 / 7})
    verdict = decide(answering(queries, matches), at)
    assert (verdict.stolen, verdict.accused) == (False, outcome == EITHER)
    assert verdict.to_json() == {
        "outcome": outcome,
        "scheme": "naturalfinger",
        "measure": "matching rate",
        "score": matches / 7,
        "threshold": 5 / 7,
        "calibrated": None,
        "independent": None,
        "trained": None,
        "levels": None,
        "stolen": False,
        "one_hot": False,
        "queries": 7,
        "query_set_digest": queries.digest,
        "benchmark": None,
        "look_factor": 1,
        "suspects": 1,
    }


def test_a_score_that_no_known_model_explains_is_said_to_be_one(queries: QuerySet) -> None:
    verdict = decide(answering(queries, 4), calibrated(queries))
    assert (verdict.outcome, verdict.independent and verdict.independent.explained) == ("not shown", False)
    assert sum("neither honest models nor thieves score so" in line for line in verdict_lines(verdict)) == 2
    assert verdict.to_json()["independent"]["explained"] is False
    lower = decide(answering(queries, 1), calibrated(queries))
    assert sum("not surprising enough" in line for line in verdict_lines(lower)) == 2


def calibrated(queries: QuerySet, twins: int = 8) -> QuerySet:
    """The queries with a score of 2 for each match less 5; independent models lie at -4, twins at 1."""
    models, held_out = [], []
    for group, count, mean in (("thief", 6, 8.0), ("independent", 8, -4.0), ("twin", twins, 1.0)):
        models += [CalibrationModel(f"{group}-{i}", cast(Group, group), "train", f"{group}-{i}") for i in range(count)]
        held_out += [mean + (i - (count - 1) / 2) / 4 for i in range(count)]
    look = Look(7, (2.0,) * 7, -5.0, tuple(held_out))
    return replace(queries, calibration=Calibration(tuple(models), (look,), Levels(0.01, 0.05), 9, 5))


@pytest.mark.parametrize(("matches", "outcome"), [(0, "not shown"), (1, "not shown"), (3, EITHER), (7, "stolen")])
def test_a_calibrated_set_decides_by_p_values(queries: QuerySet, matches: int, outcome: str) -> None:
    """The threshold of 0.6 has no say."""
    verdict = decide(answering(queries, matches), calibrated(queries))
    assert verdict.outcome == outcome
    assert verdict.levels == Levels(0.01, 0.05)
    assert verdict.independent is not None
    assert verdict.trained is not None
    assert 0 < verdict.independent.value <= verdict.trained.value
    assert verdict.calibrated == pytest.approx(1 / (1 + np.exp(5 - 2 * matches)))
    assert verdict.score == matches / 7
    record = json.loads(json.dumps(verdict.to_json()))
    assert (record["outcome"], record["stolen"]) == (outcome, outcome == "stolen")
    assert record["independent"]["models"] == 8
    assert record["levels"] == {"independent": 0.01, "trained": 0.05}


def test_without_twins_among_the_calibration_models_nobody_is_called_stolen(queries: QuerySet) -> None:
    verdict = decide(answering(queries, 7), calibrated(queries, twins=0))
    assert (verdict.outcome, verdict.trained) == (EITHER, None)


def test_where_all_honest_models_learned_from_the_owners_data_their_level_decides_alone(queries: QuerySet) -> None:
    known = calibrated(queries)
    assert known.calibration is not None
    models, look = known.calibration.models, known.calibration.full
    kept = [place for place, model in enumerate(models) if model.group != "independent"]
    alone = replace(
        known.calibration,
        models=tuple(models[place] for place in kept),
        looks=(replace(look, held_out=tuple(look.held_out[place] for place in kept)),),
    )
    found = [decide(answering(queries, matches), replace(queries, calibration=alone)) for matches in (3, 7)]
    assert [verdict.independent for verdict in found] == [None, None]
    assert [verdict.outcome for verdict in found] == ["not shown", "stolen"]
    rates = Benchmark(independent_accused=Proportion(0, 9), missed=Proportion(1, 5))
    assert "on the zoo     honest models accused: 0 of 9" in "\n".join(error_lines(replace(found[0], benchmark=rates)))
    levels = Levels(0.01, 0.05)
    assert outcome_of(None, 0.05, levels) == "stolen"
    assert outcome_of(None, 0.051, levels) == "not shown"


def test_a_p_value_at_its_level_is_enough() -> None:
    levels = Levels(0.01, 0.05)
    assert outcome_of(0.01, 0.05, levels) == "stolen"
    assert outcome_of(0.01, 0.051, levels) == outcome_of(0.01, None, levels) == EITHER
    assert outcome_of(0.011, 0.001, levels) == outcome_of(None, None, levels) == "not shown"


def test_a_verifier_decides_where_the_queries_carry_one(queries: QuerySet) -> None:
    """One that doubts whoever puts the first query into class 0; labels reach it as one-hot vectors, and it says so."""
    weight = np.zeros((2, 21), np.float32)
    weight[0, 0] = 4.0
    carrying = replace(queries, verifier=Verifier((weight,), (np.array([0.0, 1.0], np.float32),)))
    sure = np.full((7, 3), 0.25, np.float32) + 0.25 * np.eye(3, dtype=np.float32)[queries.labels]
    verdict = decide(Answers(queries.labels, sure), carrying)
    assert (verdict.measure, verdict.one_hot) == ("verifier", False)
    assert verdict.score == pytest.approx(1 / (1 + np.exp(4 * 0.5 - 1)))
    known = Benchmark(independent_accused=Proportion(1, 4), missed=Proportion(1, 3))
    assert decide(Answers(queries.labels, sure), carrying, known).benchmark == known
    blind = decide(Answers(queries.labels), carrying, known)
    assert blind.one_hot is True
    assert blind.benchmark is None  # of suspects that gave probabilities
    assert blind.score == pytest.approx(1 / (1 + np.exp(4 - 1)))
    assert blind.query_set_digest == verdict.query_set_digest != queries.digest


@pytest.mark.parametrize("threshold", [None, "0.5", True, -0.1, 1.1, float("nan")])
def test_a_card_without_a_usable_threshold_is_refused(queries: QuerySet, threshold: object) -> None:
    spoilt = replace(queries, card={**queries.card, "threshold": threshold})
    with pytest.raises(ArtifactError, match=f"expected a threshold in .0, 1., got {threshold!r}; restore it"):
        decide(answering(spoilt, 3), spoilt)
    with pytest.raises(ArtifactError, match="expected a threshold"):
        check_card(spoilt)


@pytest.mark.parametrize("scheme", [None, "", 7])
def test_a_card_without_a_scheme_is_refused(queries: QuerySet, scheme: object) -> None:
    spoilt = replace(queries, card={**queries.card, "scheme": scheme})
    with pytest.raises(ArtifactError, match=f"card: expected the name of a scheme, got {scheme!r}; restore it"):
        decide(answering(spoilt, 3), spoilt)
    with pytest.raises(ArtifactError, match="expected the name of a scheme"):
        check_card(spoilt)


@pytest.mark.parametrize("spoilt", ["answers", "verifier"])
def test_a_score_that_is_no_number_is_no_verdict(queries: QuerySet, spoilt: str) -> None:
    """It reaches no threshold, and a thief would leave as honest."""
    weight, probabilities = np.zeros((2, 21), np.float32), np.full((7, 3), 1 / 3, np.float32)
    (probabilities if spoilt == "answers" else weight)[0, 0] = np.nan
    carrying = replace(queries, verifier=Verifier((weight,), (np.zeros(2, np.float32),)))
    with pytest.raises(SuspectError, match=r"expected a score in \[0, 1\], got nan; check the suspect's answers and"):
        decide(Answers(queries.labels, probabilities), carrying)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 300), st.floats(0.5, 0.999))
def test_intervals_are_those_of_scipy(data: st.DataObject, total: int, confidence: float) -> None:
    count = data.draw(st.integers(0, total))
    expected = binomtest(count, total).proportion_ci(confidence, method="exact")
    assert Proportion(count, total).interval(confidence) == pytest.approx((expected.low, expected.high), abs=1e-10)


def test_intervals_of_large_totals_are_those_of_scipy() -> None:
    expected = binomtest(1234, 5000).proportion_ci(0.95, method="exact")
    assert Proportion(1234, 5000).interval() == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("count", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_proportions_are_refused(count: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"expected a count from 0 to a total of at least 1, got {count} of {total}"):
        Proportion(count, total)


@pytest.fixture
def metrics(queries: QuerySet) -> dict[str, Any]:
    """What the evaluation writes: of 3 thieves one is missed; one of 4 independent models and of 2 twins is accused."""
    counts = {"independent_accused": (1, 4), "trained_accused": (1, 2), "missed": (1, 3)}
    verdicts: dict[str, Any] = {name: Proportion(*counted).to_json() for name, counted in counts.items()}
    verdicts["thieves"] = {"prune": {"suspects": 3, "accused": 2, "stolen": 1}}
    return {"query_set": queries.digest, "threshold": 0.6, "calibration": None, "verdicts": verdicts}


def test_a_verdict_states_the_error_rates_of_the_benchmark(
    queries: QuerySet, metrics: dict[str, Any], tmp_path: Path
) -> None:
    write_json(tmp_path / "naturalfinger.json", metrics)
    benchmark = load_benchmark(tmp_path / "naturalfinger.json", queries)
    assert benchmark == Benchmark(Proportion(1, 4), Proportion(1, 3), Proportion(1, 2), {"prune": Found(3, 2, 1)})
    record = json.loads(json.dumps(decide(answering(queries, 6), queries, benchmark).to_json()))["benchmark"]
    assert record["independent_accused"]["rate"] == 0.25
    low, high = binomtest(1, 4).proportion_ci(0.95, method="exact")
    assert (record["independent_accused"]["low"], record["independent_accused"]["high"]) == pytest.approx((low, high))
    assert (record["missed"]["count"], record["missed"]["total"]) == (1, 3)
    assert record["trained_accused"]["count"] == 1
    assert record["thieves"] == {"prune": {"suspects": 3, "accused": 2, "stolen": 1}}


def test_a_zoo_without_twins_has_no_rate_of_theirs(queries: QuerySet, metrics: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "m.json", {**metrics, "verdicts": {**metrics["verdicts"], "trained_accused": None}})
    benchmark = load_benchmark(tmp_path / "m.json", queries)
    assert benchmark.trained_accused is None
    assert "trained_accused" not in benchmark.to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_set": "0" * 64}, "expected the query_set [0-9a-f]{64}, got 0{64}; evaluate these queries first"),
        ({"threshold": 0.5}, "expected the threshold 0.6, got 0.5"),
        ({"calibration": "0" * 64}, "expected the calibration None, got 0{64}"),
        ({"verdicts": None}, "expected counts under 'verdicts'"),
        ({"verdicts": {"missed": {"count": 1, "total": 2}}}, "expected counts under 'verdicts'.*independent_accused"),
        (
            {"verdicts": {"independent_accused": {"count": 0, "total": 0}}},
            "expected counts under 'verdicts', got .*0 of 0",
        ),
    ],
)
def test_error_rates_of_other_verdicts_are_refused(
    queries: QuerySet, metrics: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {**metrics, **change})
    with pytest.raises(ArtifactError, match=message):
        load_benchmark(path, queries)


def test_evidence_names_the_file_and_the_versions(queries: QuerySet, tmp_path: Path) -> None:
    path = tmp_path / "suspect.onnx"
    path.write_bytes(b"bytes of a suspect")
    verdict = decide(answering(queries, 6), queries)
    found = FoundInterface(Interface(layout="nhwc", kind="probabilities"), 60, 64, 12, (0,) * 64)
    record = evidence(
        verdict, str(path), Examined(answering(queries, 6), found, Interface(layout="nhwc"), 0.9), queries
    )
    assert record["output"] == "probabilities"
    assert record["asked"] == {
        "interface": {"layout": "nhwc", "kind": "probabilities"},
        "stated": ["layout"],
        "controls": {"asked": 64, "right": 60, "ways_tried": 12},
        "sense": 0.9,
    }
    assert record.items() >= verdict.to_json().items()
    digest = hashlib.sha256(b"bytes of a suspect").hexdigest()
    assert record["suspect"] == {"file": "suspect.onnx", "sha256": digest, "bytes": 18}
    assert record["versions"]["numpy"] == np.__version__
    extras = {"openvino", "ai-edge-litert"} if find_spec("openvino") else set()
    assert set(record["versions"]) == {"nf", "numpy", "onnx", "onnxruntime", "python"} | extras
    json.dumps(record)


def test_evidence_of_a_missing_file_is_refused(queries: QuerySet, tmp_path: Path) -> None:
    with pytest.raises(SuspectError, match=r"nothing.onnx: expected the suspect's file, cannot read it: No such file"):
        evidence(
            decide(answering(queries, 6), queries),
            str(tmp_path / "nothing.onnx"),
            Examined(answering(queries, 6), None, Interface(), None),
            queries,
        )


def test_no_verdict_has_a_reason_and_no_score(queries: QuerySet) -> None:
    record = no_verdict("it is constant", queries, "https://host/v2/models/m", Interface(size=(8, 8)))
    assert (record["outcome"], record["stolen"], record["reason"]) == ("no verdict", None, "it is constant")
    assert record["stated"] == {"size": [8, 8]}
    assert record["suspect"] == {"address": "https://host/v2/models/m"}
    json.dumps(record)
