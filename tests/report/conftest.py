"""Made-up results in the shape of FingerBench: 63 positives, 91 negatives, and what else a report shows."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from nf.core.answers import Answers, AnswerTable
from nf.core.architectures import DISPLAY_NAMES
from nf.core.calibration import Calibration, CalibrationModel, Levels, Look
from nf.core.config import PlusConfig, PoolConfig, TrainingConfig, ZooConfig
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.evaluation import (
    calibrated_table,
    count_verdicts,
    evaluate,
    evaluate_extended,
    judge,
    measure_table,
    metrics_json,
)
from nf.report import (
    ComparisonInputs,
    GanResult,
    ParitySummary,
    ReportInputs,
    SchemeResult,
    ZooAccuracy,
    write_comparison,
    write_report,
)
from nf.zoo.fingerbench import fingerbench

ZOO = ZooConfig(
    source="resnet18",
    architectures=tuple(DISPLAY_NAMES),
    widths={},
    training=TrainingConfig(epochs=1, batch_size=1, learning_rate=0.1),
    attacks={},
    pool=PoolConfig(positive=("distill-resnet34-source-t1",), negative=("scratch-resnet34-t1",)),
)
WEAKENING = {"train": 0, "finetune": 0.02, "prune": 0.06, "noise": 0.05, "adversarial": 0.14, "distill": 0.07}


def strength(spec):
    """How hard an attack hits, from 0 to 1."""
    if spec.attack == "noise":
        return 1 - float(spec.level) / 9
    return float(spec.level) if spec.attack in ("prune", "adversarial") else 0.5


def made_up_scores(seed=0, quality=0.93):
    """A table in which a few thieves are missed and a few honest models accused."""
    rng = np.random.default_rng(seed)
    rows = []
    for spec in fingerbench(ZOO).specs:
        mean = quality - 1.6 * WEAKENING.get(spec.attack, 0.28) * strength(spec)
        mean = mean if spec.role == "positive" else 0.15 + 0.1 * strength(spec)
        rate = 1.0 if spec.id == "source" else round(float(np.clip(rng.normal(mean, 0.12), 0, 1)), 2)
        rows.append(Score.of(spec, rate, queries=100))
    return ScoreTable(tuple(rows))


def made_up_calibration():
    """A calibrated score that grows with the matching rate; honest models are far below thieves, twins less so."""
    models, held_out = [], []
    for group, count, mean in (("thief", 6, 4.0), ("independent", 12, -3.0), ("twin", 8, -1.5)):
        models += [CalibrationModel(f"{group}-{i}", group, "train", f"{group}-{i}") for i in range(count)]
        held_out += np.linspace(mean - 2, mean + 2, count).tolist()
    look = Look(100, (0.1,) * 100, -5.0, tuple(held_out))
    return Calibration(tuple(models), (look,), Levels(0.01, 0.05), candidates=100, folds=5)


def verdicts_of(table, queries):
    """What the evaluation adds for verdicts; of each rate, the first queries are answered like a thief."""
    answers = {
        row.suspect: Answers(np.where(np.arange(100) < round(100 * row.score), queries.labels, -1))
        for row in table.rows
    }
    judged = judge(table, AnswerTable(answers), queries)
    calibrated = calibrated_table(judged)
    metrics = metrics_json(measure_table(calibrated, resamples=50, confidence=0.95, seed=2)) if calibrated else None
    return {"calibrated": metrics, "verdicts": count_verdicts(judged).to_json()}


def make_scheme(name="naturalfinger", seed=0, quality=0.93, threshold=0.5):
    rng = np.random.default_rng(seed)
    table = made_up_scores(seed, quality)
    labels = rng.integers(0, 10, 100)
    queries = QuerySet(
        rng.integers(0, 256, (100, 1, 16, 16), dtype=np.uint8),
        labels,
        (labels + rng.integers(1, 10, 100)) % 10,
        {"scheme": name, "seed": 11, "threshold": threshold},
        calibration=made_up_calibration() if name == "naturalfinger" else None,
    )
    evaluation = evaluate(
        table,
        scheme=name,
        query_set=queries.digest,
        threshold=threshold,
        resamples=300,
        confidence=0.95,
        seed=1,
    )
    return SchemeResult(name, {**evaluation.to_json(), **verdicts_of(table, queries)}, table, queries)


def make_inputs(folder, **changed):
    """A full report's inputs; the GAN's sheet is written into ``folder``."""
    sheet = folder / "samples.png"
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (200, 400, 3), dtype=np.uint8)).save(sheet)
    rng = np.random.default_rng(3)
    accuracies = tuple(
        ZooAccuracy(spec.id, spec.architecture, spec.attack, spec.role, float(rng.uniform(0.93, 0.99)))
        for spec in fingerbench(ZOO).select(pool="suspects")
    )
    quality = {"frechet_resnet18": 12.34, "agreement": 0.957, "coverage": 1.0, "entropy": 0.991}
    values = {
        "profile": "digits",
        "description": "handwritten digits at 16x16, narrow networks, all of FingerBench",
        "scheme": make_scheme(),
        "gan": GanResult("sagan", quality, sheet),
        "accuracies": accuracies,
        "parity": ParitySummary(models=170, images=64, max_abs_difference=4.8e-6, label_changes=0),
        "timings": {"prepare": 0.8, "zoo": 153.2, "gan@sagan": 71.0, "report": 3.4},
        "facts": (("Commit", "8a60617"), ("torch", "2.15.0"), ("Machine", "2 CPU cores")),
    }
    return ReportInputs(**(values | changed))


PLUS = PlusConfig(
    twins=("resnet18", "vgg16_bn"), cross=("xception",), compressed=("source",), defences=("jpeg", "blur")
)


def with_extended(result, rates):
    """The scheme's result with FingerBench+ in its table and metrics; ``rates`` come in the zoo's order."""
    specs = fingerbench(replace(ZOO, plus=PLUS)).select(pool="plus")
    rows = tuple(Score.of(spec, rate, 100) for spec, rate in zip(specs, rates, strict=True))
    table = ScoreTable(result.table.rows + rows)
    extended = evaluate_extended(table, threshold=result.evaluation["threshold"], resamples=50, confidence=0.95, seed=0)
    added = {"plus": extended.to_json(), **verdicts_of(table, result.queries)}
    return replace(result, table=table, evaluation={**result.evaluation, **added})


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
        "gan": changes.get("gan", "sagan"),
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
    record("wgan_gp", 0, 0.6, gan="wgan_gp"),
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


def make_comparison():
    """Two schemes with FingerBench+, detection of one, variants and a budget of three queries."""
    own = with_extended(make_scheme(), [0.6, 0.4, 0.7, 1.0, 0.9, 0.8, 0.3])
    other = with_extended(make_scheme("metav", 1, 0.7, 0.45), [0.1, 0.2, 0.9, 1.0, 1.0, 1.0, 1.0])
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
        timings={"zoo": 60.0, "variant@none-0": 10.0, "variant@twins-0": 20.0},
    )


@pytest.fixture(scope="session")
def comparison(tmp_path_factory):
    """The inputs of a comparison and the folder in which it lies."""
    inputs, folder = make_comparison(), tmp_path_factory.mktemp("comparison")
    write_comparison(inputs, folder)
    return inputs, folder


@pytest.fixture(scope="session")
def scheme():
    """A function that makes up the result of one scheme."""
    return make_scheme


@pytest.fixture(scope="session")
def make(tmp_path_factory):
    """A function that makes the inputs of a full report, with the given parts changed."""
    return partial(make_inputs, tmp_path_factory.mktemp("gan"))


@pytest.fixture(scope="session")
def full(make, tmp_path_factory):
    """The inputs of a full report and where it lies."""
    inputs, path = make(), tmp_path_factory.mktemp("report") / "index.html"
    write_report(inputs, path)
    return inputs, path


@pytest.fixture(scope="session")
def small(make):
    """A function like ``make``, of a scheme with two suspects: quick to draw."""
    rows = tuple(
        Score(name, "suspects", role, "train", "", "resnet18", mirror, rate, 100)
        for name, role, mirror, rate in (("source", "positive", "mirror", 1.0), ("mirror", "negative", "", 0.0))
    )
    return partial(make, scheme=replace(make_scheme(), table=ScoreTable(rows)))
