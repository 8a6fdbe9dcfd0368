import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from nf.core.scores import Score, ScoreTable
from nf.evaluation.aruc import aruc
from nf.evaluation.margins import margins
from nf.report.figures import (
    adversarial_figure,
    curves_figure,
    extractions_figure,
    modifications_figure,
    rates_figure,
    to_svg,
)
from nf.report.figures.style import HONEST, STOLEN


@pytest.fixture(scope="module")
def suspects(scheme):
    return scheme().table.select(pool="suspects")


def drawn(panel):
    """(x, y) of every line, by its label."""
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in panel.get_lines()}


def test_curves_are_the_steps_and_the_panel_names_their_area(suspects):
    (panel,) = curves_figure({"NaturalFinger": suspects}, {"NaturalFinger": 0.5}).axes
    robust = drawn(panel)["robustness: stolen models recognised"]
    pos, neg = suspects.select(role="positive").values, suspects.select(role="negative").values
    assert robust[1] == pytest.approx([100 * np.mean(pos >= t) for t in robust[0]])
    unique = drawn(panel)["uniqueness: honest models left alone"]
    assert unique[1] == pytest.approx([100 * np.mean(neg < t) for t in unique[0]])
    assert panel.get_title(loc="left").endswith(f": ARUC {aruc(pos, neg):.3f}")


def test_curves_have_one_panel_a_scheme(suspects):
    names = ("a", "b", "c")
    figure = curves_figure(dict.fromkeys(names, suspects), dict.fromkeys(names, 0.4))
    assert [panel.get_title(loc="left").partition(":")[0] for panel in figure.axes] == list(names)


def test_rates_show_every_suspect_once_at_its_rate_and_in_its_colour(suspects):
    (panel,) = rates_figure(suspects, 0.5).axes
    for role, colour in (("positive", STOLEN), ("negative", HONEST)):
        marks = [c for c in panel.collections if mpl.colors.to_hex(c.get_facecolor()[0]) == colour]
        rates = sorted(x for mark in marks for x, _ in mark.get_offsets())
        assert rates == pytest.approx(sorted(100 * suspects.select(role=role).values))
    assert "62 of 63 stolen models reach the threshold, 0 of 91 honest ones do" in panel.get_title(loc="left")


def test_rates_keep_a_tall_pile_inside_its_group():
    rows = [Score(f"n{i}", "suspects", "negative", "train", "", "resnet18", "", 0.0, 100) for i in range(40)]
    rows.append(Score("p", "suspects", "positive", "prune", "0.1", "resnet18", "", 1.0, 100))
    (panel,) = rates_figure(ScoreTable(tuple(rows)), 0.5).axes
    heights = np.concatenate([mark.get_offsets()[:, 1] for mark in panel.collections if len(mark.get_offsets()) > 1])
    training, pruning = panel.get_yticks()
    assert len(np.unique(heights)) == 40
    assert heights.max() < training
    assert heights.min() > pruning


def test_margins_stand_at_their_levels_and_may_be_negative(suspects):
    losing = replace(suspects.by_suspect()["prune-0.9-source"], score=0.0)
    table = ScoreTable(tuple(losing if row.suspect == losing.suspect else row for row in suspects.rows))
    panels = modifications_figure({"x": table}).axes
    expected = {m.suspect: 100 * m.margin for m in margins(table)}
    for panel, attack in zip(panels, ("finetune", "prune", "noise"), strict=True):
        levels, values = drawn(panel)["x"]
        assert values == pytest.approx([expected[f"{attack}-{level}-source"] for level in levels])
    levels, values = drawn(panels[1])["x"]
    assert levels == [f"0.{tenth}" for tenth in range(1, 10)]
    assert values[-1] < 0
    assert panels[1].get_ylim()[0] < values[-1]
    assert panels[1].get_title(loc="left").startswith(f"Pruning: \N{MINUS SIGN}{-values[-1]:.0f} to ")


def test_adversarial_training_shows_both_lines(suspects):
    (panel,) = adversarial_figure({"x": suspects}).axes
    rows = suspects.by_suspect()
    for label, victim in (("stolen model", "source"), ("its mirror", "mirror")):
        levels, rates = drawn(panel)[label]
        assert len(levels) == 10
        assert rates == pytest.approx([100 * rows[f"adversarial-{level}-{victim}"].score for level in levels])


def test_extractions_name_all_architectures_at_their_margins(suspects):
    figure = extractions_figure({"x": suspects})
    expected = {m.suspect: 100 * m.margin for m in margins(suspects)}
    for panel, attack in zip(figure.axes, ("distill", "knockoff"), strict=True):
        names = [label.get_text() for label in panel.get_yticklabels()]
        assert (len(names), names[0], names[-1]) == (15, "DenseNet121", "Xception")
        values, heights = drawn(panel)["x"]
        by_name = {names[-round(height)]: value for value, height in zip(values, heights, strict=True)}
        assert by_name["VGG16-BN"] == pytest.approx(expected[f"{attack}-vgg16_bn-source"])


def test_figures_without_their_attacks_are_none(suspects):
    trained = ScoreTable(tuple(row for row in suspects.rows if row.attack == "train"))
    for draw in (modifications_figure, adversarial_figure, extractions_figure):
        assert draw({"x": trained}) is None


def test_several_schemes_share_a_panel_and_have_a_key(suspects, scheme):
    tables = {"first": suspects, "second": scheme("other", 1, 0.7).table.select(pool="suspects")}
    figure = extractions_figure(tables)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["first", "second"]
    assert not extractions_figure({"first": suspects}).legends


def test_svg_repeats_byte_by_byte_and_is_well_formed(suspects):
    first, second = (to_svg(rates_figure(suspects, 0.5), "rates", 'all "rates" & more') for _ in range(2))
    assert first == second
    root = ET.fromstring(first)
    assert (root.get("role"), root.get("aria-label")) == ("img", 'all "rates" & more')
    assert "<metadata" not in first


def test_svg_ids_carry_the_name_and_every_reference_finds_its_id(suspects):
    svg = to_svg(curves_figure({"x": suspects}, {"x": 0.5}), "curves", "curves")
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    assert all(name.startswith("curves-") for name in ids)
    references = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    assert references
    assert references <= ids


def test_svg_takes_its_colours_from_the_page(suspects):
    svg = to_svg(rates_figure(suspects, 0.5), "rates", "rates")
    assert f"var(--stolen, {STOLEN})" in svg
    assert not re.search(r"(?:fill|stroke): #(?!ffffff|000000)", svg)


def test_names_are_drawn_as_they_are(suspects):
    svg = to_svg(curves_figure({"$x$ <b>&": suspects}, {"$x$ <b>&": 0.5}), "curves", "curves")
    assert "$x$ &lt;b&gt;&amp;: " in svg


def test_drawing_leaves_the_settings_of_matplotlib_alone(suspects):
    def settings():
        # Asking for the backend chooses one.
        return {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}

    before = settings()
    to_svg(rates_figure(suspects, 0.5), "rates", "rates")
    assert settings() == before
