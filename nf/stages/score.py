"""Stage ``score``: every suspect answers the queries through onnxruntime, as a model from outside would."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from nf.core.answers import Answers, AnswerTable
from nf.core.lineage import ModelSpec
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.stages.run import Run
from nf.stages.zoo_suspects import open_zoo_suspect, read_exports_card
from nf.suspects import CountingPredictor, ask
from nf.zoo import fingerbench


def score(run: Run, scheme: str) -> Path:
    """Score all suspects and training models and return the path of the table.

    Their answers are kept beside it: labels, and probabilities where the scheme needs them.

    Raises:
        ArtifactError: the query set or an ONNX file is missing or damaged.
        SuspectError: a suspect cannot be loaded or asked.
    """
    table, answers = score_suspects(run, QuerySet.load(run.layout.fingerprint(scheme)))
    answers.save(run.layout.answers(scheme))
    path = run.layout.scores(scheme)
    table.save(path)
    return path


def score_suspects(run: Run, queries: QuerySet) -> tuple[ScoreTable, AnswerTable]:
    """Ask every model of the zoo the ``queries`` through its ONNX file, within a budget of one each.

    Returns:
        Scores, and the answers that they rest on: labels, and probabilities where a verifier needs them.

    Raises:
        ArtifactError: an ONNX file is missing or damaged.
        SuspectError: a suspect cannot be loaded or asked.
    """
    lineage = fingerbench(run.profile.zoo).asked()
    specs, digests = lineage.specs, read_exports_card(run.layout)

    def score_one(spec: ModelSpec) -> tuple[Score, Answers]:
        suspect = CountingPredictor(open_zoo_suspect(run.layout, spec, digests), budget=len(queries))
        answers = ask(suspect, queries)
        kept = answers if queries.verifier else replace(answers, probabilities=None)
        return Score.of(spec, queries.score(answers), suspect.queries, lineage.root(spec.id).id), kept

    rows, given = [], {}
    with ThreadPoolExecutor(run.profile.execution.workers) as threads:
        for row, answers in threads.map(score_one, specs):
            rows.append(row)
            given[row.suspect] = answers
            run.progress(len(rows), len(specs), row.suspect)
    return ScoreTable(tuple(rows)), AnswerTable(given)
