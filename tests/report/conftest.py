"""Made-up results in the shape of FingerBench: 63 positives, 91 negatives, and what else a report shows."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from nf.core.architectures import DISPLAY_NAMES
from nf.core.config import PoolConfig, TrainingConfig, ZooConfig
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.evaluation import evaluate
from nf.report import GanResult, ParitySummary, ReportInputs, SchemeResult, ZooAccuracy, write_report
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


def make_scheme(name="naturalfinger", seed=0, quality=0.93, threshold=0.5):
    rng = np.random.default_rng(seed)
    table = made_up_scores(seed, quality)
    labels = rng.integers(0, 10, 100)
    queries = QuerySet(
        rng.integers(0, 256, (100, 1, 16, 16), dtype=np.uint8),
        labels,
        (labels + rng.integers(1, 10, 100)) % 10,
        {"scheme": name, "seed": 11, "threshold": threshold},
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
    return SchemeResult(name, evaluation.to_json(), table, queries)


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
        "schemes": (make_scheme(),),
        "gans": (GanResult("sagan", quality, sheet),),
        "accuracies": accuracies,
        "parity": ParitySummary(models=170, images=64, max_abs_difference=4.8e-6, label_changes=0),
        "timings": {"prepare": 0.8, "zoo": 153.2, "gan@sagan": 71.0, "report": 3.4},
        "facts": (("Commit", "8a60617"), ("torch", "2.15.0"), ("Machine", "2 CPU cores")),
    }
    return ReportInputs(**(values | changed))


@pytest.fixture(scope="session")
def zoo():
    """The paper's zoo, without FingerBench+."""
    return ZOO


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
    return partial(make, schemes=(replace(make_scheme(), table=ScoreTable(rows)),))
