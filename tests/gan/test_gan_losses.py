import pytest
import torch

from nf.gan.losses import hinge_d_loss, hinge_g_loss, hinge_naturalness_loss


def test_the_discriminator_pays_for_real_below_one_and_fake_above_minus_one():
    real = torch.tensor([2.0, 1.0, 0.0, -1.0])  # 0, 0, 1, 2
    fake = torch.tensor([-3.0, -1.0, 0.5])  # 0, 0, 1.5
    assert hinge_d_loss(real, fake).item() == pytest.approx(3 / 4 + 1.5 / 3)


def test_the_generator_pays_the_negative_mean_logit():
    assert hinge_g_loss(torch.tensor([1.0, -4.0])).item() == 1.5


def test_naturalness_by_hand():
    logits = torch.tensor([-2.0, -1.0, 0.0, 3.0])
    assert hinge_naturalness_loss(logits, "published").tolist() == [0, 0, 1, 4]
    assert hinge_naturalness_loss(logits, "corrected").tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize(("sign", "direction"), [("published", -1), ("corrected", 1)])
def test_descending_the_naturalness_loss_moves_the_logit(sign, direction):
    logits = torch.zeros(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(hinge_naturalness_loss(logits, sign).sum(), logits)
    assert (-gradient * direction > 0).all()
