"""Collapse, noticed while it happens."""

import math

from nf.core.errors import TrainingError

_STUCK_BELOW = 1e-3
_STUCK_REPORTS = 20


class CollapseWatch:
    """Raises once the losses of the GAN ``name`` show that going on is useless."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stuck = 0

    def check(self, step: int, losses: dict[str, float]) -> None:
        """Look at the mean ``losses`` of the last steps, up to ``step``, by term.

        Raises:
            TrainingError: a loss is not finite, or the discriminator has had nothing left to learn for 20 reports.
        """
        for key, loss in losses.items():
            if not math.isfinite(loss):
                raise TrainingError(
                    f"{self._name} diverged: {key} is {loss} at step {step}; lower learning_rate_g and learning_rate_d"
                )
        self._stuck = self._stuck + 1 if abs(losses["d_adversarial"]) < _STUCK_BELOW else 0
        if self._stuck >= _STUCK_REPORTS:
            raise TrainingError(
                f"{self._name} collapsed: the discriminator's loss has stayed at zero up to step {step} and G"
                " learns nothing; lower d_steps or learning_rate_d, or raise max_shift"
            )
