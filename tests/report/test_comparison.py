"""The comparison on made-up results: what each table and figure says must be what went in."""

import html
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nf.core.errors import ConfigError
from nf.report import ComparisonInputs, write_comparison
from nf.report.comparison import comparison_figures, extended_table
from nf.report.paper import PAPER_PROFILES
from nf.report.ranking import failures, reach, standings
from nf.report.variants import Spread, ablation_rows, gan_rows, other_rows, variant_rows


@pytest.fixture(scope="module")
def inputs(comparison):
    return comparison[0]


@pytest.fixture(scope="module")
def folder(comparison):
    return comparison[1]


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text()


@pytest.fixture(scope="module")
def text(page):
    return text_of(page)


def text_of(page):
    page = re.sub(r"<(style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\N{EN DASH}", "-").split())


def test_page_fetches_nothing_and_its_ids_are_unique(page):
    assert "<script" not in page
    targets = [a or b for a, b in re.findall(r'(?:\bsrc|\bhref|\baction)="([^"]*)"|url\(([^)]*)\)', page)]
    assert all(target.startswith(("data:", "#")) for target in targets)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<a href="#([^"]+)">', page)) <= set(ids)


def test_every_figure_of_the_paper_is_a_file_and_on_the_page(folder, page):
    names = {path.stem for path in (folder / "figures").iterdir()}
    assert names == {
        "figure-2-labels",
        "figure-4-curves",
        "figure-5-adversarial",
        "figure-6-modifications",
        "figure-7-extractions",
        "figure-8-queries",
        "figure-9-gans",
        "budget",
        "table-3-ablation",
        "plus-naturalfinger",
        "plus-metav",
    }
    for name in names:
        ET.parse(folder / "figures" / f"{name}.svg")
        assert f'<figure id="{name}">' in page


def test_twins_give_the_headline_and_their_table(text):
    assert "NaturalFinger calls 0 of 2 honest twins stolen" in text
    assert "1 of 2 1.3-98.7% mean 50% 1 of 1 2.5-100.0% mean 70% 2 of 2 15.8-100.0% mean 95% 1 of 2" in text
    assert "ResNet18 60% 10% VGG16-BN 40% 20%" in text


def test_verdicts_of_all_schemes_stand_beside_each_other_at_their_levels(inputs, text):
    own, other = (scheme.evaluation for scheme in inputs.schemes)
    assert own["verdicts"]["levels"] == {"independent": 0.01, "trained": 0.05}
    assert f"NaturalFinger 1%, 5% {own['calibrated']['aruc']:.3f}" in text
    accused, called = (63 - own["verdicts"][rate]["count"] for rate in ("missed", "not_called_stolen"))
    assert f"{accused} of 63" in text
    assert f"{called} of 63" in text
    # Without calibration there is no level, and nothing is ever called stolen.
    assert (other["verdicts"]["levels"], other["calibrated"]) == (None, None)
    assert other["verdicts"]["not_called_stolen"]["count"] == 63
    assert "MetaV none - - " in text
    found = own["verdicts"]["thieves"]["prune"]
    assert f"{found['accused'] / found['suspects']:.0%}, {found['stolen'] / found['suspects']:.0%} of 9" in text


def test_without_a_level_the_headline_is_about_the_threshold(inputs, tmp_path):
    write_comparison(replace(inputs, schemes=inputs.schemes[1:]), tmp_path)
    assert "MetaV accuses 0 of 2 honest twins" in text_of((tmp_path / "index.html").read_text())


def test_the_extended_figure_shows_its_suspects_and_none_of_the_154(inputs):
    (panel,) = comparison_figures(inputs)["plus-naturalfinger"].axes
    marks = [mark.get_offsets()[:, 0] for mark in panel.collections if len(mark.get_offsets())]
    assert sorted(np.concatenate(marks)) == pytest.approx([30, 40, 60, 70, 80, 90, 100])
    assert {row.attack for row in extended_table(inputs.schemes[0].table).rows} == {
        "twin",
        "cross-data",
        "compressed",
        "defended",
    }


def test_standings_name_the_better_scheme_where_there_is_one(inputs, text):
    found = {line.measure: line for line in standings(inputs.schemes, {})}
    own, other = (scheme.evaluation for scheme in inputs.schemes)
    assert ("ARUC" in found) == (other["aruc"] > own["aruc"])
    twins = found["Twins accused at the threshold"]
    assert (twins.best, twins.best_value, twins.own_value) == ("MetaV", "0%", "50%")
    assert "Compressed copies recognised" not in found  # a tie
    assert "Twins accused at the threshold MetaV 0% 50%" in text
    assert standings(inputs.schemes[:1], inputs.detection) == []


def test_reach_is_by_distance_from_the_training_models(inputs):
    """The made-up zoo trains on ResNet34 alone, so suspects with it are few and of every role."""
    table = inputs.schemes[0].table
    training, near, far = reach(inputs.schemes[0])
    assert training.stolen == table.by_suspect()["distill-resnet34-source-t1"].score
    rows = table.select(pool="suspects", role="positive").rows
    assert near.stolen == pytest.approx(np.mean([r.score for r in rows if r.architecture == "resnet34"]))
    assert far.stolen == pytest.approx(np.mean([r.score for r in rows if r.architecture != "resnet34"]))
    assert far.honest < near.stolen


def test_failures_add_up_to_the_errors_at_the_threshold(inputs):
    for scheme in inputs.schemes:
        errors, lines = scheme.evaluation["at_threshold"], failures(scheme)
        assert sum(line.missed for line in lines) == errors["false_negatives"]
        assert sum(line.accused for line in lines) == errors["false_positives"]
        assert all(line.missed + line.accused > 0 for line in lines)


def test_student_interval_is_scipys():
    values = [0.8, 0.9, 0.85]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    spread = Spread.of(values, 0.95)
    assert (spread.mean, spread.low, spread.high) == (pytest.approx(0.85), pytest.approx(low), pytest.approx(high))
    assert Spread.of([0.5], 0.95) == Spread(0.5, None, None)
    assert Spread.of([0.1, 0.9], 0.95) == Spread(pytest.approx(0.5), 0.0, 1.0)


def test_ablation_takes_variants_of_the_three_parts_alone(inputs, text):
    rows = ablation_rows(variant_rows(inputs.variants, 0.95))
    assert [(r.label, r.transform, r.discriminator) for r in rows] == [
        (False, False, "none"),
        (True, True, "corrected"),
    ]
    assert [row.paper for row in rows] == [0.79, None]
    assert rows[1].accused == pytest.approx(0.1)
    assert rows[1].twins_accused == pytest.approx(0.2)
    assert "- - - 0.500 10.0% 20.0% 10.0% 1 ✓ ✓ corrected 0.850" in text
    assert "twins 0.725" in text
    assert "queries 20, training models 8, epochs 30" in text


def test_figure_9_has_the_scheme_as_it_is_and_variants_of_its_gan(inputs, text):
    rows = gan_rows(variant_rows(inputs.variants, 0.95))
    assert [(row.gan, row.seeds) for row in rows] == [("sagan", 3), ("wgan_gp", 1)]
    assert "WGAN-GP 0.600 10.0% 20.0% 10.0% 1" in text
    assert "figure-9-gans" in comparison_figures(inputs)
    alone = replace(inputs, variants=tuple(record for record in inputs.variants if record["variant"] == "none"))
    assert "figure-9-gans" not in comparison_figures(alone)


def test_other_variants_stand_beside_the_scheme_as_it_is_and_it_does_not_stand_alone(inputs):
    rows = variant_rows(inputs.variants, 0.95)
    assert [row.name for row in other_rows(rows)] == ["label-transform-corrected", "twins"]
    assert other_rows([row for row in rows if row.name != "twins"]) == []


def test_a_variant_short_of_queries_is_said_to_be(inputs, tmp_path):
    short = {key: value for key, value in inputs.variants[3].items() if key != "metrics"} | {"shortage": "got 3"}
    write_comparison(replace(inputs, schemes=inputs.schemes[:1], variants=(inputs.variants[0], short)), tmp_path)
    assert "- - - too few queries - - - 0 (1 short of queries)" in text_of((tmp_path / "index.html").read_text())


def test_detection_and_how_well_detectors_work(text):
    assert "NaturalFinger 12.5% ± 1.0% 50.0% ± 1.0% 25.0% ± 1.0%" in text
    assert "NaturalFinger noise and FGSM 97.0% noise 99.0%, fgsm 96.0%" in text


def test_detectors_that_judge_all_schemes_stand_once(inputs, tmp_path):
    own = inputs.detection["naturalfinger"]
    other = own | {"half_of_queries": own["half_of_queries"] | {"accuracy": {"normal": 0.5}}}
    write_comparison(replace(inputs, detection={"naturalfinger": own, "metav": other}), tmp_path)
    shown = text_of((tmp_path / "index.html").read_text())
    assert shown.count("97.0% noise 99.0%, fgsm 96.0%") == 1
    assert "all noise and FGSM 97.0% noise 99.0%, fgsm 96.0%" in shown
    for name, share in (("NaturalFinger", "97.0%"), ("MetaV", "50.0%")):
        assert f"{name} half of the queries {share}" in shown


def test_one_gan_alone_is_not_called_the_highest(inputs):
    alone = replace(inputs, variants=inputs.variants[:3])
    assert comparison_figures(inputs)["figure-9-gans"].axes[0].get_title("left").startswith("Highest: ")
    assert comparison_figures(alone)["figure-9-gans"].axes[0].get_title("left") == ""


def test_times_of_variants_are_summed(text):
    assert "zoo 1 1 min 0 s variant 2 30.0 s" in text


@pytest.mark.parametrize("profile", PAPER_PROFILES)
def test_papers_numbers_stand_beside_ours_on_cifar10_alone(inputs, text, tmp_path, profile):
    assert "in the paper" not in text
    write_comparison(replace(inputs, profile=profile), tmp_path)
    shown = text_of((tmp_path / "index.html").read_text())
    assert f"NaturalFinger {inputs.schemes[0].evaluation['aruc']:.3f}" in shown
    assert " 0.911 " in shown
    assert " 0.778 " in shown
    assert "- - - 0.500 0.790" in shown


def test_missing_parts_are_said_plainly(inputs, tmp_path):
    own = inputs.schemes[0]
    bare = replace(
        own,
        queries=None,
        table=own.table.select(pool="suspects"),
        evaluation={**own.evaluation, "plus": {}, "verdicts": None},
    )
    empty = ComparisonInputs("digits", "little", (bare,))
    write_comparison(empty, tmp_path)
    shown = text_of((tmp_path / "index.html").read_text())
    assert f"NaturalFinger reaches an ARUC of {own.evaluation['aruc']:.3f}" in shown
    for part in ("FingerBench+", "Detection of queries", "The ablation", "Time by stage"):
        assert f"{part}: not measured on this machine." in shown
    assert "There is no other scheme to compare with yet." in shown


def test_labels_figure_needs_labels_of_honest_models(inputs):
    own = inputs.schemes[0]
    silent = replace(own, queries=replace(own.queries, negative_labels=np.full(100, -1)))
    assert "figure-2-labels" not in comparison_figures(replace(inputs, schemes=(silent,)))
    texts = [t.get_text() for panel in comparison_figures(inputs)["figure-2-labels"].axes for t in panel.texts]
    pairs = zip(own.queries.labels[:10], own.queries.negative_labels[:10], strict=True)
    assert texts == [f"class{label}" for pair in pairs for label in pair]


def test_queries_figure_shows_the_pixels(inputs):
    panels = comparison_figures(inputs)["figure-8-queries"].axes
    assert len(panels) == 20
    np.testing.assert_array_equal(panels[11].images[0].get_array(), inputs.schemes[1].queries.images[1, 0])


def test_equal_inputs_give_equal_bytes(inputs, folder, tmp_path):
    write_comparison(inputs, tmp_path)
    for path in (folder / "index.html", *(folder / "figures").iterdir()):
        assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes(), path.name


def test_without_a_scheme_it_is_refused(inputs, tmp_path):
    with pytest.raises(ConfigError, match="expected the results of at least one scheme, got none"):
        write_comparison(replace(inputs, schemes=()), tmp_path)


def test_of_all_variants_is_said_what_holds_for_all(inputs, tmp_path):
    shared = [*inputs.variants[:3], {**inputs.variants[3], "training_models": 99}]
    write_comparison(replace(inputs, variants=tuple(shared)), tmp_path)
    said = (
        text_of((tmp_path / "index.html").read_text()).partition("Every variant was made with ")[2].partition(", so")[0]
    )
    assert said.startswith(f"queries {inputs.variants[0]['queries']}")
    assert "training models" not in said
