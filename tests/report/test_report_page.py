import base64
import html
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nf.core.errors import ArtifactError
from nf.core.proportions import Proportion
from nf.core.scores import ScoreTable
from nf.core.verifier import Verifier
from nf.report import GanResult, ParitySummary, ZooAccuracy, write_report
from nf.report.formats import duration, percent, points, quantity
from nf.report.paper import PAPER_PROFILES

NEWER = ("calibrated", "verdicts")  # than the first metrics files


def render(inputs, tmp_path):
    path = tmp_path / "report" / "index.html"
    write_report(inputs, path)
    return path.read_text()


def text_of(page):
    """What a reader sees, without drawings; dashes are hyphens."""
    page = re.sub(r"<(style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\N{EN DASH}", "-").split())


@pytest.fixture(scope="module")
def page(full):
    return full[1].read_text()


def test_page_fetches_nothing(page):
    assert "<script" not in page
    fetched = re.findall(r'(?:\bsrc|\bhref|\baction)="([^"]*)"|url\(([^)]*)\)|@import', page)
    targets = [a or b for a, b in fetched]
    assert len(targets) > 100
    assert all(target.startswith(("data:", "#")) for target in targets)
    # Namespaces are names and not addresses.
    assert not re.findall(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]*"', "", page))


def test_headline_and_cards_state_the_evaluation(full, page):
    text = text_of(page)
    result = full[0].scheme.evaluation
    verdicts = result["verdicts"]
    recognised = 63 - verdicts["missed"]["count"]
    assert f"NaturalFinger recognises {recognised} of 63 stolen models and accuses 0 of 91 honest ones" in text
    assert "at levels of 1% over independent models and 5% over models that learned from the owner's data" in text
    assert "0.50 1 of 63 0.0-8.5% 0 of 91 0.0-4.0%" in text  # at the threshold
    for key in ("aruc", "roc_auc", "tpr_at_fpr_0"):
        assert f"{result[key]:.3f} 95%: {result[f'{key}_low']:.3f}-{result[f'{key}_high']:.3f}" in text


def test_verdicts_are_counted_by_kind_beside_both_scores(full, page):
    text, result = text_of(page), full[0].scheme.evaluation
    verdicts, calibrated = result["verdicts"], result["calibrated"]
    assert f"matching rate {result['aruc']:.3f}" in text
    assert f"calibrated score {calibrated['aruc']:.3f}" in text
    found = verdicts["thieves"]["distill"]
    low, high = (100 * bound for bound in Proportion(found["accused"], found["suspects"]).interval())
    shown = f"Distillation {found['suspects']} {found['accused']} of {found['suspects']} {low:.1f}-{high:.1f}%"
    assert shown in text
    assert re.search(
        r"0 of 91, 0 of \d+ lineages \(0\.0-\d+\.\d%\) not measured", text
    )  # no twins among these suspects


def test_verdicts_without_a_level_say_so(small, scheme, tmp_path):
    plain = scheme("metav")
    text = text_of(render(small(scheme=replace(plain, table=small().scheme.table)), tmp_path))
    assert "a score of 0.50 or more, a threshold chosen on training models alone" in text
    assert "The query set has no calibration, so its verdicts have no level" in text


def test_what_calibration_models_do_not_stand_for_is_said(full, small, tmp_path):
    """Thieves of an attack that none of them was made by, and honest models where all are the owner's own twins."""
    inputs = full[0]
    known = inputs.scheme.queries.calibration
    assert "how many of such thieves are missed is not known" in text_of(render(inputs, tmp_path))
    models = tuple(replace(model, group="twin") if model.group == "independent" else model for model in known.models)
    queries = replace(inputs.scheme.queries, calibration=replace(known, models=models))
    text = text_of(render(replace(inputs, scheme=replace(inputs.scheme, queries=queries)), tmp_path))
    assert "All honest calibration models learned from the owner's own images" in text
    assert "Nothing is called stolen or trained on your data ." in text
    assert "All honest" not in text_of(render(inputs, tmp_path))


def test_metrics_without_verdicts_are_shown(small, scheme, tmp_path):
    inputs = small()
    known = {key: inputs.scheme.evaluation[key] for key in inputs.scheme.evaluation if key not in NEWER}
    text = text_of(render(replace(inputs, scheme=replace(inputs.scheme, evaluation=known)), tmp_path))
    assert "NaturalFinger recognises 62 of 63 stolen models and accuses 0 of 91 honest ones" in text


def test_table_lists_every_suspect_with_rate_and_verdict_and_no_training_model(full, page):
    table = full[0].scheme.table
    rows = {
        name: text_of(row)
        for name, row in re.findall(r"<tr[^>]*><td><code>([^<]+)</code></td>(.*?)</tr>", page, flags=re.DOTALL)
    }
    suspects = table.select(pool="suspects")
    assert list(rows) == [row.suspect for row in suspects.rows]
    for row in suspects.rows:
        origin = "stolen" if row.role == "positive" else "honest"
        verdict = "stolen" if row.score >= 0.5 else "honest"
        mark = ", wrong" if origin != verdict else ""
        assert rows[row.suspect].endswith(f"{100 * row.score:.1f}% {origin} {verdict}{mark}")
    assert page.count('<tr class="wrong">') == 1
    assert len(table.rows) == 156
    assert "-t1" not in page


def test_every_query_stands_over_both_its_labels(small, tmp_path):
    names = tuple(f"class{i}" for i in range(10))
    inputs = small(class_names=names)
    page = render(inputs, tmp_path)
    tiles = re.findall(
        r'<li><img src="data:image/png;base64,([^"]+)" alt="Query \d+"><span class="stolen">(\w+)</span>'
        r'<span class="honest">(\w+)</span></li>',
        page,
    )
    queries = inputs.scheme.queries
    assert [tile[1] for tile in tiles] == [names[label] for label in queries.labels]
    assert [tile[2] for tile in tiles] == [names[label] for label in queries.negative_labels]
    assert base64.b64decode(tiles[0][0]).startswith(b"\x89PNG")


def test_query_without_a_second_label_shows_one(small, tmp_path):
    result = small().scheme
    queries = replace(result.queries, negative_labels=np.full(100, -1))
    page = render(small(scheme=replace(result, queries=queries)), tmp_path)
    assert len(re.findall(r'<li><img [^>]+><span class="stolen">\d</span></li>', page)) == 100


def test_a_score_is_what_the_scheme_measures(small, tmp_path):
    result = small().scheme
    own = text_of(render(small(), tmp_path))
    assert "Its score is its matching rate: the share of them that it labels as the source model does." in own
    verifier = Verifier((np.zeros((2, 1000), np.float32),), (np.zeros(2, np.float32),))
    judged = small(scheme=replace(result, queries=replace(result.queries, verifier=verifier)))
    text = text_of(render(judged, tmp_path))
    assert "Its score is how likely the scheme's verifier takes it for stolen" in text
    assert "matching rate" not in text.lower()


def test_accuracies_are_grouped_by_attack_and_architecture(small, tmp_path):
    accuracies = (
        ZooAccuracy("a", "vgg16_bn", "distill", "positive", 0.9),
        ZooAccuracy("b", "vgg16_bn", "distill", "positive", 0.8),
        ZooAccuracy("c", "xception", "distill", "negative", 0.75),
    )
    text = text_of(render(small(accuracies=accuracies), tmp_path))
    assert "Distillation 2 85.0 80.0-90.0 1 75.0 75.0-75.0" in text
    assert "VGG16-BN 2 85.0 80.0-90.0 - Xception - 1 75.0 75.0-75.0" in text


def test_gan_parity_timings_and_facts_are_shown(page):
    text = text_of(page)
    assert "Fréchet distance in the features of ResNet18 (frechet_resnet18) 12.34" in text
    assert "170 models were exported" in text
    assert "at most 4.8e-06; no models gave an image another label" in text
    assert "zoo 2 min 33 s" in text
    assert "together 3 min 48 s" in text
    assert "Commit 8a60617" in text
    assert "not measured on this machine" not in text


def test_missing_parts_are_said_plainly(small, tmp_path):
    bare = small(gan=None, accuracies=(), parity=None, timings={}, facts=())
    text = text_of(render(bare, tmp_path))
    for part in (
        "Accuracy of the models",
        "Parity of the export",
        "Time by stage",
        "Fine-tuning, pruning and weight noise",
        "Adversarial training",
        "Distillation and knockoff",
    ):
        assert f"{part}: not measured on this machine." in text
    assert "Samples of" not in text


def test_changed_labels_of_the_export_are_counted(small, tmp_path):
    text = text_of(render(small(parity=ParitySummary(3, 8, 0.5, 1)), tmp_path))
    assert "at most 5.0e-01; 1 model gave an image another label" in text


@pytest.mark.parametrize("profile", PAPER_PROFILES)
def test_papers_numbers_stand_beside_ours_on_cifar10_alone(full, page, tmp_path, profile):
    inputs = full[0]
    assert "Beside the paper" not in text_of(page)
    text = text_of(render(replace(inputs, profile=profile), tmp_path))
    assert f"ARUC 0.911 {inputs.scheme.evaluation['aruc']:.3f}" in text
    rows = inputs.scheme.table.by_suspect()
    noise = rows["noise-1-source"].score - rows["noise-1-mirror"].score
    assert f"Margin at noise value 1 over 75 points {100 * noise:.0f} points" in text


def test_names_are_escaped_everywhere(make, scheme, tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    result = scheme()
    rows = tuple(
        replace(row, suspect=evil, architecture=evil) if row.suspect == "scratch-xception" else row
        for row in result.table.rows
    )
    inputs = make(
        profile=evil,
        description=evil,
        scheme=replace(result, name=evil, table=ScoreTable(rows)),
        class_names=(evil,) * 10,
        facts=((evil, evil),),
        timings={evil: 1.0},
        gan=replace(make().gan, name=evil, quality={evil: 1.0}),
        accuracies=(ZooAccuracy(evil, evil, evil, "negative", 0.5),),
    )
    page = render(inputs, tmp_path)
    assert evil not in page
    assert text_of(page).count(evil) > 100
    for svg in re.findall(r"<svg .*?</svg>", page, flags=re.DOTALL):
        ET.fromstring(svg)


def test_ids_are_unique_on_the_page(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    anchors = re.findall(r'<a href="#([^"]+)">', page)
    assert set(anchors) <= set(ids)


def test_equal_inputs_give_equal_bytes(full, page, tmp_path):
    assert render(full[0], tmp_path) == page


def test_missing_picture_is_named(small, tmp_path):
    gone = small(gan=GanResult("sagan", {}, Path("/nowhere/samples.png")))
    with pytest.raises(ArtifactError, match=r"expected a picture at /nowhere/samples.png: No such file"):
        write_report(gone, tmp_path / "index.html")


def test_numbers_read_well():
    assert [duration(s) for s in (0.84, 59.9, 153.2, 12_000)] == ["0.8 s", "59.9 s", "2 min 33 s", "3 h 20 min"]
    assert [points(m) for m in (0.714, -0.05, -0.001)] == ["71", "\N{MINUS SIGN}5", "0"]
    assert [points(m, 1) for m in (0.714, -0.0512, -0.0001)] == ["71.4", "\N{MINUS SIGN}5.1", "0.0"]
    assert [quantity(v) for v in (1000, 12.3456, 0.9571)] == ["1,000", "12.35", "0.9571"]
    assert [percent(0.934), percent(0.934, 1)] == ["93%", "93.4%"]
