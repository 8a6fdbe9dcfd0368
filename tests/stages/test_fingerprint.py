from pathlib import Path

import pytest

from nf.core.errors import ConfigError
from nf.stages.fingerprint import training_models
from nf.stages.run import Run

PARAMS = Path(__file__).parents[2] / "params.yaml"


def test_training_against_twins_needs_some(tmp_path):
    run = Run.open("cifar10-brief", params=PARAMS, out=tmp_path)
    with pytest.raises(ConfigError, match=r"twins: expected some in zoo\.pool\.twins to train against, got none"):
        training_models(run, twins=True)
