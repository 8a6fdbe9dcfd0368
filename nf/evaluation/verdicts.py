"""What verdicts with a calibrated query set come to on suspects of known origin."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nf.core.answers import AnswerTable
from nf.core.calibration import Calibration, Group, Levels
from nf.core.errors import ArtifactError, ConfigError
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.verdict import Found, Verdict, decide, p_value

_GROUPS: dict[str, Group] = {"independent": "independent", "trained": "twin"}
"""Which calibration models each of ``Levels`` is about."""


@dataclass(frozen=True)
class Judged:
    """A suspect of the zoo and its verdict.

    Attributes:
        row: what the suspect is, and its score.
        verdict: what is claimed of it.
    """

    row: Score
    verdict: Verdict


@dataclass(frozen=True)
class VerdictCounts:
    """Verdicts on all suspects of a zoo.

    Attributes:
        levels: levels that they were taken at; ``None`` where the query set has no calibration.
        independent_accused: independent models that were accused of either.
        trained_accused: models that learned from the owner's data and were called stolen; ``None`` without any.
        missed: stolen models that were not accused at all.
        not_called_stolen: stolen models that were not called stolen.
        thieves: stolen models by attack.
        honest: independent models by attack, ``twin`` for those that learned from the owner's data.
    """

    levels: Levels | None
    independent_accused: Proportion
    trained_accused: Proportion | None
    missed: Proportion
    not_called_stolen: Proportion
    thieves: dict[str, Found]
    honest: dict[str, Found]

    def to_json(self) -> dict[str, Any]:
        """Nested plain values, in the form that ``dvc metrics`` shows."""
        rates = ("independent_accused", "trained_accused", "missed", "not_called_stolen")
        named = {name: getattr(self, name) for name in rates}
        return {
            "levels": asdict(self.levels) if self.levels else None,
            **{name: None if rate is None else rate.to_json() for name, rate in named.items()},
            "thieves": {kind: asdict(found) for kind, found in self.thieves.items()},
            "honest": {kind: asdict(found) for kind, found in self.honest.items()},
        }


def judge(table: ScoreTable, answers: AnswerTable, queries: QuerySet) -> tuple[Judged, ...]:
    """The verdict on each suspect of ``table``, in its order.

    Raises:
        ArtifactError: a suspect's answers are missing.
    """
    missing = [row.suspect for row in table.rows if row.suspect not in answers.answers]
    if missing:
        raise ArtifactError(f"expected the answers of {missing[0]}, got none; run `nf score SCHEME` again")
    return tuple(Judged(row, decide(answers[row.suspect], queries)) for row in table.rows)


def calibrated_table(judged: Iterable[Judged]) -> ScoreTable | None:
    """The table with calibrated scores in the place of scores; ``None`` where the query set has no calibration."""
    rows = [(each.row, each.verdict.calibrated) for each in judged]
    if any(score is None for _, score in rows):
        return None
    return ScoreTable(tuple(replace(row, score=score) for row, score in rows if score is not None))


def count_verdicts(judged: Sequence[Judged]) -> VerdictCounts:
    """Count the verdicts on the paper's suspects, and on those of FingerBench+ that learned from the owner's data.

    Raises:
        ConfigError: there is no positive or no negative suspect.
    """
    suspects = [each for each in judged if each.row.pool == "suspects"]
    thieves = [each for each in suspects if each.row.role == "positive"]
    independent = [each for each in suspects if each.row.role == "negative"]
    twins = [each for each in judged if each.row.pool == "plus" and each.row.role == "negative"]
    if not thieves or not independent:
        raise ConfigError(
            f"expected positive and negative suspects, got {len(thieves)} and {len(independent)}; build more of the zoo"
        )
    return VerdictCounts(
        levels=judged[0].verdict.levels,
        independent_accused=Proportion.of((each.verdict.accused, each.row.lineage) for each in independent),
        trained_accused=Proportion.of((each.verdict.stolen, each.row.lineage) for each in twins) if twins else None,
        missed=Proportion(len(thieves) - _accused(thieves), len(thieves)),
        not_called_stolen=Proportion(len(thieves) - _stolen(thieves), len(thieves)),
        thieves=_by_kind(thieves),
        honest={**_by_kind(independent), **({"twin": _found(twins)} if twins else {})},
    )


def check_levels(calibration: Calibration) -> dict[str, Proportion]:
    """How often the levels err on the calibration models themselves, each judged without those of its lineage.

    Returns:
        By level the models that it accuses out of all of its group; a level without models is left out.
    """
    found = {}
    for level, group in _GROUPS.items():
        places = calibration.select(group)
        if len(places) == 0:
            continue
        allowed = getattr(calibration.levels, level)
        found[level] = Proportion.of(
            (_held_out_p_value(calibration, int(place), group) <= allowed, calibration.models[place].lineage)
            for place in places
        )
    return found


def _held_out_p_value(calibration: Calibration, place: int, group: Group) -> float:
    own = calibration.models[place]
    kept = [at for at, model in enumerate(calibration.models) if model.lineage != own.lineage]
    look = replace(calibration.full, held_out=tuple(calibration.full.held_out[at] for at in kept))
    others = replace(calibration, models=tuple(calibration.models[at] for at in kept), looks=(look,))
    found = p_value(calibration.full.held_out[place], look, others, group)
    return 1.0 if found is None else found.value


def _accused(judged: Iterable[Judged]) -> int:
    return sum(each.verdict.accused for each in judged)


def _stolen(judged: Iterable[Judged]) -> int:
    return sum(each.verdict.stolen for each in judged)


def _by_kind(judged: Iterable[Judged]) -> dict[str, Found]:
    kinds: dict[str, list[Judged]] = {}
    for each in judged:
        kinds.setdefault(each.row.attack, []).append(each)
    return {kind: _found(rows) for kind, rows in kinds.items()}


def _found(judged: Sequence[Judged]) -> Found:
    return Found(len(judged), _accused(judged), _stolen(judged))
