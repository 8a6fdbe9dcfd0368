"""NaturalFinger: GAN images on which stolen and honest models disagree (paper, section 3.2 and algorithm 1).

The steps stand in the files beside this one: ``select``, ``optimise``, ``screen``, ``choose``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from nf.core.errors import NotEnoughQueriesError
from nf.core.seeds import derive_seed
from nf.data import to_bytes
from nf.fingerprints.base import Draft, Scheme, Task, TrainingModels
from nf.fingerprints.naturalfinger.candidates import Candidates, Funnel
from nf.fingerprints.naturalfinger.choose import Ranking, Survivors, choose, margin_snr
from nf.fingerprints.naturalfinger.config import NaturalFingerConfig
from nf.fingerprints.naturalfinger.optimise import optimise
from nf.fingerprints.naturalfinger.screen import screen, screen_source
from nf.fingerprints.naturalfinger.select import select
from nf.gan import Gan
from nf.models import freeze

# The setting to change if this test let the smallest share pass.
_ADVICE = {
    "unanimous": "train the GAN longer",
    "labelled": "raise epsilon",
    "source": "raise epochs, or list more training models",
    "optimised": "raise epochs or learning_rate",
    "uint8": "switch straight_through_rounding on",
}
_ADVICE_ON_TRANSFORMS = "lower the strength of that transform or raise epochs"


class Optimiser(Protocol):
    """Moves the latents of candidates; see ``optimise``."""

    def __call__(  # noqa: D102
        self,
        candidates: Candidates,
        gan: Gan,
        models: TrainingModels,
        config: NaturalFingerConfig,
        *,
        seed: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor: ...


class NaturalFinger(Scheme):
    """Queries for which all positive training models answer y_pos and all negatives y_neg, under every transform.

    Args:
        config: hyper-parameters of all steps.
        optimiser: function that moves the latents of step 3.
        ranking: function that ranks the survivors of the screen.
    """

    name = "naturalfinger"
    Config = NaturalFingerConfig
    needs_gan = True
    config: NaturalFingerConfig

    def __init__(
        self, config: NaturalFingerConfig, *, optimiser: Optimiser = optimise, ranking: Ranking = margin_snr
    ) -> None:
        super().__init__(config)
        self._optimiser = optimiser
        self._ranking = ranking

    @property
    def wants_twins(self) -> bool:
        """Whether twins join the negatives, as the setting ``twins`` says."""
        return self.config.twins

    @property
    def pair_share(self) -> float:
        """Largest share of the queries with one pair of labels, as the setting of that name says."""
        return self.config.pair_share

    def run(self, task: Task) -> Draft:
        """Select, optimise and screen candidates, round by round, until enough survive; then choose among them.

        Raises:
            ConfigError: there is no GAN, or the discriminator's term is wanted and the GAN has no discriminator.
            NotEnoughQueriesError: too few candidates survive ``max_rounds`` rounds.
        """
        if self.config.discriminator != "none":
            task.require_gan().require_discriminator()
        funnel = Funnel()
        rounds: list[Survivors] = []
        frozen = task.models.map(freeze)
        wanted = task.queries * (self.config.choose_from if self.chooses_held_out else 1)
        config, moved = self.config, 0
        for number in range(self.config.max_rounds):
            seed = derive_seed(task.seed, self.name, number)
            candidates = select(task, frozen, config, seed=derive_seed(seed, "select"), funnel=funnel)
            moved += len(candidates)
            if len(candidates) > 0:
                figures = {"round": number + 1, "candidates": len(candidates), "found": _count(rounds)}
                candidates = self._optimise(task, frozen, candidates, derive_seed(seed, "optimise"), figures)
                rounds.append(self._screen(task, candidates, funnel, derive_seed(seed, "screen")))
            if _count(rounds) >= wanted:
                break
            if self.chooses_held_out:
                shortlist = next_shortlist(self.config.shortlist, wanted, _count(rounds), moved)
                config = replace(self.config, shortlist=shortlist)
        if _count(rounds) >= task.queries:
            return choose(
                rounds,
                task.queries,
                choice=self.config.choice,
                pair_share=self.config.pair_share,
                ranking=self._ranking,
                funnel=funnel,
            )
        raise NotEnoughQueriesError(_shortage(task.queries, self.config.max_rounds, funnel))

    def _optimise(
        self, task: Task, frozen: TrainingModels, candidates: Candidates, seed: int, figures: Mapping[str, float]
    ) -> Candidates:
        """Carry out step 3 and report its progress with ``figures`` to the caller."""

        def report(done: int, total: int) -> None:
            if task.progress is not None:
                task.progress(done, total, figures)

        latents = self._optimiser(candidates, task.require_gan(), frozen, self.config, seed=seed, progress=report)
        return replace(candidates, latents=latents)

    def _screen(self, task: Task, candidates: Candidates, funnel: Funnel, seed: int) -> Survivors:
        """Carry out step 4 with the models themselves, not with their folded copies."""
        images = task.require_gan().generate_in_batches(candidates.latents, candidates.classes, self.config.batch_size)
        if self.config.choice != "published":  # the paper does not ask the source
            alive = screen_source(images, candidates, task.models, funnel=funnel)
            images, candidates = images[alive], candidates.select(alive)
        if self.config.choice == "held-out":
            none = torch.empty(0, 0, len(images))
            return Survivors(to_bytes(images), candidates, none, none)
        generator = torch.Generator().manual_seed(seed)
        alive, *margins = screen(images, candidates, task.models, self.config, generator=generator, funnel=funnel)
        return Survivors(to_bytes(images[alive]), candidates.select(alive), *margins)


def next_shortlist(shortlist: int | None, wanted: int, found: int, moved: int) -> int | None:
    """Candidates of the next round: as many as give what is missing, if as large a share of them survives.

    Args:
        shortlist: the setting, which is not exceeded.
        wanted: number of survivors that end the search.
        found: number of survivors so far.
        moved: number of candidates that they survived of.
    """
    if found == 0:
        return shortlist
    needed = math.ceil((wanted - found) * moved / found)
    return needed if shortlist is None else min(shortlist, needed)


def _count(rounds: list[Survivors]) -> int:
    """Number of survivors of all rounds so far."""
    return sum(map(len, rounds))


def _shortage(queries: int, rounds: int, funnel: Funnel) -> str:
    worst = funnel.worst(but="shortlisted")  # which lets a fixed number pass
    return (
        f"expected {queries} queries within {rounds} rounds, got {funnel.last()}; candidates that passed each test: "
        f"{funnel}; most fell at {worst!r}: {_ADVICE.get(worst, _ADVICE_ON_TRANSFORMS)}, or raise candidates"
    )
