import math

import pytest
import torch

from nf.gan.losses import (
    generator_loss,
    hinge_d_loss,
    hinge_naturalness_loss,
    wasserstein_d_loss,
    wasserstein_naturalness_loss,
)
from nf.gan.variants.contragan import conditional_contrastive_loss
from nf.gan.variants.icrgan import IcrGanConfig, d_consistency, g_consistency
from nf.gan.variants.reacgan import data_to_data_cross_entropy


def test_the_discriminator_pays_for_real_below_one_and_fake_above_minus_one():
    real = torch.tensor([2.0, 1.0, 0.0, -1.0])  # 0, 0, 1, 2
    fake = torch.tensor([-3.0, -1.0, 0.5])  # 0, 0, 1.5
    assert hinge_d_loss(real, fake).item() == pytest.approx(3 / 4 + 1.5 / 3)


def test_the_generator_pays_the_negative_mean_logit():
    assert generator_loss(torch.tensor([1.0, -4.0])).item() == 1.5


def test_the_critic_pays_fakes_minus_real():
    assert wasserstein_d_loss(torch.tensor([3.0, 1.0]), torch.tensor([-2.0, 0.0, 5.0])).item() == -1


def test_naturalness_by_hand():
    logits = torch.tensor([-2.0, -1.0, 0.0, 3.0])
    assert hinge_naturalness_loss(logits, "published").tolist() == [0, 0, 1, 4]
    assert hinge_naturalness_loss(logits, "corrected").tolist() == [3, 2, 1, 0]
    assert wasserstein_naturalness_loss(logits, "published").tolist() == [-2, -1, 0, 3]
    assert wasserstein_naturalness_loss(logits, "corrected").tolist() == [2, 1, 0, -3]


@pytest.mark.parametrize("loss", [hinge_naturalness_loss, wasserstein_naturalness_loss])
@pytest.mark.parametrize(("sign", "direction"), [("published", -1), ("corrected", 1)])
def test_descending_the_naturalness_loss_moves_the_logit(loss, sign, direction):
    logits = torch.zeros(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits, sign).sum(), logits)
    assert (-gradient * direction > 0).all()


EMBEDDINGS = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
PROXIES = torch.tensor([[0.8, 0.6], [0.8, 0.6], [-1.0, 0.0]])
LABELS = torch.tensor([0, 0, 1])


def test_the_2c_loss_by_hand():
    t = 0.5
    # Similarities: images 0-1 0.6, 0-2 0, 1-2 0.8; to the own proxy 0.8, 0.96, 0.
    pairs = {(0, 1): 0.6, (0, 2): 0.0, (1, 2): 0.8}
    proxy = [0.8, 0.96, 0.0]

    def similarity(i, j):
        return math.exp(pairs[min(i, j), max(i, j)] / t)

    expected = 0.0
    for i in range(3):
        own = math.exp(proxy[i] / t)
        alike = sum(similarity(i, j) for j in range(3) if j != i and LABELS[i] == LABELS[j])
        everything = sum(similarity(i, j) for j in range(3) if j != i)
        expected -= math.log((own + alike) / (own + everything)) / 3
    assert conditional_contrastive_loss(EMBEDDINGS, PROXIES, LABELS, t).item() == pytest.approx(expected, rel=1e-5)


def test_the_2c_loss_of_one_class_is_zero():
    labels = torch.zeros(3, dtype=torch.int64)
    assert conditional_contrastive_loss(EMBEDDINGS, PROXIES, labels, 1.0).item() == pytest.approx(0, abs=1e-6)


def test_d2d_ce_by_hand():
    t, margin = 0.5, 0.9
    # Proxy similarities 0.8, 0.96, 0 count up to 0.9; those to the other class (0-2: 0, 1-2: 0.8) from 0.1 on.
    easy = [(0.8 - 0.9) / t, 0.0, -0.9 / t]
    hard = [[0.0], [(0.8 - 0.1) / t], [0.0, (0.8 - 0.1) / t]]
    expected = -sum(
        math.log(math.exp(e) / (math.exp(e) + sum(map(math.exp, others)))) for e, others in zip(easy, hard, strict=True)
    )
    found = data_to_data_cross_entropy(EMBEDDINGS, PROXIES, LABELS, temperature=t, margin=margin)
    assert found.item() == pytest.approx(expected / 3, rel=1e-5)


def test_d2d_ce_leaves_alone_what_is_told_apart():
    """Beyond both margins there is no gradient: that is what ReACGAN adds to ContraGAN."""
    embeddings = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    proxies = torch.tensor([[0.995, 0.1], [-0.995, 0.1]])
    loss = data_to_data_cross_entropy(embeddings, proxies, torch.tensor([0, 1]), temperature=0.5, margin=0.98)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert (gradient == 0).all()


@pytest.mark.parametrize(
    "loss",
    [
        lambda e: conditional_contrastive_loss(e, PROXIES, LABELS, 0.5),
        lambda e: data_to_data_cross_entropy(e, PROXIES, LABELS, temperature=0.5, margin=0.98),
    ],
)
def test_descending_a_comparison_nears_the_proxy_and_leaves_the_other_class(loss):
    embeddings = EMBEDDINGS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(embeddings), embeddings)
    moved = (EMBEDDINGS - 0.1 * gradient)[1]  # this one looks like the third, which is of another class
    assert moved @ PROXIES[1] - moved @ EMBEDDINGS[2] > EMBEDDINGS[1] @ PROXIES[1] - EMBEDDINGS[1] @ EMBEDDINGS[2]


def test_consistency_by_hand():
    config = IcrGanConfig(real_weight=2.0, fake_weight=3.0, latent_d_weight=5.0, latent_g_weight=0.5)
    real, copy = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])  # mean square 2
    fake, fake_copy, neighbour = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0]), torch.tensor([2.0, 0.0])
    terms = d_consistency(config, real, copy, fake, fake_copy, neighbour)
    assert terms["balanced"].item() == 2 * 2 + 3 * 1
    assert terms["latent"].item() == 5 * 2
    assert g_consistency(torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), 2.0), config).item() == -0.5 * 4
