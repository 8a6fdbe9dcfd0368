"""Which survivors of the screen become queries."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nf.fingerprints.base import Draft
from nf.fingerprints.naturalfinger.candidates import Candidates, Funnel, round_robin_by_pair

Ranking = Callable[[Tensor], Tensor]
"""What images are ranked by, the higher the better: margins (V, K, N) of V views by K models, in logits -> (N,)."""


@dataclass(frozen=True)
class Survivors:
    """What one round left.

    Attributes:
        images: (M, C, H, W) uint8, as they are sent.
        candidates: the labels of each.
        positive_margins: (V, P, M) by how many logits each positive training model prefers y_pos, in every view.
        negative_margins: (V, Q, M) the same of the negative models and y_neg.
    """

    images: Tensor
    candidates: Candidates
    positive_margins: Tensor
    negative_margins: Tensor

    def __len__(self) -> int:
        return len(self.images)


def margin_snr(margins: Tensor) -> Tensor:
    """Signal-to-noise ratio of each image's margins: their mean over their standard deviation.

    Where the models asked are sure and of one mind, another of their kind will likely answer as they do.

    Args:
        margins: (V, K, N) of V views by K models, in logits.

    Returns:
        (N,) float32.
    """
    mean = margins.mean((0, 1))
    return mean / (margins - mean).square().mean((0, 1)).sqrt()  # Tensor.std() warns of no images


def choose(
    rounds: Sequence[Survivors], queries: int, *, pair_share: float, ranking: Ranking = margin_snr, funnel: Funnel
) -> Draft:
    """The survivors that rank highest, of a pair of labels as many as it may give; the pairs take turns.

    Args:
        rounds: what each round left.
        queries: how many become queries.
        pair_share: largest share of them that one pair of labels makes up, as long as other pairs have some left.
        ranking: of the margins of either pool; the lower of the two counts.
        funnel: for the transcript.
    """
    images = torch.cat([survivors.images for survivors in rounds])
    ranks = torch.cat([torch.minimum(ranking(s.positive_margins), ranking(s.negative_margins)) for s in rounds])
    pairs = torch.cat([survivors.candidates.pairs for survivors in rounds])
    kept = round_robin_by_pair(-ranks, pairs, queries, each=math.ceil(pair_share * queries))
    kept = kept[round_robin_by_pair(-ranks[kept], pairs[kept], queries)]
    labels, negative_labels = pairs[kept].unbind(1)
    return Draft(images[kept], labels, negative_labels, {"funnel": funnel.pairs()})
