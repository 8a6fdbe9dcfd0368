import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from nf.core.answers import Answers
from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import write_json
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.core.verifier import Verifier
from nf.evaluation.evaluate import evaluate
from nf.suspects import Examined, Interface
from nf.suspects.probe import Found
from nf.verdict import Calibration, check_card, decide, evidence, load_calibration, no_verdict


def answering(queries: QuerySet, matches: int) -> Answers:
    """The answers of a suspect that agrees with thieves on so many queries."""
    return Answers(np.where(np.arange(len(queries)) < matches, queries.labels, queries.labels + 1))


@pytest.mark.parametrize(("matches", "stolen"), [(0, False), (4, False), (5, True), (7, True)])
def test_a_suspect_at_the_threshold_is_stolen(queries: QuerySet, matches: int, stolen: bool) -> None:
    at = replace(queries, card={**queries.card, "threshold": 5 / 7})
    verdict = decide(answering(queries, matches), at)
    assert verdict.stolen is stolen
    assert verdict.to_json() == {
        "scheme": "naturalfinger",
        "measure": "matching rate",
        "score": matches / 7,
        "threshold": 5 / 7,
        "stolen": stolen,
        "one_hot": False,
        "queries": 7,
        "query_set_digest": queries.digest,
        "calibration": None,
    }


def test_a_verifier_decides_where_the_queries_carry_one(queries: QuerySet) -> None:
    """One that doubts whoever puts the first query into class 0; labels reach it as one-hot vectors, and it says so."""
    weight = np.zeros((2, 21), np.float32)
    weight[0, 0] = 4.0
    carrying = replace(queries, verifier=Verifier((weight,), (np.array([0.0, 1.0], np.float32),)))
    sure = np.full((7, 3), 0.25, np.float32) + 0.25 * np.eye(3, dtype=np.float32)[queries.labels]
    verdict = decide(Answers(queries.labels, sure), carrying)
    assert (verdict.measure, verdict.one_hot) == ("verifier", False)
    assert verdict.score == pytest.approx(1 / (1 + np.exp(4 * 0.5 - 1)))
    known = Calibration(false_accusation=Proportion(1, 4), miss=Proportion(1, 3))
    assert decide(Answers(queries.labels, sure), carrying, known).calibration == known
    blind = decide(Answers(queries.labels), carrying, known)
    assert blind.one_hot is True
    assert blind.calibration is None  # of suspects that gave probabilities
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
    """What the evaluation writes: of 3 positives one is missed, of 4 negatives one is accused."""
    rows = [(f"p{i}", "positive", s) for i, s in enumerate((0.9, 0.6, 0.2))]
    rows += [(f"n{i}", "negative", s) for i, s in enumerate((0.1, 0.7, 0.3, 0.59))]
    table = ScoreTable(tuple(Score(n, "suspects", role, "train", "", "resnet18", "", s, 7) for n, role, s in rows))
    done = evaluate(
        table, scheme="naturalfinger", query_set=queries.digest, threshold=0.6, resamples=10, confidence=0.95, seed=0
    )
    return done.to_json()


def test_a_verdict_states_the_error_rates_of_the_benchmark(
    queries: QuerySet, metrics: dict[str, Any], tmp_path: Path
) -> None:
    write_json(tmp_path / "naturalfinger.json", metrics)
    calibration = load_calibration(tmp_path / "naturalfinger.json", queries)
    assert calibration == Calibration(false_accusation=Proportion(1, 4), miss=Proportion(1, 3))
    record = json.loads(json.dumps(decide(answering(queries, 6), queries, calibration).to_json()))["calibration"]
    assert record["false_accusation"]["rate"] == 0.25
    low, high = binomtest(1, 4).proportion_ci(0.95, method="exact")
    assert (record["false_accusation"]["low"], record["false_accusation"]["high"]) == pytest.approx((low, high))
    assert (record["miss"]["count"], record["miss"]["total"]) == (1, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_set": "0" * 64}, "expected the query_set [0-9a-f]{64}, got 0{64}; evaluate these queries first"),
        ({"threshold": 0.5}, "expected the threshold 0.6, got 0.5"),
        ({"at_threshold": None}, "expected counts of errors under 'at_threshold'"),
        ({"at_threshold": {"false_positives": 1}}, "expected counts of errors under 'at_threshold'.*negatives"),
        (
            {"at_threshold": {"false_positives": 0, "negatives": 0, "false_negatives": 0, "positives": 1}},
            "expected counts of errors .* got 0 of 0",
        ),
    ],
)
def test_error_rates_of_other_verdicts_are_refused(
    queries: QuerySet, metrics: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {**metrics, **change})
    with pytest.raises(ArtifactError, match=message):
        load_calibration(path, queries)


def test_evidence_names_the_file_and_the_versions(queries: QuerySet, tmp_path: Path) -> None:
    path = tmp_path / "suspect.onnx"
    path.write_bytes(b"bytes of a suspect")
    verdict = decide(answering(queries, 6), queries)
    found = Found(Interface(layout="nhwc", kind="probabilities"), 60, 64, 12, (0,) * 64)
    record = evidence(verdict, str(path), Examined(answering(queries, 6), found, Interface(layout="nhwc"), 0.9))
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
    assert set(record["versions"]) == {"nf", "numpy", "onnx", "onnxruntime", "python"}
    json.dumps(record)


def test_evidence_of_a_missing_file_is_refused(queries: QuerySet, tmp_path: Path) -> None:
    with pytest.raises(SuspectError, match=r"nothing.onnx: expected the suspect's file, cannot read it: No such file"):
        evidence(
            decide(answering(queries, 6), queries),
            str(tmp_path / "nothing.onnx"),
            Examined(answering(queries, 6), None, Interface(), None),
        )


def test_no_verdict_has_a_reason_and_no_score(queries: QuerySet) -> None:
    record = no_verdict("it is constant", queries, "https://host/v2/models/m", Interface(size=(8, 8)))
    assert (record["stolen"], record["reason"]) == (None, "it is constant")
    assert record["stated"] == {"size": [8, 8]}
    assert record["suspect"] == {"address": "https://host/v2/models/m"}
    json.dumps(record)
