import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from nf.data import to_bytes, to_float
from nf.fingerprints import NaturalFingerConfig, TrainingModels
from nf.fingerprints.naturalfinger.candidates import Candidates, Funnel
from nf.fingerprints.naturalfinger.choose import margin_snr
from nf.fingerprints.naturalfinger.losses import cw_loss
from nf.fingerprints.naturalfinger.screen import screen

CONFIG = NaturalFingerConfig(transforms=("identity",), screen_repeats=8)


class Brighter(nn.Module):
    """Class 1 if one pixel is brighter than a limit, else class 0."""

    def __init__(self, limit: float, row: int = 8, column: int = 8) -> None:
        super().__init__()
        self.limit = nn.Parameter(torch.tensor(limit))
        self.row, self.column = row, column

    def forward(self, images: Tensor) -> Tensor:
        value = images[:, 0, self.row, self.column] - self.limit
        return torch.stack([-value, value], dim=1)


def pool(positive: nn.Module, negative: nn.Module) -> TrainingModels:
    positive, negative = positive.eval(), negative.eval()
    return TrainingModels(positive, (positive,), (negative,), ("p",), ("n",))


def ask(images: Tensor, models: TrainingModels, config: NaturalFingerConfig) -> tuple[list[int], dict[str, int]]:
    ones = torch.ones(len(images), dtype=torch.int64)
    funnel, generator = Funnel(), torch.Generator().manual_seed(0)
    alive, *_ = screen(
        images, Candidates(ones[:, None], ones, ones, 1 - ones), models, config, generator=generator, funnel=funnel
    )
    return alive.tolist(), funnel.counts


def test_an_image_that_is_lost_by_rounding_to_bytes_is_refused():
    # 100.4 rounds to 100, which is below the limit of 100.2; 100.6 rounds up.
    images = torch.stack([torch.full((1, 16, 16), value / 255) for value in (100.0, 100.4, 100.6)])
    alive, counts = ask(images, pool(Brighter(100.2 / 255), Brighter(200 / 255)), CONFIG)
    assert alive == [2]
    assert counts == {"optimised": 2, "uint8": 1, "identity": 1}


def test_positives_and_negatives_must_both_be_right():
    images = torch.stack([torch.full((1, 16, 16), value) for value in (0.2, 0.5, 0.9)])
    assert ask(images, pool(Brighter(0.4), Brighter(0.7)), CONFIG)[0] == [1]


def test_a_transform_counts_only_if_it_is_listed():
    image = torch.zeros(1, 1, 16, 16)
    image[:, :, 1, 1] = 1.0  # one bright pixel, which any shift or flip takes away
    models = pool(Brighter(0.9, 1, 1), Brighter(1.5))
    assert ask(image, models, CONFIG)[0] == [0]
    for name in ("flip", "translate", "shear"):
        alive, counts = ask(image, models, replace(CONFIG, transforms=("identity", name)))
        assert (alive, counts) == ([], {"optimised": 1, "uint8": 1, "identity": 1, name: 0})


def test_more_draws_are_a_harder_test(models, digits):
    images = digits.images[600:1200].float() / 255
    labels = digits.labels[600:1200]
    same = TrainingModels(models.source, models.positives, models.positives, ("a", "b", "c"), ("d", "e", "f"))
    counts = []
    for repeats in (1, 12):
        funnel, config = Funnel(), replace(CONFIG, transforms=("translate",), screen_repeats=repeats)
        candidates = Candidates(labels[:, None].float(), labels, labels, labels)
        generator = torch.Generator().manual_seed(0)
        screen(images, candidates, same, config, generator=generator, funnel=funnel)
        counts.append(funnel.counts)
    assert counts[0]["uint8"] == counts[1]["uint8"]
    assert counts[1]["translate"] < counts[0]["translate"]


def test_survivors_have_the_snr_of_the_lower_pool(models, digits):
    images, labels = digits.images[800:900].float() / 255, digits.labels[800:900]
    pools = (models.positives, models.positives[:2])
    candidates = Candidates(labels[:, None].float(), labels, labels, labels)
    config = replace(CONFIG, transforms=("identity", "flip"))
    training = TrainingModels(models.source, *pools, ("a", "b", "c"), ("d", "e"))
    alive, *margins = screen(
        images, candidates, training, config, generator=torch.Generator().manual_seed(0), funnel=Funnel()
    )
    assert 0 < len(alive) < 100
    assert [tuple(pool.shape) for pool in margins] == [(4, 3, len(alive)), (4, 2, len(alive))]
    snr = torch.minimum(*map(margin_snr, margins))
    for index, ratio in zip(alive.tolist(), snr.tolist(), strict=True):
        stored = to_float(to_bytes(images[index]))
        views = torch.stack([images[index], stored, stored, stored.flip(2)])  # the third under the identity
        wanted = labels[index].expand(4)
        ratios = []
        for pool in pools:
            with torch.no_grad():
                margins = torch.cat([-cw_loss(model(views), wanted, confidence=math.inf) for model in pool])
            assert (margins > 0).all()
            ratios.append((margins.mean() / margins.std(correction=0)).item())
        assert ratio == pytest.approx(min(ratios), rel=1e-3)


def test_nothing_survives_where_the_pools_are_to_disagree_with_themselves(models, digits):
    images, labels = digits.images[:50].float() / 255, digits.labels[:50]
    candidates = Candidates(labels[:, None].float(), labels, labels, (labels + 1) % 10)
    same = TrainingModels(models.source, models.positives, models.positives, ("a", "b", "c"), ("d", "e", "f"))
    funnel = Funnel()
    alive, *margins = screen(
        images, candidates, same, CONFIG, generator=torch.Generator().manual_seed(0), funnel=funnel
    )
    assert len(alive) == margins[0].shape[-1] == margins[1].shape[-1] == 0
    assert set(funnel.counts.values()) == {0}
