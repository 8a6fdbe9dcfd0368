"""Gradients of gradients, against finite differences in double precision."""

import pytest
import torch
from torch import nn

from nf.gan.variants.logan import natural_step
from nf.gan.variants.wgan_gp import gradient_penalty

STEP = 1e-6


@pytest.fixture
def critic():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = (nn.Conv2d(1, 3, 3, padding=1), nn.Softplus(), nn.Flatten(), nn.Linear(48, 1), nn.Flatten(0))
        return nn.Sequential(*layers).double()


def _numerical(function, x):
    """Central differences of a scalar function in each element of ``x``, which is changed and restored in place."""
    gradient = torch.zeros_like(x)
    for index in range(x.numel()):
        values = []
        for sign in (1, -1):
            x.view(-1)[index] += sign * STEP
            values.append(function().item())
            x.view(-1)[index] -= sign * STEP
        gradient.view(-1)[index] = (values[0] - values[1]) / (2 * STEP)
    return gradient


def test_the_penalty_is_the_squared_distance_of_the_slope_from_one(critic):
    images = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        slopes = [_numerical(lambda i=i: critic(images)[i], images)[i].norm() for i in range(3)]
    expected = sum((slope - 1) ** 2 for slope in slopes) / 3
    assert gradient_penalty(critic, images).item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_penalty_teaches_the_critic(critic):
    images = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    weight = critic[0].weight
    (gradient,) = torch.autograd.grad(gradient_penalty(critic, images), weight)
    expected = _numerical(lambda: gradient_penalty(critic, images), weight.data)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-7)
    assert gradient.abs().max() > 1e-3


def test_the_penalty_is_zero_at_slope_one_and_counts_both_sides():
    images = torch.randn(2, 1, 4, 4)
    for slope, expected in ((1.0, 0.0), (3.0, 4.0), (0.0, 1.0)):
        found = gradient_penalty(lambda x, slope=slope: slope * x.flatten(1).sum(1) / 4, images)
        assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.fixture
def score():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0)).double()


def test_the_step_is_the_damped_natural_gradient(score):
    z = torch.randn(3, 4, dtype=torch.float64)
    with torch.no_grad():
        gradient = _numerical(lambda: score(z).sum(), z)
    # (g g^T + beta I)^-1 g, solved rather than in closed form
    expected = torch.stack([torch.linalg.solve(torch.outer(g, g) + 0.1 * torch.eye(4), g) for g in gradient])
    found = natural_step(score, z, size=0.9, damping=0.1)
    torch.testing.assert_close(found, 0.9 * expected, rtol=1e-6, atol=1e-8)
    assert (score(z + 0.01 * found) > score(z)).all()


def test_both_networks_learn_through_the_step(score):
    z, weight = torch.randn(3, 4, dtype=torch.float64), score[0].weight

    def after_the_step():
        return score(z + natural_step(score, z, size=0.9, damping=0.1)).sum()

    (gradient,) = torch.autograd.grad(after_the_step(), weight)
    expected = _numerical(after_the_step, weight.data)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-7)
    still = natural_step(score, z, size=0.9, damping=0.1).detach()
    (without,) = torch.autograd.grad(score(z + still).sum(), weight)
    assert not torch.allclose(gradient, without, rtol=1e-3)
