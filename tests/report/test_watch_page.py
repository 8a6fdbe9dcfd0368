import xml.etree.ElementTree as ET

import pytest

from nf.core.proportions import Proportion
from nf.monitoring import IssuedSet, Observation
from nf.report import WatchedHistory, write_watch_page
from nf.report.figures.watch_history import history_figure
from nf.verdict import Calibration


def observed(day, score=None, queries="a", one_hot=False):
    at, digest = f"2026-11-{day:02}T05:00:00+00:00", queries * 64
    if score is None:
        return Observation(at, digest, error="<b>no</b> such file")
    return Observation(at, digest, score, 0.5, score >= 0.5, one_hot)


HISTORY = (observed(1, 0.2), observed(2, 0.3), observed(3), observed(8, 0.9, "b"))


def test_every_attempt_is_drawn_where_it_belongs():
    (panel,) = history_figure(HISTORY).axes
    lines = {line.get_label(): line for line in panel.get_lines()}
    assert lines["stolen"].get_ydata().tolist() == [90.0]
    assert lines["not stolen"].get_ydata().tolist() == pytest.approx([20.0, 30.0])
    assert len(lines["no answer"].get_xdata()) == 1
    days = lines["threshold"].get_xdata()
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


def test_the_page_says_it_all_and_escapes(tmp_path):
    issued = IssuedSet("b" * 64, "naturalfinger", 1, "2026-11-08T03:00:00+00:00")
    write_watch_page(
        tmp_path / "index.html",
        profile="smoke",
        issued=issued,
        calibration=Calibration(Proportion(5, 91), Proportion(4, 63)),
        suspects=[
            WatchedHistory("shop", HISTORY),
            WatchedHistory("bank", (observed(1),)),
            WatchedHistory("silent", (observed(1, 0.9), observed(2))),
            WatchedHistory("terse", (observed(8, 0.1, "b", one_hot=True),)),
        ],
    )
    page = (tmp_path / "index.html").read_text()
    assert "2 of 4 suspects look stolen" in page  # a verdict stands, whoever falls silent afterwards
    assert "; no answer at 2026-11-02T05:00:00+00:00: &lt;b&gt;no&lt;/b&gt; such file" in page
    assert "honest models accused: 5 of 91 (1.8\N{EN DASH}12.4%)" in page
    assert "&lt;b&gt;no&lt;/b&gt; such file" in page
    # The rates at the top are not those of every verdict: with an older set, or on labels where a verifier judges.
    rows = {line.split('"#')[1].split('"')[0]: line for line in page.split("<tr>") if 'href="#' in line}
    assert {name for name, row in rows.items() if "another query set (aaaaaaaaaaaaaaaa)" in row} == {"silent"}
    assert {name for name, row in rows.items() if "labels only" in row} == {"terse"}
    assert page.count("<svg ") == 4
    assert ET.parse(tmp_path / "shop.svg").getroot().tag.endswith("svg")
