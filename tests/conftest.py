"""Small real data and models, and a browser, that several test folders share."""

from pathlib import Path
from typing import Any

from nf.core.threads import configure_math_libraries

configure_math_libraries()

import pytest  # noqa: E402 - torch reads its settings at import
import torch  # noqa: E402

from nf.core.config import DataConfig, SourceConfig, TrainingConfig  # noqa: E402
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
