import math

import pytest
import torch

from nf.fingerprints.naturalfinger.losses import cw_loss

LOGITS = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0], [0.0, 0.0, 80.0]])
TARGETS = torch.tensor([0, 2, 2])


def test_equation_3_by_hand():
    # 2 - 3; 5 - (-1); 0 - 80, cut at -50.
    assert cw_loss(LOGITS, TARGETS).tolist() == [-1.0, 6.0, -50.0]
    assert cw_loss(LOGITS, TARGETS, confidence=0.5).tolist() == [-0.5, 6.0, -0.5]
    assert cw_loss(LOGITS, TARGETS, confidence=math.inf).tolist() == [-1.0, 6.0, -80.0]


def test_gradient_pushes_the_target_up_and_the_best_other_down_unless_confident():
    logits = LOGITS.clone().requires_grad_(True)
    cw_loss(logits, TARGETS).sum().backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [[-1.0, 0.0, 1.0], [0.0, 1.0, -1.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("seed", range(3))
def test_negative_exactly_where_the_target_is_predicted(seed):
    logits = torch.randn(200, 5, generator=torch.Generator().manual_seed(seed))
    targets = torch.arange(200) % 5
    assert torch.equal(cw_loss(logits, targets) < 0, logits.argmax(dim=1) == targets)
