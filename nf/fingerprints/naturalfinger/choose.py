"""Which survivors of the screen become queries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nf.fingerprints.base import Draft, at_most
from nf.fingerprints.naturalfinger.candidates import Candidates, Funnel, round_robin_by_pair
from nf.fingerprints.naturalfinger.config import Choice

Ranking = Callable[[Tensor], Tensor]
"""What images are ranked by, the higher the better: margins (V, K, N) of V views by K models, in logits -> (N,)."""


@dataclass(frozen=True)
class Survivors:
    """The images that survived the screen of one round.

    Attributes:
        images: (M, C, H, W) uint8, as they are sent to suspects.
        candidates: latents and labels of the images.
        positive_margins: (V, P, M) logits by which each positive training model prefers y_pos, in every view.
        negative_margins: (V, Q, M) logits by which each negative training model prefers y_neg, in every view.
    """

    images: Tensor
    candidates: Candidates
    positive_margins: Tensor
    negative_margins: Tensor

    def __len__(self) -> int:
        return len(self.images)


def margin_snr(margins: Tensor) -> Tensor:
    """Signal-to-noise ratio of each image's margins: their mean over their standard deviation.

    Where all training models are sure and agree, another model of their pool will likely answer as they do.

    Args:
        margins: (V, K, N) margins of N images in V views by K models, in logits.

    Returns:
        (N,) float32, the higher the better.
    """
    mean = margins.mean((0, 1))
    return mean / (margins - mean).square().mean((0, 1)).sqrt()  # Tensor.std() warns of no images


def choose(
    rounds: Sequence[Survivors],
    queries: int,
    *,
    choice: Choice = "margin",
    pair_share: float,
    ranking: Ranking = margin_snr,
    funnel: Funnel,
) -> Draft:
    """Choose survivors by ``choice``.

    Args:
        rounds: survivors of each round.
        queries: number of queries to choose.
        choice: ``published``, the first survivors; ``margin``, those that rank highest, the label pairs in turn;
            ``held-out``, all, for calibration models to choose from.
        pair_share: largest share of the queries with one pair of labels, as long as other pairs have survivors left.
        ranking: function that ranks survivors by the margins of a pool; the lower rank of the two pools counts.
        funnel: counts of all tests, for the transcript.
    """
    images = torch.cat([survivors.images for survivors in rounds])
    notes = {"funnel": funnel.pairs()}
    if choice != "margin":
        labels, negative_labels = torch.cat([survivors.candidates.pairs for survivors in rounds]).unbind(1)
        every = Draft(images, labels, negative_labels, notes)
        return every if choice == "held-out" else every.take(torch.arange(queries))
    ranks = torch.cat([torch.minimum(ranking(s.positive_margins), ranking(s.negative_margins)) for s in rounds])
    pairs = torch.cat([survivors.candidates.pairs for survivors in rounds])
    kept = round_robin_by_pair(-ranks, pairs, queries, each=at_most(pair_share, queries))
    kept = kept[round_robin_by_pair(-ranks[kept], pairs[kept], queries)]
    labels, negative_labels = pairs[kept].unbind(1)
    return Draft(images[kept], labels, negative_labels, notes)
