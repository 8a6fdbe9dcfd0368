"""Small real data and models, and a browser, that several test folders share."""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nf.core.threads import configure_math_libraries

configure_math_libraries()

import numpy as np  # noqa: E402
import pytest  # noqa: E402 - torch reads its settings at import
import torch  # noqa: E402

from nf.core.calibration import Calibration, CalibrationModel, Levels, Look  # noqa: E402
from nf.core.config import DataConfig, SourceConfig, TrainingConfig  # noqa: E402
from nf.core.controls import Controls  # noqa: E402
from nf.core.queries import QuerySet  # noqa: E402
from nf.core.sheets import image_name  # noqa: E402
from nf.data import Augment, Splits, prepare_splits  # noqa: E402
from nf.models import Classifier, build_classifier, fit  # noqa: E402

TESTS = Path(__file__).parent
# The longest files, which come first, as a process that takes one last leaves the others idle. The pipeline is run
# once, for the first file; until it is there, the second and third are for the process beside.
LONGEST = (
    "pipeline/test_reproduce.py",
    "stages/test_run_command.py",
    "models/test_onnx_export.py",
    "pipeline/test_operations.py",
    "pipeline/test_dask.py",
    "test_simulated_gpu.py",
    "pipeline/test_zoo.py",
    "pipeline/test_dvc.py",
    "zoo/test_building.py",
    "pipeline/test_command.py",
)


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[[str, Callable[[Path], None]], Path]:
    """(name, function that fills a folder) -> folder, which the first of the processes that test side by side fills."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent

    def once(name: str, fill: Callable[[Path], None]) -> Path:
        place = shared / name
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                made = tmp_path_factory.mktemp(f"making-{name}") / name
                made.mkdir()
                fill(made)
                made.rename(place)
        return place

    return once


@pytest.fixture(scope="session")
def splits() -> Splits:
    """All of scikit-learn's digits at 16x16, and 300 scribbles."""
    return prepare_splits(
        DataConfig(SourceConfig("digits"), SourceConfig("scribbles", images=300), 16, 1, padding=2, flip=False),
        seed=0,
    )


@pytest.fixture(scope="session")
def build(splits: Splits) -> dict[str, Any]:
    """The arguments of ``build_classifier`` that all victims share."""
    return {
        "architecture": "resnet18",
        "width": 0.125,
        "in_channels": 1,
        "num_classes": 10,
        "mean": splits.mean,
        "std": splits.std,
    }


@pytest.fixture(scope="session")
def victims(splits: Splits, build: dict[str, Any]) -> dict[str, Classifier]:
    """A narrow ResNet18 trained on split A (``source``) and one trained on B (``mirror``)."""
    trained = {}
    for name, part in (("source", "A"), ("mirror", "B")):
        model = build_classifier(**build, seed=len(trained))
        images, labels = (torch.from_numpy(array) for array in (splits[part].images, splits[part].labels))
        fit(model, images, labels, TrainingConfig(8, 64, 0.2), seed=0, augment=Augment(2, False))
        trained[name] = model
    return trained


QUERIES, CLASSES = 20, 3
_HONEST_KINDS = ("train", "distill", "prune", "knockoff")


@pytest.fixture(scope="session")
def calibrated() -> QuerySet:
    """Twenty queries whose first pixel is the thief's class, with controls and a calibration of three looks.

    A query that is answered like a thief adds 1 to the score. Thieves match nine in ten, independent models three in
    twenty, twins two in five.
    """
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (QUERIES, 1, 4, 4), dtype=np.uint8)
    labels = np.arange(QUERIES, dtype=np.int64) % CLASSES
    images[:, 0, 0, 0] = labels
    shown = rng.integers(0, 256, (48, 1, 4, 4), dtype=np.uint8)
    truth = np.arange(48, dtype=np.int64) % CLASSES
    shown[:, 0, 0, 0] = truth
    models, matched = [], []
    for group, share, kinds, count in (
        ("thief", 0.9, ("prune", "distill"), 6),
        ("independent", 0.15, _HONEST_KINDS, 6),
        ("twin", 0.4, ("train",), 8),
    ):
        for kind in kinds:
            for number, off in enumerate(np.linspace(-1, 1, count)):
                name = f"{group}-{kind}-{number}"
                models.append(
                    CalibrationModel(name, group, kind, "source" if group == "thief" else f"{group}-{number}")
                )
                matched.append(share + 0.05 * off)
    looks = tuple(
        Look(size, (1.0,) * size, -0.35 * size, tuple(round(size * (share - 0.35), 6) for share in matched))
        for size in (4, 10, QUERIES)
    )
    calibration = Calibration(tuple(models), looks, Levels(), candidates=100, folds=5)
    card = {"scheme": "naturalfinger", "threshold": 0.6, "num_classes": CLASSES, "floor": 0.5, "versions": {}}
    controls = Controls(shown, truth, ("ant", "bee", "cat"))
    return QuerySet(images, labels, (labels + 1) % CLASSES, card, None, controls, calibration)


@pytest.fixture
def table(tmp_path: Path, calibrated: QuerySet) -> Callable[[int], Path]:
    """Writes a table of answers of a suspect that matches so many queries, the first ones, and gets all controls."""

    def write(matches: int) -> Path:
        given = np.where(np.arange(QUERIES) < matches, calibrated.labels, calibrated.negative_labels)
        assert calibrated.controls is not None
        lines = [f"{image_name(i, image)},{given[i]}" for i, image in enumerate(calibrated.images)]
        known = zip(calibrated.controls.images, calibrated.controls.labels, strict=True)
        lines += [f"{image_name(100 + i, image)},{label}" for i, (image, label) in enumerate(known)]
        path = tmp_path / f"matches-{matches}.csv"
        path.write_text("\n".join(["image,label", *lines]))
        return path

    return write


def pytest_collection_modifyitems(items):
    """The longest files come first when several processes share the files; the others stay in their order."""
    ranks = {TESTS / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="there is no GPU"))


BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium that keeps what pages log. Needs Chromium and its driver, and fails without them."""
    # A bare machine with a GPU runs the tests of the GPU, and has neither.
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*BROWSER_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()
