"""Stage ``verify``: every suspect answers the queries through onnxruntime, as a stranger's model would."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nf.core.lineage import ModelSpec
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.stages.run import Run
from nf.stages.suspects import open_suspect
from nf.verification import CountingPredictor, ask, matching_rate
from nf.zoo import fingerbench


def verify(run: Run, scheme: str) -> Path:
    """Score all suspects and training models and return the path of the table.

    Raises:
        ArtifactError: the query set is missing or damaged.
        SuspectError: a suspect cannot be loaded or asked.
    """
    table = score_suspects(run, QuerySet.load(run.layout.fingerprint(scheme)))
    path = run.layout.scores(scheme)
    table.save(path)
    return path


def score_suspects(run: Run, queries: QuerySet) -> ScoreTable:
    """Ask every model of the zoo the ``queries`` through its ONNX file, within a budget of one each.

    Raises:
        SuspectError: a suspect cannot be loaded or asked.
    """
    specs = fingerbench(run.profile.zoo).specs

    def score(spec: ModelSpec) -> Score:
        suspect = CountingPredictor(open_suspect(run.layout.onnx, spec), budget=len(queries))
        rate = matching_rate(ask(suspect, queries), queries)
        return Score.of(spec, rate, suspect.queries)

    rows = []
    with ThreadPoolExecutor(run.profile.execution.workers) as threads:
        for row in threads.map(score, specs):
            rows.append(row)
            run.progress(len(rows), len(specs), row.suspect)
    return ScoreTable(tuple(rows))
