"""Making a query set for use beside the pipeline's: measured on the zoo, entered into the ledger."""

from datetime import UTC, datetime

from nf.core.files import write_sealed
from nf.core.paths import METRICS_FILE, SCORES_FILE, SHEET_FILE
from nf.data import Splits
from nf.fingerprints import sheet
from nf.monitoring import IssuedSet, Ledger
from nf.stages.evaluate import measure
from nf.stages.fingerprint import make_queries
from nf.stages.run import Run
from nf.stages.score import score_suspects


def issue(run: Run, scheme: str, seed: int) -> IssuedSet:
    """Make a query set of ``scheme`` under ``seed``, measure it on the zoo's suspects and issue it.

    The zoo is the owner's: querying its models shows the images to nobody else. The ledger is written last, so that a
    run that is killed has issued nothing.

    Raises:
        UnknownNameError: the profile or the registry has no such scheme.
        ArtifactError: a model, the GAN or an ONNX file is missing or damaged; or this set was issued before.
        NotEnoughQueriesError: too few queries survive the screen.
    """
    queries = make_queries(run, scheme, run.profile.section("schemes", scheme), count=run.profile.queries, seed=seed)
    ledger = Ledger(run.layout.issued)
    ledger.check_new(queries.digest, seed)
    table, answers = score_suspects(run, queries)
    folder = ledger.folder(queries.digest)
    queries.save(folder)
    sheet(folder / SHEET_FILE, queries, Splits.load(run.layout.data).class_names)
    table.save(folder / SCORES_FILE)
    write_sealed(folder / METRICS_FILE, measure(run, scheme, queries, table, answers))
    issued = IssuedSet(queries.digest, scheme, seed, now())
    ledger.issue(issued)
    return issued


def now() -> str:
    """This moment in UTC, to the second, as ledger and histories write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
