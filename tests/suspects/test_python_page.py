"""The examples of ``docs/python.md``, executed from the page."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import nf
from nf.core.files import write_json
from tests.suspects.conftest import calibration

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def page(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[str], Path],
    linear: str,
    queries: nf.QuerySet,
) -> Callable[[int], dict[str, Any]]:
    """Runs the first examples of the page, as many as asked, in a folder with the files that they name."""
    assert write(linear) == tmp_path / "suspect.onnx"
    known = calibration(len(queries))
    replace(queries, calibration=known).save(tmp_path / "out/digits/fingerprints/naturalfinger")
    counts = {"independent_accused": (1, 20), "trained_accused": (2, 5), "missed": (0, 10)}
    verdicts = {name: {"count": count, "total": total} for name, (count, total) in counts.items()}
    metrics = {"query_set": queries.digest, "threshold": queries.card["threshold"], "calibration": known.digest}
    write_json(tmp_path / "out/digits/metrics/naturalfinger.json", {**metrics, "verdicts": {**verdicts, "thieves": {}}})
    monkeypatch.chdir(tmp_path)

    def run(count: int) -> dict[str, Any]:
        space: dict[str, Any] = {"shop_client": SimpleNamespace(classify=lambda images: queries.labels)}
        for block in BLOCKS[:count]:
            exec(block, space)
        return space

    return run


def test_the_first_example_has_five_lines() -> None:
    assert len([line for line in BLOCKS[0].splitlines() if line]) == 5


def test_a_file_is_judged(
    page: Callable[[int], dict[str, Any]],
    queries: nf.QuerySet,
    scores: NDArray[np.float64],
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdict = page(1)["verdict"]
    share = float((scores.argmax(axis=1) == queries.labels).mean())
    assert 0 < share < 0.6
    assert (verdict.score, verdict.stolen) == (share, False)
    assert capsys.readouterr().out == f"stolen or trained on your data {share} 0.6\n"


def test_an_own_way_to_ask_is_judged(page: Callable[[int], dict[str, Any]]) -> None:
    verdict = page(2)["verdict"]
    assert (verdict.score, verdict.outcome) == (1.0, "stolen")  # the shop answers with the labels of the source model


def test_error_rates_and_evidence_go_along(
    page: Callable[[int], dict[str, Any]], queries: nf.QuerySet, tmp_path: Path
) -> None:
    record = page(len(BLOCKS))["record"]
    assert record["query_set_digest"] == queries.digest
    assert record["outcome"] == "stolen or trained on your data"
    assert (tmp_path / "evidence" / "evidence.json").exists()
    assert record["suspect"]["file"] == "suspect.onnx"
    assert record["benchmark"]["independent_accused"]["count"] == 1
