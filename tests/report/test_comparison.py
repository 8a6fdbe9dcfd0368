"""The comparison on made-up results: what each table and figure says must be what went in."""

import html
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nf.core.config import PlusConfig
from nf.core.errors import ConfigError
from nf.core.scores import Score, ScoreTable
from nf.evaluation import evaluate_plus
from nf.report import ComparisonInputs, write_comparison
from nf.report.comparison import comparison_figures, plus_table
from nf.report.standing import failures, standings
from nf.report.variants import Spread, ablation_rows, variant_rows
from nf.zoo.fingerbench import fingerbench

PLUS = PlusConfig(
    twins=("resnet18", "vgg16_bn"), cross=("xception",), compressed=("source",), defences=("jpeg", "blur")
)


def with_plus(result, zoo, rates):
    """The scheme's result with FingerBench+ in its table and metrics; ``rates`` come in the zoo's order."""
    specs = fingerbench(replace(zoo, plus=PLUS)).select(pool="plus")
    rows = tuple(Score.of(spec, rate, 100) for spec, rate in zip(specs, rates, strict=True))
    table = ScoreTable(result.table.rows + rows)
    plus = evaluate_plus(table, threshold=result.evaluation["threshold"], resamples=50, confidence=0.95, seed=0)
    return replace(result, table=table, evaluation={**result.evaluation, "plus": plus.to_json()})


def record(name, seed, area, *, twins=False, **changes):
    metrics = {
        "aruc": area,
        "at_threshold": {"false_positives": 9, "negatives": 90, "false_negatives": 6, "positives": 60},
        "plus": {"twin": {"called_stolen": 3, "models": 15}, "aruc_twins": area / 2},
    }
    parameters = {
        "label": changes.get("label", "negative"),
        "transforms": changes.get("transforms", ["identity", "noise"]),
        "discriminator": changes.get("discriminator", "corrected"),
        "epochs": 30,
    }
    changes = changes | ({"twins": True} if twins else {})
    return {
        "variant": name,
        "seed": seed,
        "scheme": "naturalfinger",
        "changes": changes,
        "parameters": parameters,
        "queries": 20,
        "training_models": 8,
        "metrics": metrics,
    }


VARIANTS = (
    *(record("label-transform-corrected", seed, area) for seed, area in enumerate((0.8, 0.9, 0.85))),
    record("none", 0, 0.5, label="random", transforms=["identity"], discriminator="none"),
    *(record("twins", seed, area, twins=True) for seed, area in enumerate((0.7, 0.75))),
)
DETECTION = {
    "naturalfinger": {
        detector: {
            "detection_rate": rate,
            "detection_rate_std": 0.01,
            "runs": [rate] * 3,
            "accuracy": {"normal": 0.97} | kinds,
        }
        for detector, rate, kinds in (
            ("naive", 0.125, {"noise": 0.99, "fgsm": 0.96}),
            ("other_gan", 0.5, {"samples": 0.9}),
            ("half_of_queries", 0.25, {}),
        )
    }
}


@pytest.fixture(scope="module")
def inputs(scheme, zoo):
    own = with_plus(scheme(), zoo, [0.6, 0.4, 0.7, 1.0, 0.9, 0.8, 0.3])
    other = with_plus(scheme("metav", 1, 0.7, 0.45), zoo, [0.1, 0.2, 0.9, 1.0, 1.0, 1.0, 1.0])
    budget = {"queries": [1, 2, 3]} | {
        f"{metric}_{kind}": [0.1, 0.2, 0.3] for metric in ("aruc", "tpr_at_fpr_0") for kind in ("mean", "std")
    }
    return ComparisonInputs(
        profile="digits",
        description="made-up numbers",
        schemes=(own, other),
        class_names=tuple(f"class{i}" for i in range(10)),
        detection=DETECTION,
        variants=VARIANTS,
        budgets={"naturalfinger": budget},
        timings={"zoo": 60.0, "variant@none/0": 10.0, "variant@twins/0": 20.0},
    )


@pytest.fixture(scope="module")
def folder(inputs, tmp_path_factory):
    path = tmp_path_factory.mktemp("comparison")
    write_comparison(inputs, path)
    return path


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
        "budget",
        "table-3-ablation",
        "plus-naturalfinger",
        "plus-metav",
    }
    for name in names:
        ET.parse(folder / "figures" / f"{name}.svg")
        assert f'<figure id="{name}">' in page


def test_twins_give_the_headline_and_their_table(text):
    assert "NaturalFinger accuses 1 of 2 honest twins" in text
    assert "1 of 2 1.3-98.7% mean 50% 1 of 1 2.5-100.0% mean 70% 2 of 2 15.8-100.0% mean 95% 1 of 2" in text
    assert "ResNet18 60% 10% VGG16-BN 40% 20%" in text


def test_plus_figure_shows_its_suspects_and_none_of_the_154(inputs):
    (panel,) = comparison_figures(inputs)["plus-naturalfinger"].axes
    marks = [mark.get_offsets()[:, 0] for mark in panel.collections if len(mark.get_offsets())]
    assert sorted(np.concatenate(marks)) == pytest.approx([30, 40, 60, 70, 80, 90, 100])
    assert {row.attack for row in plus_table(inputs.schemes[0].table).rows} == {
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
    assert (twins.best, twins.best_value, twins.own_value) == ("metav", "0%", "50%")
    assert "Compressed copies recognised" not in found  # a tie
    assert "Twins accused at the threshold metav 0% 50%" in text
    assert standings(inputs.schemes[:1], inputs.detection) == []


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


def test_ablation_takes_variants_of_the_three_parts_alone(text):
    rows = ablation_rows(variant_rows(VARIANTS, 0.95))
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


def test_a_variant_short_of_queries_is_said_to_be(inputs, tmp_path):
    short = {key: value for key, value in VARIANTS[3].items() if key != "metrics"} | {"shortage": "got 3"}
    write_comparison(replace(inputs, schemes=inputs.schemes[:1], variants=(VARIANTS[0], short)), tmp_path)
    assert "- - - too few queries - - - 0 (1 short of queries)" in text_of((tmp_path / "index.html").read_text())


def test_detection_and_how_well_detectors_work(text):
    assert "NaturalFinger 12.5% ± 1.0% 50.0% ± 1.0% 25.0% ± 1.0%" in text
    assert "noise and FGSM (the paper's) 97.0% noise 99.0%, fgsm 96.0%" in text


def test_times_of_variants_are_summed(text):
    assert "zoo 1 1 min 0 s variant 2 30.0 s" in text


def test_papers_numbers_stand_beside_ours_on_cifar10_alone(inputs, text, tmp_path):
    assert "in the paper" not in text
    write_comparison(replace(inputs, profile="cifar10"), tmp_path)
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
        evaluation={**own.evaluation, "plus": {}},
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
