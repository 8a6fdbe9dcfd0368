"""Hyper-parameters of NaturalFinger."""

from dataclasses import dataclass, field
from typing import Literal

from nf.core.sections import at_least, below_one, positive
from nf.fingerprints.transforms import Strength, check_transforms

LabelRule = Literal["negative", "positive", "random"]
Choice = Literal["published", "margin", "held-out"]


@dataclass(frozen=True)
class NaturalFingerConfig:
    """Every part can be switched off: ``label: random``, ``transforms: [identity]``, ``discriminator: none``.

    Attributes:
        gan: name of the GAN whose latents are optimised, a key of the profile's ``gans``.
        candidates: number of samples drawn per round, before any test.
        shortlist: number of candidates that are optimised: those that start with the smallest loss, the label pairs in
            turn; ``None`` optimises all, as in the paper.
        max_rounds: number of rounds before giving up.
        epochs: number of walks through all training models.
        learning_rate: step size of SGD, for the mean over 80 latents as in the paper.
        momentum: Nesterov momentum, in [0, 1).
        batch_size: number of latents optimised side by side; it changes speed and memory, not the result.
        chunk: number of models of each pool per update.
        label: models whose FGSM step finds the adversarial label: the ``negative`` ones (paper), the ``positive`` ones
            (the authors' script), or ``random`` for random classes.
        epsilon: length of the FGSM step, in units of the [0, 1] range.
        confidence: bound k of the CW loss, in logits.
        transforms: keys of ``nf.fingerprints.transforms.TRANSFORMS``, one of which is drawn for every update.
        strength: strength of the transforms.
        discriminator: sign of the discriminator's term: ``published`` (the paper's, drives images to look fake),
            ``corrected`` or ``none``.
        discriminator_weight: weight lambda of the discriminator's term (equation 1).
        straight_through_rounding: whether the loss is taken on images rounded to uint8.
        screen_repeats: number of draws of each random transform that a query must withstand.
        choice: which candidates become queries: ``published``, the first that survive the screen; ``margin``, the
            survivors of highest ``choose.margin_snr`` among those that the source labels y_pos, too; ``held-out``, of
            all that the source labels y_pos those that tell calibration models apart best.
        choose_from: number of candidates for each query that calibration models choose from, at least 1.
        pair_share: largest share of the query set with one pair of labels, in (0, 1], as long as other pairs have
            survivors left; ``published`` knows no such bound.
        twins: whether twins, independent models trained on the owner's own data, join the negatives, so that the query
            set shows descent and not training data.
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
    choice: Choice = "margin"
    choose_from: int = 5
    pair_share: float = 0.1
    twins: bool = False

    def __post_init__(self) -> None:
        check_transforms(self.transforms)
        at_least(
            self,
            candidates=1,
            shortlist=1,
            max_rounds=1,
            epochs=1,
            batch_size=1,
            chunk=1,
            screen_repeats=1,
            choose_from=1,
        )
        at_least(self, confidence=0, discriminator_weight=0)
        positive(self, "learning_rate")
        below_one(self, "momentum")
        for name in ("epsilon", "pair_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected more than 0 and at most 1, got {getattr(self, name)}")
