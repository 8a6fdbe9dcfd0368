import pytest
import torch

from nf.core.config import ExecutionConfig
from nf.core.errors import ConfigError
from nf.core.sections import parse_section
from nf.models import resolve_device

FOUND = torch.cuda.is_available()


def test_auto_is_the_gpu_where_there_is_one():
    assert resolve_device("auto") == ("cuda" if FOUND else "cpu")
    assert resolve_device("cpu") == "cpu"


@pytest.mark.skipif(FOUND, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"execution\.device: expected a GPU for 'cuda', got none"):
        resolve_device("cuda")


def test_another_device_is_refused_with_the_profile():
    with pytest.raises(ConfigError, match=r"execution\.device: expected one of 'auto', 'cpu', 'cuda', got 'tpu'"):
        parse_section(ExecutionConfig, {"device": "tpu"}, "execution")
