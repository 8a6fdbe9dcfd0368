"""The worked example of ``docs/adding-a-scheme.md``, executed from the page."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch
import yaml

from nf.core.errors import ConfigError, NotEnoughQueriesError
from nf.data import to_float
from nf.fingerprints import SCHEMES, make_scheme

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-scheme.md"


@pytest.fixture
def section(monkeypatch):
    """Does what the page says: adds the file, the line with its import, and the section; returns the last."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    source, imported, line = (text for kind, text in blocks if kind == "python")
    (settings,) = (text for kind, text in blocks if kind == "yaml")
    module = types.ModuleType("nf.fingerprints.disputed")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(source, str(PAGE), "exec"), module.__dict__)
    registry: dict[str, object] = {}
    exec(imported, registry)
    for name, scheme in eval(f"{{{line}}}", registry).items():
        monkeypatch.setitem(SCHEMES, name, scheme)
    return yaml.safe_load(settings)["disputed"]


def test_the_example_makes_queries_that_thieves_and_independent_models_dispute(section, models, digits):
    scheme = make_scheme("disputed", section)
    made = scheme(models, digits, queries=10, seed=1)
    assert made.card["parameters"] == {"pool": 200}
    assert made.labels.tolist() == models.source(to_float(torch.from_numpy(made.images))).argmax(dim=1).tolist()
    scores = made.card["training_scores"]
    assert min(scores[name] for name in models.positive_ids) > max(scores[name] for name in models.negative_ids)
    assert scheme(models, digits, queries=10, seed=1).digest == made.digest


def test_the_example_checks_its_settings(section, models, digits):
    with pytest.raises(ConfigError, match=r"schemes\.disputed: pool: expected at least 1, got 0"):
        make_scheme("disputed", {"pool": 0})
    with pytest.raises(NotEnoughQueriesError, match="expected a pool of at least 10 images, got 4"):
        make_scheme("disputed", {"pool": 4})(models, digits, queries=10, seed=1)
