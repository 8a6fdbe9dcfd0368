"""What publications and their authors' code set, and why this project's profiles set something else where they do.

A row stands for a field of a settings class, by its name with dots between, or for a fact that is no setting. ``None``
is what a publication does not state. That the classes have no field without a row is tested.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One setting.

    Attributes:
        paper: what the publication says; ``None`` if it does not.
        code: what the authors' code says; ``None`` if it does not, or is not public.
        why: why profiles differ, or what the setting is here.
    """

    paper: str | None
    code: str | None
    why: str


NATURALFINGER: Mapping[str, Published] = {
    "queries": Published("100", "500", "of a profile; its variants have fewer where time is short"),
    "gan": Published("sagan", "sagan", "variants have each of the other five"),
    "candidates": Published(None, "10 a query, 200 at a time", "drawn anew each round until there are enough"),
    "shortlist": Published("none", "none", "time: only candidates that begin with a small loss are moved"),
    "max_rounds": Published(None, None, "a bound, so that a run ends and says what is missing"),
    "epochs": Published("1000", "1000", "time: fewer, longer steps; [measured](results/latent-steps.md)"),
    "learning_rate": Published("0.5", "0.1", "as long a way in fewer steps"),
    "momentum": Published(None, "0.9, Nesterov", "as the code"),
    "batch_size": Published(None, "80", "speed alone: the loss is a sum over a latent's own terms"),
    "chunk": Published("batches of models", "4 + 4", "as the code"),
    "label": Published("negative", "positive", "as the paper"),
    "epsilon": Published(None, "8/255", "strokes on digits, black on white, move for larger steps alone"),
    "confidence": Published("k, not stated", "50", "at 50 the bound hardly binds: sure models pull for no use"),
    "transforms": Published(
        "not listed",
        "identity, flip, noise, translate, shear",
        "a mirrored digit is none; of the rest those that survivors withstand in so few steps",
    ),
    "strength.noise": Published(None, "0.02", "as the code"),
    "strength.translation": Published(None, "4", "used where translate is listed"),
    "strength.translation_probability": Published(None, "0.5", "used where translate is listed"),
    "strength.shear": Published(None, "0.1", "half, so that enough survive so few steps"),
    "discriminator": Published("published", "published", "the paper's sign makes images look fake; a variant has it"),
    "discriminator_weight": Published("0.5", "0.5", "as the paper"),
    "straight_through_rounding": Published(None, "no", "the screen runs on stored bytes in any case"),
    "screen_repeats": Published(None, "1", "more draws of each random transform: a stricter screen"),
    "choice": Published(
        "published", "published", "calibration models choose; in the paper the first survivors are taken"
    ),
    "choose_from": Published("not there", "not there", "used under `held-out` alone"),
    "pair_share": Published("not there", "not there", "near-copies of one image are the same query again"),
    "twins": Published("no", "no", "against accusing models that learned from the same images"),
    "models of each kind": Published("8", "8", "variants take fewer where time is short, but for those of the paper"),
}

IPGUARD: Mapping[str, Published] = {
    "margins": Published("10", None, "results depend strongly on k: a sweep, best on training models"),
    "candidates": Published(None, None, "start images for each k"),
    "iterations": Published("1000", None, "time: half as many"),
    "learning_rate": Published("0.001", None, "as long a way in fewer steps"),
    "choice": Published("published", None, "as the paper: those that arrive first"),
}

METAV: Mapping[str, Published] = {
    "steps": Published(None, "1000", "time: a tenth or a fifth as many"),
    "image_learning_rate": Published(None, "0.001", "as long a way in fewer steps"),
    "learning_rate": Published(None, "0.001", "as the code of a published offspring; MetaV's own is not public"),
    "weight_decay": Published(None, "0.0001", "as there"),
    "hidden": Published(None, "128, 64, 32", "as there"),
    "dropout": Published(None, "0.1", "as there"),
    "start": Published("small noise", None, "largest pixel of the noise that images start from"),
}

METAFINGER: Mapping[str, Published] = {
    "candidates": Published(None, None, "start images of a round"),
    "max_rounds": Published("until enough", "until enough", "a bound, so that a run ends"),
    "epochs": Published(None, "10", "time: half as many"),
    "learning_rate": Published(None, "0.01", "as long a way in fewer steps"),
    "chunk": Published(None, "3", "as the code"),
    "alpha": Published(None, "1.0", "as the code"),
    "held_out": Published(None, None, "models of each pool that choose iterates and screen"),
    "prune": Published(None, "0.3", "as the code"),
    "noise_level": Published(None, None, "of the other shadow copies"),
    "transforms": Published(
        None,
        "identity, flip, shear, gaussian_blur, median_blur, average_blur, noise, uniform_noise, rescale, translate",
        "a mirrored digit is none",
    ),
    "strength.noise": Published(None, "0.05", "as the code"),
    "strength.uniform_noise": Published(None, "0.05", "as the code"),
    "strength.translation": Published(None, "4", "of 32 pixels; half of that at 16"),
    "strength.translation_probability": Published(None, "1.0", "as the code"),
    "strength.shear": Published(None, "0.1", "as the code"),
    "strength.blur": Published(None, "0.8", "as the code"),
    "strength.blur_probability": Published(None, "0.7", "as the code"),
    "strength.canvas": Published(
        None, "40 of 32 pixels", "the canvas is shrunk to the old size, which all networks take"
    ),
    "strength.smallest": Published(None, "24 of 32 pixels", "as the code"),
    "choice": Published("published", "published", "as the paper: the first that pass"),
}

ATTACKS: Mapping[str, Published] = {
    "train.epochs": Published(None, None, "time; [what they reach](results/accuracy.md)"),
    "train.batch_size": Published(None, None, "larger on a GPU, with the rate raised as much"),
    "train.learning_rate": Published(None, None, "peak of a one-cycle schedule; SGD with Nesterov momentum 0.9"),
    "finetune.epochs": Published("10", None, "time; the same for pruning, noise and adversarial training"),
    "finetune.learning_rate": Published("0.005", None, "as the paper: SGD; Nesterov momentum 0.9 is a choice"),
    "finetune.batch_size": Published(None, None, "270 images of digits in batches of 128 would be thirty updates"),
    "pruned weights": Published("smallest share", None, "of each layer, not of the network; the mask is held"),
    "noise on weights": Published(
        "Gaussian, value 1 to 9", None, "N(0, std(w) / value): the deviation over the whole tensor; convolutions alone"
    ),
    "adversarial.epsilon": Published("8/255", None, "as the paper"),
    "adversarial.step_size": Published(None, None, "larger where there are fewer steps"),
    "adversarial.steps": Published(None, None, "time"),
    "adversarial examples": Published(
        "infused", None, "join the images of their batch, made against the model as it is"
    ),
    "distill.temperature": Published("1", None, "as the paper; on the teacher's own half of the images"),
    "knockoff.epochs": Published(None, None, "none: as many as training from scratch"),
    "knockoff images": Published("CIFAR-100, random", None, "probabilities are learned; each image is asked once"),
}

BY_SCHEME: Mapping[str, Mapping[str, Published]] = {
    "naturalfinger": NATURALFINGER,
    "ipguard": IPGUARD,
    "metav": METAV,
    "metafinger": METAFINGER,
}
