import numpy as np
import pytest
import torch
from torch import nn

from nf.attacks import fgsm, pgd

EPSILON = 8 / 255


@pytest.fixture
def linear():
    """Logits W x: the gradient of the cross-entropy is known in closed form."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.rand((6, 1, 4, 4), generator=generator), torch.tensor([0, 1, 2, 0, 1, 2])


def test_fgsm_against_the_closed_form(linear, batch):
    images, labels = batch
    weight, bias = (p.detach().numpy().astype(np.float64) for p in linear.parameters())
    logits = images.flatten(1).numpy() @ weight.T + bias
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gradient = (softmax - np.eye(3)[labels]) @ weight
    expected = np.clip(images.flatten(1).numpy() + EPSILON * np.sign(gradient), 0, 1)
    attacked = fgsm(linear, images, labels, epsilon=EPSILON)
    np.testing.assert_allclose(attacked.flatten(1).numpy(), expected, atol=1e-6)


def test_pgd_stays_in_the_ball_and_hurts_more_than_its_start(linear, batch):
    images, labels = batch
    loss = nn.CrossEntropyLoss(reduction="none")
    attacked = pgd(
        linear,
        images,
        labels,
        epsilon=EPSILON,
        step_size=2 / 255,
        steps=10,
        generator=torch.Generator().manual_seed(0),
    )
    assert float((attacked - images).abs().max()) <= EPSILON + 1e-6
    assert float(attacked.min()) >= 0
    assert float(attacked.max()) <= 1
    assert bool((loss(linear(attacked), labels) > loss(linear(images), labels)).all())
    # On a linear model the loss is convex in the image: ten steps reach what one full step reaches.
    one_step = fgsm(linear, images, labels, epsilon=EPSILON)
    torch.testing.assert_close(loss(linear(attacked), labels), loss(linear(one_step), labels), rtol=0.02, atol=0.01)


def test_no_gradient_is_left_on_the_weights(linear, batch):
    fgsm(linear, *batch, epsilon=EPSILON)
    assert all(parameter.grad is None for parameter in linear.parameters())


def test_no_steps_is_an_error(linear, batch):
    with pytest.raises(ValueError, match="steps: expected at least 1, got 0"):
        pgd(linear, *batch, epsilon=EPSILON, step_size=0.1, steps=0, generator=torch.Generator())
