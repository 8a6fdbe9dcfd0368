"""From candidates to a calibrated query set: choose, fit, and score every calibration model by what others taught."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nf.calibration.choose import choose
from nf.calibration.fit import fit, scale
from nf.calibration.folds import deal
from nf.core.calibration import FEWEST, Calibration, CalibrationModel, Levels, Look
from nf.core.errors import ConfigError

FOLDS = 10
"""Parts that the lineages are dealt into, as far as there are so many of each group."""

LOOKS = (0.1, 0.2, 0.4, 0.7, 1.0)
"""Shares of the queries after which a suspect may be judged."""


@dataclass(frozen=True)
class CalibrationPool:
    """Models of known origin that took no part in making candidates, and how to ask them.

    Attributes:
        models: what the models are, K of them.
        ask: function from (N, C, H, W) uint8 images to the (K, N) int64 labels that the models give.
        levels: what the verdicts of the query set will be held against.
        digest: SHA-256 of all that the models are, for the transcript.
    """

    models: tuple[CalibrationModel, ...]
    ask: Callable[[NDArray[np.uint8]], NDArray[np.int64]]
    levels: Levels
    digest: str

    def __post_init__(self) -> None:
        for group, count in self._hands().items():
            if count < FEWEST:
                raise ConfigError(f"zoo.calibration: expected at least {FEWEST} of {group}, got {count}")

    @property
    def folds(self) -> int:
        """Number of parts that the lineages are dealt into."""
        return min(FOLDS, *self._hands().values())

    def _hands(self) -> dict[str, int]:
        """Number of thieves, and of lineages of independent models; of twins where nobody else has any images."""
        thieves = sum(model.group == "thief" for model in self.models)
        groups = {model.group for model in self.models}
        honest = "independent" if "independent" in groups or "twin" not in groups else "twin"
        return {"thief": thieves, honest: len({model.lineage for model in self.models if model.group == honest})}


def calibrate(
    pool: CalibrationPool,
    matches: NDArray[np.bool_],
    queries: int,
    *,
    pairs: NDArray[np.int64] | None = None,
    each: int = 1,
) -> tuple[NDArray[np.int64], Calibration]:
    """Choose queries among candidates, and calibrate their score.

    The score of each model for the record comes from queries and weights that did not know its lineage, so that the
    models stand for suspects that nobody has seen.

    Args:
        pool: calibration models.
        matches: (K, N) whether each of them answered each candidate like a thief.
        queries: number of candidates to choose.
        pairs: (N,) number of each candidate's pair of labels; ``None`` takes the first candidates as they come.
        each: largest number of queries with one pair of labels.

    Returns:
        (queries,) int64 places of the candidates in the order in which they are to be asked, and the calibration.
    """
    parts = deal(pool.models, pool.folds)

    def chosen_by(known: NDArray[np.bool_]) -> NDArray[np.int64]:
        if pairs is None:
            return np.arange(queries)
        return choose(matches[known], _those(pool.models, known), queries, pairs, each)

    chosen = chosen_by(np.ones(len(pool.models), dtype=bool))
    by_fold = {part: chosen_by(parts != part) for part in range(pool.folds)}
    sizes = sorted({max(1, round(share * queries)) for share in LOOKS})
    looks = tuple(_look(pool.models, matches, parts, chosen[:size], by_fold, size) for size in sizes)
    return chosen, Calibration(pool.models, looks, pool.levels, matches.shape[1], pool.folds)


def _look(
    models: Sequence[CalibrationModel],
    matches: NDArray[np.bool_],
    parts: NDArray[np.int64],
    chosen: NDArray[np.int64],
    by_fold: dict[int, NDArray[np.int64]],
    size: int,
) -> Look:
    held_out = np.empty(len(models))
    for part, places in by_fold.items():
        known = parts != part
        weights, bias = fit(matches[known][:, places[:size]], _those(models, known))
        held_out[~known] = matches[~known][:, places[:size]] @ weights + bias
    factor, offset = scale(held_out, models)
    weights, bias = fit(matches[:, chosen], models)
    return Look(
        size,
        tuple((factor * weights).round(9).tolist()),
        round(factor * bias + offset, 9),
        tuple((factor * held_out + offset).round(9).tolist()),
    )


def _those(models: Sequence[CalibrationModel], known: NDArray[np.bool_]) -> list[CalibrationModel]:
    return [model for model, is_known in zip(models, known, strict=True) if is_known]
