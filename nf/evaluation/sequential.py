"""How many queries a verdict takes that stops as soon as the evidence suffices, and the errors that it makes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nf.core.answers import AnswerTable
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.evaluation.verdicts import Judged, VerdictCounts, count_verdicts
from nf.verdict import StagedVerdict, decide_in_stages


@dataclass(frozen=True)
class Asked:
    """Queries that one kind of suspect takes.

    Attributes:
        suspects: number of suspects.
        mean: mean number of queries until the verdict.
        most: largest number of queries until the verdict.
    """

    suspects: int
    mean: float
    most: int


@dataclass(frozen=True)
class SequentialCounts:
    """Verdicts in stages on all suspects of a zoo.

    Attributes:
        looks: numbers of queries after which a suspect may be judged.
        thieves: queries that stolen models take, by attack.
        honest: queries that independent models take, by attack, ``twin`` for those that learned from the owner's data.
        verdicts: what the verdicts come to.
    """

    looks: tuple[int, ...]
    thieves: dict[str, Asked]
    honest: dict[str, Asked]
    verdicts: VerdictCounts

    def to_json(self) -> dict[str, Any]:
        """Nested plain values, in the form that ``dvc metrics`` shows."""
        kinds = {"thieves": self.thieves, "honest": self.honest}
        asked = {name: {kind: asdict(each) for kind, each in found.items()} for name, found in kinds.items()}
        return {"looks": list(self.looks), **asked, "verdicts": self.verdicts.to_json()}


def count_queries(table: ScoreTable, answers: AnswerTable, queries: QuerySet) -> SequentialCounts | None:
    """Judge every suspect of ``table`` in stages by its recorded answers.

    Returns:
        What it takes and comes to; ``None`` where the query set allows no verdict in stages.

    Raises:
        ConfigError: there is no positive or no negative suspect.
    """
    if queries.calibration is None or queries.verifier is not None:
        return None
    staged = [(row, _judge(answers, row, queries)) for row in table.rows]
    thieves = [each for each in staged if each[0].pool == "suspects" and each[0].role == "positive"]
    honest = [each for each in staged if each[0].pool == "suspects" and each[0].role == "negative"]
    twins = [each for each in staged if each[0].pool == "plus" and each[0].role == "negative"]
    return SequentialCounts(
        looks=tuple(look.queries for look in queries.calibration.looks),
        thieves=_by_attack(thieves),
        honest={**_by_attack(honest), **({"twin": _asked([each for _, each in twins])} if twins else {})},
        verdicts=count_verdicts([Judged(row, each.verdict) for row, each in staged]),
    )


def _judge(answers: AnswerTable, row: Score, queries: QuerySet) -> StagedVerdict:
    labels = answers[row.suspect].labels
    return decide_in_stages(lambda part: labels[part], queries)


def _by_attack(staged: Sequence[tuple[Score, StagedVerdict]]) -> dict[str, Asked]:
    attacks: dict[str, list[StagedVerdict]] = {}
    for row, each in staged:
        attacks.setdefault(row.attack, []).append(each)
    return {attack: _asked(found) for attack, found in attacks.items()}


def _asked(staged: Sequence[StagedVerdict]) -> Asked:
    counts = [each.asked for each in staged]
    return Asked(len(counts), round(sum(counts) / len(counts), 3), max(counts))
