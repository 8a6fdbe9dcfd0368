"""The page about one verdict."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nf.core.answers import Answers
from nf.core.calibration import Group
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.report import write_evidence_page
from nf.report.evidence_page import one_in
from nf.report.formats import small
from nf.report.score_picture import draw_scores
from nf.suspects import Examined, Interface
from nf.suspects.probe import Found
from nf.verdict import (
    Benchmark,
    Verdict,
    corrected_together,
    critical_score,
    decide,
    evidence,
    no_verdict,
    p_value,
    power,
)

KNOWN = Benchmark(Proportion(1, 91), Proportion(4, 63), Proportion(2, 15))


def record_of(queries: QuerySet, folder: Path, matches: int, **changed: Any) -> dict[str, Any]:
    suspect = folder / "<b>odd.onnx"
    suspect.write_bytes(b"suspect")
    answers = Answers(np.where(np.arange(len(queries)) % 20 < matches, queries.labels, queries.negative_labels))
    controls = queries.controls
    found = None
    if controls is not None:
        found = Found(Interface(layout="nhwc"), 48, 48, 12, tuple(controls.labels.tolist()))
    examined = Examined(answers, found, Interface(), 0.95, controls)
    verdict: Verdict = replace(decide(answers, queries, KNOWN), **changed)
    return evidence(verdict, str(suspect), examined, queries)


def page_of(queries: QuerySet, folder: Path, record: dict[str, Any]) -> str:
    path = folder / "index.html"
    write_evidence_page(path, record, queries)
    assert path.stat().st_size < 1_000_000
    page = path.read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)  # nothing is loaded from elsewhere
    assert "<script" not in page
    assert "<b>odd" not in page
    return page


@pytest.mark.parametrize(
    ("matches", "title", "sentence"),
    [
        (
            20,
            "Stolen: ",
            "fewer than 1 in a million would (p&nbsp;=&nbsp;0.0000010, level&nbsp;5&nbsp;%)",
        ),
        (
            8,
            "Stolen or trained on your data: ",
            "an honest model that was trained on the same data may score like this",
        ),
        (0, "Not shown: ", "It is no proof of innocence"),
        (12, "Not shown: ", "Neither models made from yours nor honest models score like it"),
    ],
)
def test_the_answer_comes_first(calibrated: QuerySet, tmp_path: Path, matches: int, title: str, sentence: str) -> None:
    page = page_of(calibrated, tmp_path, record_of(calibrated, tmp_path, matches))
    heading = re.search(r"<h1>(.*?)</h1>", page)
    assert heading is not None
    assert heading[1].startswith(title)
    assert sentence in page
    assert page.index(sentence) < page.index("<main>")


def knowing(queries: QuerySet, *groups: Group) -> QuerySet:
    """``queries`` whose calibration knows no models but those of ``groups``."""
    known = queries.calibration
    assert known is not None
    places = [place for place, model in enumerate(known.models) if model.group in groups]
    looks = [replace(look, held_out=tuple(look.held_out[place] for place in places)) for look in known.looks]
    models = tuple(known.models[place] for place in places)
    return replace(queries, calibration=replace(known, models=models, looks=tuple(looks)))


def lead_of(page: str) -> str:
    header = page.partition('class="lead">')[2].partition("<nav")[0]
    return " ".join(re.sub(r"<[^>]+>|&nbsp;", " ", header).split())


@pytest.mark.parametrize(
    ("groups", "sentences"),
    [
        (
            ("thief", "twin"),
            (
                "How models that have nothing to do with yours would score is not known to this query set. Of models "
                "that learned from your data but not from your model, fewer than 1 in a million would score so high (",
                "That is rarer than the level that was chosen beforehand.",
            ),
        ),
        (
            ("thief", "independent"),
            (
                "How models that learned from your data would score is not known to this query set.",
                "The first is rarer than the level that was chosen beforehand, the second is not known: an honest",
            ),
        ),
    ],
)
def test_the_answer_claims_nothing_of_models_that_are_not_known(
    calibrated: QuerySet, tmp_path: Path, groups: tuple[Group, ...], sentences: tuple[str, ...]
) -> None:
    queries = knowing(calibrated, *groups)
    lead = lead_of(page_of(queries, tmp_path, record_of(queries, tmp_path, 20)))
    assert all(sentence in lead for sentence in sentences)
    assert "Both are" not in lead


def test_a_chance_is_that_of_one_suspect_and_the_corrected_one_stands_beside_it(
    calibrated: QuerySet, tmp_path: Path
) -> None:
    answers = Answers(np.where(np.arange(20) < 7, calibrated.labels, calibrated.negative_labels))
    verdict = corrected_together([decide(answers, calibrated)] * 5)[0]
    assert verdict.independent is not None
    corrected = {"independent": verdict.independent, "trained": verdict.trained, "suspects": 5}
    page = page_of(calibrated, tmp_path, record_of(calibrated, tmp_path, 7, outcome=verdict.outcome, **corrected))
    once, value = verdict.independent.alone, verdict.independent.value
    said = f"{one_in(once)} would score so high (p = {small(once)}, corrected for 5 suspects together {small(value)}, "
    assert said in lead_of(page)
    assert "among the calibration thieves, by all queries and without a correction<" in page


def test_it_shows_every_query_and_all_that_it_rests_on(calibrated: QuerySet, tmp_path: Path) -> None:
    record = record_of(calibrated, tmp_path, 18)
    page = page_of(calibrated, tmp_path, record)
    assert page.count('<li><img src="data:image/png;base64,') == 20
    assert page.count('<span class="stolen">') == 18 + 1  # and the legend
    assert page.count('<span class="honest">') == 2 + 1
    assert '<span class="stolen">ant</span>' in page
    for each in record["answers"]:
        assert each["sha256"] in page
    assert page.count("<circle") == 12 + 24 + 8
    assert page.count('<line class="level"') == 2
    assert "48 of 48 right, in the best of 12 ways of asking" in page
    assert "1 of 91" in page
    assert "2 of 15" in page
    assert record["suspect"]["sha256"] in page
    assert record["query_set"]["calibration"] in page
    assert 'Pruning</td><td class="number">6</td><td class="number">100%' in page
    assert page == page_of(calibrated, tmp_path, record)


def test_a_set_that_knows_little_says_so(calibrated: QuerySet, tmp_path: Path) -> None:
    bare = replace(calibrated, calibration=None, controls=None, negative_labels=np.full(20, -1))
    page = page_of(bare, tmp_path, record_of(bare, tmp_path, 20, benchmark=None))
    assert "The query set has no calibration" in page
    assert "Not measured: this query set has not been evaluated" in page
    assert "none, so that nothing shows whether it was asked as it should be" in page
    assert "<svg" not in page


def test_no_verdict_has_a_page_too(calibrated: QuerySet, tmp_path: Path) -> None:
    record = no_verdict("it is <constant>", calibrated, "https://host/v2/models/m", Interface())
    page = page_of(calibrated, tmp_path, record)
    assert "<h1>No verdict: https://host/v2/models/m could not be judged</h1>" in page
    assert "It is &lt;constant&gt;." in page
    assert "<li><img" not in page


def test_large_queries_are_reduced(calibrated: QuerySet, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 3, 224, 224), dtype=np.uint8)
    labels = np.zeros(100, np.int64)
    large = QuerySet(noise, labels, labels + 1, calibrated.card)
    page_of(large, tmp_path, record_of(large, tmp_path, 20, benchmark=None))


def test_the_level_is_drawn_where_the_p_value_passes_it(calibrated: QuerySet) -> None:
    known = calibrated.calibration
    assert known is not None
    at = critical_score(known.full, known, "twin", 0.05)
    assert at is not None
    below, above = (p_value(at + step, known.full, known, "twin") for step in (-1e-6, 1e-6))
    assert below is not None
    assert above is not None
    assert below.value > 0.05 >= above.value
    assert critical_score(known.full, known, "twin", 1e-9) is None  # no p-value is so small


def test_the_level_is_drawn_where_no_higher_score_is_within_it(calibrated: QuerySet) -> None:
    """Twins score 1, beyond the level for independent models; what lies between them and thieves is within it."""
    known = calibrated.calibration
    assert known is not None

    def beyond(score: float) -> bool:
        found = p_value(score, known.full, known, "independent")
        return found is not None and found.value <= 0.01

    at = critical_score(known.full, known, "independent", 0.01)
    assert at is not None
    assert beyond(1.0)
    assert not beyond(at - 1e-6)
    assert all(beyond(at + 1e-6 + step) for step in np.linspace(0, 20, 100))
    assert at > 1.0


def test_the_picture_puts_the_suspect_among_the_models(calibrated: QuerySet) -> None:
    known = calibrated.calibration
    assert known is not None
    picture = draw_scores(known, known.full, 4.0)
    assert [row.group for row in picture.rows] == ["thief", "twin", "independent"]
    thieves, twins, independent = ([x for x, _ in row.dots] for row in picture.rows)
    assert max(independent) < min(twins) < picture.suspect < min(thieves)
    assert all(0 <= x <= 100 and 0 < y < picture.height for row in picture.rows for x, y in row.dots)
    assert all(0 <= mark.x <= 100 for mark in (*picture.ticks, *picture.levels))
    spots = [spot for row in picture.rows for spot in row.dots]
    assert len(set(spots)) == len(spots)  # none hides another


def test_power_counts_thieves_by_kind(calibrated: QuerySet) -> None:
    known = calibrated.calibration
    assert known is not None
    assert {kind: (found.thieves, found.stolen) for kind, found in power(known).items()} == {
        "prune": (6, 6),
        "distill": (6, 6),
    }


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (1e-6, "fewer than 1 in a million"),
        (0.000123, "about 1 in 8,100"),
        (0.012, "about 1 in 83"),
        (0.4, "about 40 in 100"),
        (1.0, "about 100 in 100"),
    ],
)
def test_chances_in_words(chance: float, words: str) -> None:
    assert one_in(chance) == words


def test_it_needs_neither_matplotlib_nor_scipy() -> None:
    code = """
import sys
for name in ("matplotlib", "scipy", "sklearn", "torch", "pyarrow"):
    sys.modules[name] = None
from nf.report import write_evidence_page
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.browser
@pytest.mark.parametrize("width", [500, 1280])
def test_it_fits_its_window(browser: Any, calibrated: QuerySet, tmp_path: Path, width: int) -> None:
    page_of(calibrated, tmp_path, record_of(calibrated, tmp_path, 18))
    browser.set_window_size(width, 900)
    browser.get((tmp_path / "index.html").as_uri())
    assert browser.get_log("browser") == []
    inner, whole = browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert whole <= inner


@pytest.mark.parametrize(
    ("suspects", "sentence"),
    [
        (1, "The levels hold for one suspect and one query set. Whoever tries many sets or many suspects has to"),
        (3, "The levels hold for 3 suspects together and one query set. Whoever tries many sets has to correct"),
    ],
)
def test_the_limits_ask_for_no_correction_that_was_made(
    calibrated: QuerySet, tmp_path: Path, suspects: int, sentence: str
) -> None:
    page = page_of(calibrated, tmp_path, record_of(calibrated, tmp_path, 20, suspects=suspects))
    assert sentence in page
    assert page.count("The levels hold for") == 1


def test_the_page_lists_the_files_of_weights(calibrated: QuerySet, tmp_path: Path) -> None:
    record = record_of(calibrated, tmp_path, 20)
    record["suspect"]["beside"] = [{"file": "odd.onnx.data", "sha256": "5" * 64, "bytes": 1234}]
    weights = f"<dt>Weights beside it</dt><dd>odd.onnx.data, 1,234 bytes, SHA-256 <code>{'5' * 64}</code></dd>"
    assert weights in page_of(calibrated, tmp_path, record)
