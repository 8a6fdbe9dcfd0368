"""Hyper-parameters of NaturalFinger."""

from dataclasses import dataclass, field
from typing import Literal

from nf.core.sections import at_least, below_one, positive
from nf.fingerprints.transforms import Strength, check_transforms

LabelRule = Literal["negative", "positive", "random"]


@dataclass(frozen=True)
class NaturalFingerConfig:
    """Every part can be switched off: ``label: random``, ``transforms: [identity]``, ``discriminator: none``.

    Attributes:
        gan: whose latents are optimised, a key of ``nf.gan.GANS``.
        candidates: samples drawn per round, before any test.
        shortlist: how many of them go on: those that start with the smallest loss, the label pairs in turn; ``None``
            lets all go on, as in the paper.
        max_rounds: rounds before giving up.
        epochs: walks through all training models.
        learning_rate: for the mean over 80 latents, as in the paper.
        momentum: Nesterov momentum.
        batch_size: latents optimised side by side: speed and memory, not the result.
        chunk: models of each pool per update.
        label: whose FGSM step finds the adversarial label: the ``negative`` models (paper), the ``positive`` ones (the
            authors' script), or ``random`` classes.
        epsilon: length of that step in units of the [0, 1] range.
        confidence: k of the CW loss.
        transforms: keys of ``nf.fingerprints.transforms.TRANSFORMS``.
        strength: how strong they are.
        discriminator: sign of the discriminator's term: ``published`` (the paper's, drives images to look fake),
            ``corrected`` or ``none``.
        discriminator_weight: lambda of equation 1.
        straight_through_rounding: round images to uint8 in the loss.
        screen_repeats: draws of each random transform that a query must withstand.
        pair_share: largest share of the set that one pair of labels makes up, as long as other pairs have survivors
            left; the pairs take turns. Of a pair's survivors those with the highest ``choose.margin_snr`` are taken.
        twins: honest models trained on the owner's own data join the negatives, so that the query set tells descent
            and not training data.
    """

    gan: str = "sagan"
    candidates: int = 1000
    shortlist: int | None = None
    max_rounds: int = 4
    epochs: int = 1000
    learning_rate: float = 0.5
    momentum: float = 0.9
    batch_size: int = 80
    chunk: int = 4
    label: LabelRule = "negative"
    epsilon: float = 8 / 255
    confidence: float = 50.0
    transforms: tuple[str, ...] = ("identity", "flip", "noise", "translate", "shear")
    strength: Strength = field(default_factory=Strength)
    discriminator: Literal["none", "published", "corrected"] = "corrected"
    discriminator_weight: float = 0.5
    straight_through_rounding: bool = False
    screen_repeats: int = 4
    pair_share: float = 0.1
    twins: bool = False

    def __post_init__(self) -> None:
        check_transforms(self.transforms)
        at_least(self, candidates=1, shortlist=1, max_rounds=1, epochs=1, batch_size=1, chunk=1, screen_repeats=1)
        at_least(self, confidence=0, discriminator_weight=0)
        positive(self, "learning_rate")
        below_one(self, "momentum")
        for name in ("epsilon", "pair_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected more than 0 and at most 1, got {getattr(self, name)}")
