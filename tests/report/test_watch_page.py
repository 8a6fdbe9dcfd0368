import html
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from nf.core.calibration import Calibration, CalibrationModel, Levels, Look
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.monitoring import IssuedSet, Observation, correct
from nf.report import WatchedHistory, write_watch_page
from nf.report.figures.watch_history import history_figure
from nf.verdict import Benchmark, Found, outcome_of

LEVELS = Levels(0.01, 0.05)
BENCHMARK = Benchmark(
    Proportion(5, 91), Proportion(4, 63), Proportion(2, 15), {"distill": Found(15, 14, 9), "prune": Found(18, 18, 18)}
)
PLAIN = QuerySet(np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int64), np.ones(2, np.int64))
CALIBRATED = replace(
    PLAIN,
    calibration=Calibration(
        (CalibrationModel("m", "independent", "train", "m"),), (Look(2, (1.0, 1.0), 0.0, (0.0,)),), LEVELS, 9, 5
    ),
)


def observed(day, score=None, queries="a", one_hot=False, p=None):
    """An attempt: in vain, at a threshold alone, or with the p-values ``p`` against independent and trained models."""
    at, digest = f"2026-11-{day:02}T05:00:00+00:00", queries * 64
    if score is None:
        return Observation(at, digest, error="<b>no</b> such file")
    if p is None:
        outcome = "stolen or trained on your data" if score >= 0.5 else "not shown"
        return Observation(at, digest, score, 0.5, outcome, one_hot=one_hot)
    return Observation(at, digest, score, 0.5, outcome_of(*p, LEVELS), 0.75, *p, LEVELS)


HISTORY = (observed(1, 0.2), observed(2, 0.3), observed(3), observed(8, 0.9, "b"))


def test_every_attempt_is_drawn_where_it_belongs():
    (panel,) = history_figure((*HISTORY, observed(9, 0.8, "b", p=(0.001, 0.001)))).axes
    lines = {line.get_label(): line for line in panel.get_lines()}
    assert lines["stolen"].get_ydata().tolist() == [80.0]
    assert lines["stolen or trained on your data"].get_ydata().tolist() == [90.0]
    assert lines["not shown"].get_ydata().tolist() == pytest.approx([20.0, 30.0])
    assert len(lines["no answer"].get_xdata()) == 1
    days = lines["threshold"].get_xdata()
    assert len(days) == 3  # a verdict with p-values does not go by it
    assert days[1] - days[0] == 1
    upright = [line for line in panel.get_lines() if list(line.get_ydata()) == [0, 1]]
    assert [line.get_xdata()[0] for line in upright] == [days[2]]


def test_one_attempt_is_a_history_too():
    assert len(history_figure((observed(1),)).axes) == 1
    (panel,) = history_figure((observed(1, 0.8),)).axes
    first, last = panel.get_xlim()
    assert last - first == pytest.approx(1)  # days
    (threshold,) = (line for line in panel.lines if line.get_label() == "threshold")
    assert threshold.get_xdata() == [0, 1]  # from side to side


def page_of(folder, queries=CALIBRATED, benchmark=BENCHMARK, **histories):
    verdicts = correct(histories)
    write_watch_page(
        folder / "index.html",
        profile="smoke",
        issued=IssuedSet("b" * 64, "naturalfinger", 1, "2026-11-08T03:00:00+00:00"),
        queries=queries,
        benchmark=benchmark,
        suspects=[WatchedHistory(name, history, verdicts.get(name)) for name, history in histories.items()],
    )
    return (folder / "index.html").read_text()


def text_of(page):
    page = re.sub(r"<(style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\N{EN DASH}", "-").split())


def rows_of(page):
    rows = [line.partition("</tr>")[0] for line in page.split("<tr>")[1:]]
    return {row.split('"#')[1].split('"')[0]: text_of(row) for row in rows if 'href="#' in row}


def test_the_page_begins_with_the_answer_and_the_level_and_hides_no_error(tmp_path):
    thief, copy, bank = ((observed(8, 0.9, "b", p=p),) for p in ((1e-6, 1e-6), (1e-5, 0.9), (0.009, 0.01)))
    page = page_of(tmp_path, thief=thief, copy=copy, bank=bank)
    (headline,) = re.findall("<h1>(.*)</h1>", page)
    assert headline == "Of 3 suspects 1 is stolen and 1 is stolen or trained on your data, at levels of 1% and 5%"
    text, rows = text_of(page), rows_of(page)
    assert "accused with a chance of at most 1%" in text
    assert "Independent models accused 5 of 91 (1.8-12.4%)" in text
    assert "Models trained on your data called stolen 2 of 15 (1.7-40.5%)" in text
    assert "Stolen models missed 4 of 63 (1.8-15.5%)" in text
    assert "Distillation 15 14 of 15 68.1-99.8% 9 of 15 32.3-83.7%" in text
    # P-values: raw, then for three suspects and for the sets to come.
    assert rows["thief"].endswith("stolen 1e-06, 6e-06 1e-06, 6e-06 0.750 0.900 2026-11-08T05:00:00+00:00")
    assert "copy stolen or trained on your data 1e-05, 4e-05 0.9, 1 " in rows["copy"]
    assert "bank not shown 0.009, 0.018 0.01, 0.04 " in rows["bank"]
    assert rows["bank"].endswith("by this verdict alone: stolen")


def test_a_sentence_for_every_answer(tmp_path):
    def headline(**histories):
        return re.findall("<h1>(.*)</h1>", page_of(tmp_path, **histories))[0]

    honest = (observed(1, 0.1, p=(0.5, 0.5)),)
    assert headline(bank=honest) == "Of 1 suspect none is shown to be stolen, at levels of 1% and 5%"
    assert headline(bank=(observed(1),)) == "There is no verdict on any suspect yet"
    assert headline(queries=PLAIN, shop=HISTORY) == (
        "Of 1 suspect 1 is stolen or trained on your data, at no known level, as the query set had no calibration"
    )
    assert headline(bank=honest, shop=HISTORY) == (
        "Of 2 suspects none is shown to be stolen, at levels of 1% and 5%; "
        "1 is stolen or trained on your data, at no known level, as the query set had no calibration"
    )


def test_without_independent_models_there_is_one_level(tmp_path):
    """All honest calibration models learned from the owner's data."""
    twins = tuple(replace(model, group="twin") for model in CALIBRATED.calibration.models)
    alone = replace(CALIBRATED, calibration=replace(CALIBRATED.calibration, models=twins))
    text = text_of(page_of(tmp_path, alone, bank=(observed(1, 0.1, p=(None, 0.5)),)))
    assert "Of 1 suspect none is shown to be stolen, at a level of 5%" in text
    assert "if every suspect is honest, one that learned from your data without your model is called stolen" in text
    assert "1%" not in text.partition("Honest models accused")[0]


def test_the_page_says_what_verdicts_rest_on_and_escapes(tmp_path):
    page = page_of(
        tmp_path,
        PLAIN,
        replace(BENCHMARK, trained_accused=None),
        shop=HISTORY,
        bank=(observed(1),),
        silent=(observed(1, 0.9), observed(2)),
        terse=(observed(8, 0.1, "b", one_hot=True),),
    )
    assert "Of 3 suspects 2 are stolen or trained on your data" in page  # a verdict stands, whoever falls silent later
    assert "; no answer at 2026-11-02T05:00:00+00:00: &lt;b&gt;no&lt;/b&gt; such file" in page
    assert "<b>no" not in page
    assert "called stolen not measured" in text_of(page)
    # The rates at the top are not those of every verdict: with an older set, or on labels where a verifier judges.
    rows = rows_of(page)
    assert {name for name, row in rows.items() if "another query set (aaaaaaaaaaaaaaaa)" in row} == {"silent"}
    assert {name for name, row in rows.items() if "labels only" in row} == {"terse"}
    assert rows["bank"].startswith("bank no verdict")
    assert "at no known level, score 0.900 with a threshold of 0.500" in rows["shop"]
    assert page.count("<svg ") == 4
    assert ET.parse(tmp_path / "shop.svg").getroot().tag.endswith("svg")


def test_the_page_of_a_long_list_links_its_drawings(tmp_path):
    names = [f"shop-{number}" for number in range(21)]
    shown = page_of(tmp_path, **dict.fromkeys(names[:20], HISTORY))
    assert shown.count("<svg ") == 20
    assert '<a href="#shop-3">' in shown
    page = page_of(tmp_path, **dict.fromkeys(names, HISTORY))
    assert "<svg " not in page
    assert all(f'<a href="{name}.svg">{name}</a>' in page and (tmp_path / f"{name}.svg").exists() for name in names)
