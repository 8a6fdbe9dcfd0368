import pytest
import torch

from nf.data import to_float
from nf.fingerprints.networks import freeze
from nf.fingerprints.replay import rounded


@pytest.fixture
def images(digits):
    return to_float(digits.images[:8])


def answer_and_gradient(network, images):
    seen = images.clone().requires_grad_()
    answer = network(seen)
    return answer.detach(), torch.autograd.grad(answer.square().sum(), seen)[0]


def test_a_rounded_network_answers_and_differentiates_as_under_autocast(models, images):
    """What it does for a GPU can be done anywhere."""

    def under_autocast(seen):
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            return network(seen).float()

    for network in models.map(freeze).positives:
        before = {name: value.clone() for name, value in network.state_dict().items()}
        ours = answer_and_gradient(rounded(network, torch.device("cuda")), images)
        assert all(torch.equal(*pair) for pair in zip(ours, answer_and_gradient(under_autocast, images), strict=True))
        assert not torch.equal(ours[0], network(images))
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_on_a_cpu_nothing_is_rounded(models):
    assert rounded(models.source, torch.device("cpu")) is models.source
