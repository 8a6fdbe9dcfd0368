"""NaturalFinger: GAN images on which stolen and honest models disagree (paper, section 3.2 and algorithm 1)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nf.core.errors import NotEnoughQueriesError
from nf.core.seeds import derive_seed
from nf.data import to_bytes
from nf.fingerprints.base import Draft, Scheme, Task, TrainingModels
from nf.fingerprints.candidates import Candidates, Funnel
from nf.fingerprints.naturalfinger_config import NaturalFingerConfig
from nf.fingerprints.networks import freeze
from nf.fingerprints.optimise import optimise
from nf.fingerprints.screen import mean_losses, screen
from nf.fingerprints.selection import adversarial_labels, random_labels, spread, unanimous

# What to change if this test let the smallest share pass.
_ADVICE = {
    "unanimous": "train the GAN longer",
    "labelled": "raise epsilon",
    "optimised": "raise epochs or learning_rate",
    "uint8": "switch straight_through_rounding on",
}
_ADVICE_ON_TRANSFORMS = "lower the strength of that transform or raise epochs"


@dataclass(frozen=True)
class _Survivors:
    images: Tensor  # (M, C, H, W) uint8
    candidates: Candidates
    steadiness: Tensor  # (M,) see ``screen``


class NaturalFinger(Scheme):
    """Queries for which all positive training models answer y_pos and all negatives y_neg, under every transform."""

    name = "naturalfinger"
    Config = NaturalFingerConfig
    needs_gan = True
    config: NaturalFingerConfig

    @property
    def wants_twins(self) -> bool:
        """As its settings say."""
        return self.config.twins

    def run(self, task: Task) -> Draft:
        """Rounds of select, optimise and screen until there are enough; then a choice of them.

        Raises:
            ConfigError: the discriminator's term is wanted and the GAN has no discriminator.
            NotEnoughQueriesError: ``max_rounds`` did not suffice.
        """
        if self.config.discriminator != "none":
            task.require_gan().require_discriminator()
        funnel = Funnel()
        rounds: list[_Survivors] = []
        frozen = task.models.map(freeze)
        for number in range(self.config.max_rounds):
            seed = derive_seed(task.seed, self.name, number)
            candidates = self._select(task, frozen, funnel, derive_seed(seed, "select"))
            if len(candidates) > 0:
                figures = {"round": number + 1, "candidates": len(candidates), "found": _count(rounds)}
                candidates = self._optimise(task, frozen, candidates, derive_seed(seed, "optimise"), figures)
                rounds.append(self._screen(task, candidates, funnel, derive_seed(seed, "screen")))
            if _count(rounds) >= task.queries:
                return self._choose(rounds, task.queries, funnel)
        raise NotEnoughQueriesError(_shortage(task.queries, self.config.max_rounds, funnel))

    def _select(self, task: Task, frozen: TrainingModels, funnel: Funnel, seed: int) -> Candidates:
        """Steps 1 and 2: samples that all positives agree on, and a second label for each."""
        gan, config, num_classes = task.require_gan(), self.config, task.data.num_classes
        generator = torch.Generator().manual_seed(seed)
        latents, classes = gan.sample_latents(config.candidates, generator)
        images = gan.generate_in_batches(latents, classes, config.batch_size)
        agreed, labels = unanimous(frozen.positives, images)
        funnel.add("drawn", len(agreed))
        funnel.add("unanimous", int(agreed.sum()))
        if config.label == "random":
            negative_labels = random_labels(labels, num_classes=num_classes, generator=generator)
        else:
            attacked = frozen.negatives if config.label == "negative" else frozen.positives
            negative_labels = adversarial_labels(
                attacked, images, labels, epsilon=config.epsilon, num_classes=num_classes
            )
        usable = agreed & (negative_labels != labels)
        candidates = Candidates(latents, classes, labels, negative_labels).select(usable)
        funnel.add("labelled", len(candidates))
        if config.shortlist is None or len(candidates) == 0:  # not every network takes an empty batch
            return candidates
        losses = mean_losses(images[usable], candidates, frozen, config)
        shortlist = spread(losses, candidates.pairs, config.shortlist)
        funnel.add("shortlisted", len(shortlist))
        return candidates.select(shortlist)

    def _optimise(
        self, task: Task, frozen: TrainingModels, candidates: Candidates, seed: int, figures: Mapping[str, float]
    ) -> Candidates:
        """Step 3, with progress and ``figures`` reported to the caller."""

        def report(done: int, total: int) -> None:
            if task.progress is not None:
                task.progress(done, total, figures)

        latents = optimise(candidates, task.require_gan(), frozen, self.config, seed=seed, progress=report)
        return replace(candidates, latents=latents)

    def _screen(self, task: Task, candidates: Candidates, funnel: Funnel, seed: int) -> _Survivors:
        """Step 4, by the models as they are, not by their folded copies."""
        images = task.require_gan().generate_in_batches(candidates.latents, candidates.classes, self.config.batch_size)
        generator = torch.Generator().manual_seed(seed)
        alive, steadiness = screen(images, candidates, task.models, self.config, generator=generator, funnel=funnel)
        return _Survivors(to_bytes(images[alive]), candidates.select(alive), steadiness)

    def _choose(self, rounds: list[_Survivors], queries: int, funnel: Funnel) -> Draft:
        """The steadiest survivors, of a pair of labels as many as it may give; the pairs take turns."""
        images = torch.cat([survivors.images for survivors in rounds])
        steadiness = torch.cat([survivors.steadiness for survivors in rounds])
        pairs = torch.cat([survivors.candidates.pairs for survivors in rounds])
        kept = spread(-steadiness, pairs, queries, each=math.ceil(self.config.pair_share * queries))
        kept = kept[spread(-steadiness[kept], pairs[kept], queries)]
        labels, negative_labels = pairs[kept].unbind(1)
        return Draft(images[kept], labels, negative_labels, {"funnel": funnel.pairs()})


def _count(rounds: list[_Survivors]) -> int:
    """Queries found so far."""
    return sum(len(survivors.images) for survivors in rounds)


def _shortage(queries: int, rounds: int, funnel: Funnel) -> str:
    worst = funnel.worst(but="shortlisted")  # that one lets a fixed number pass
    return (
        f"expected {queries} queries within {rounds} rounds, got {funnel.last()}; candidates that passed each test: "
        f"{funnel}; most fell at {worst!r}: {_ADVICE.get(worst, _ADVICE_ON_TRANSFORMS)}, or raise candidates"
    )
