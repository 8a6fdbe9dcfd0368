"""Stage ``verify``: every suspect answers the queries through onnxruntime, as a stranger's model would."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from nf.core.answers import Answers, AnswerTable
from nf.core.lineage import ModelSpec
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.stages.run import Run
from nf.verification import CountingPredictor, OnnxSuspect, ask
from nf.zoo import fingerbench


def verify(run: Run, scheme: str) -> Path:
    """Score all suspects and training models and return the path of the table.

    Their answers are kept beside it: labels, and probabilities where the scheme needs them.

    Raises:
        ArtifactError: the query set is missing or damaged.
        SuspectError: a suspect cannot be loaded or asked.
    """
    queries = QuerySet.load(run.layout.fingerprint(scheme))
    specs = fingerbench(run.profile.zoo).specs

    def score(spec: ModelSpec) -> tuple[Score, Answers]:
        suspect = CountingPredictor(OnnxSuspect(run.layout.onnx / f"{spec.id}.onnx"), budget=len(queries))
        answers = ask(suspect, queries)
        kept = answers if queries.verifier else replace(answers, probabilities=None)
        return Score.of(spec, queries.score(answers), suspect.queries), kept

    rows, given = [], {}
    with ThreadPoolExecutor(run.profile.execution.workers) as threads:
        for row, answers in threads.map(score, specs):
            rows.append(row)
            given[row.suspect] = answers
            run.progress(len(rows), len(specs), row.suspect)
    AnswerTable(given).save(run.layout.answers(scheme))
    path = run.layout.scores(scheme)
    ScoreTable(tuple(rows)).save(path)
    return path
