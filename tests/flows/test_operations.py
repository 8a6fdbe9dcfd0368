"""The order of a refingerprint: a set in use is versioned before anything else may fail."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows import operations
from nf.core.errors import NFError


@pytest.fixture
def done(monkeypatch):
    """Names of the tasks in the order in which they began; those in ``failing`` raise."""
    names, failing = [], set()

    def task(function, name, **options):
        def work(*arguments):
            names.append(name)
            if name in failing:
                raise NFError(f"{name} failed")
            return SimpleNamespace(digest="abc")

        return work

    run = SimpleNamespace(
        profile=SimpleNamespace(schemes={"akh": {}}),
        stage=lambda name: nullcontext(),
        layout=SimpleNamespace(issued=Path("issued")),
    )
    monkeypatch.setattr(operations, "make_task", task)
    monkeypatch.setattr(operations, "_open", lambda profile: run)
    return names, failing


def test_a_set_is_versioned_before_it_is_logged(done):
    assert operations.refingerprint.fn() == "abc"
    assert done[0] == ["issue", "dvc", "mlflow"]


@pytest.mark.parametrize("failing", ["dvc", "mlflow"])
def test_neither_an_error_of_dvc_nor_one_of_mlflow_keeps_the_other_from_its_part(done, failing):
    done[1].add(failing)
    with pytest.raises(NFError, match=f"{failing} failed"):
        operations.refingerprint.fn()
    assert done[0] == ["issue", "dvc", "mlflow"]
