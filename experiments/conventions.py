"""How often the search for a suspect's conventions errs: ``python -m experiments.conventions --out FOLDER``.

Every model of a whole run in FOLDER (``nf run export fingerprint@naturalfinger --profile NAME --out FOLDER``) is put
behind every convention of ``experiments.callers``, asked without a word about it, and judged. What comes of it when
its convention is stated says what is right. The same models are then asked wrongly, as if nobody searched, for what
the floor under sense stops. Adds the run to ``results/conventions.json``.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.callers import Caller, Convention, Inner, conventions
from nf.core.answers import Answers
from nf.core.controls import Controls
from nf.core.errors import SuspectError
from nf.core.files import read_json, write_json
from nf.core.interface import PRESETS
from nf.core.lineage import ModelSpec
from nf.core.predictor import OutputKind
from nf.core.queries import QuerySet
from nf.core.seeds import derive_seed
from nf.stages.provenance import git_commit, machine, versions
from nf.stages.run import Run
from nf.suspects import Examination, Interface
from nf.suspects.interpret import Raw
from nf.suspects.probe import Found
from nf.verdict import OUTCOMES, decide
from nf.zoo import fingerbench

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "conventions.json"
GRAVEST: tuple[str, ...] = OUTCOMES


class Searched:
    """A suspect in this process."""

    output: OutputKind = "logits"

    def __init__(self, caller: Caller, stated: Interface) -> None:
        self._caller = caller
        self.interface = stated
        self.queried = False

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Refused: here every suspect is searched."""
        raise RuntimeError("expected to be asked in a way that was found, was asked without a search")

    def find(self, controls: Controls, num_classes: int) -> Found:
        """How it wants to be asked."""
        return self._caller.find(controls, num_classes, self.interface)

    def ask(self, images: NDArray[np.uint8], hows: Sequence[Interface]) -> list[dict[str, Raw]]:
        """Its answers in each of the ways ``hows``."""
        return [self._caller.ask(images, how) for how in hows]


@dataclass(frozen=True)
class Told:
    """What came of asking one model behind one convention.

    Attributes:
        outcome: that of the verdict; ``None`` where there is none.
        queried: whether it saw a query.
        images: number of images that it was sent.
        equal: share of queries that it answered as when it is asked as it wants.
    """

    outcome: str | None
    queried: bool
    images: int
    equal: float = 0.0


def examined(caller: Caller, queries: QuerySet, wanted: Answers, stated: Interface | None = None) -> Told:
    """Ask behind a convention that has to be found where it is not ``stated``."""
    suspect = Searched(caller, stated or Interface())

    def spent() -> None:
        suspect.queried = True

    def claim(answers: Answers) -> str:
        return decide(answers, queries).outcome

    try:
        examination = Examination(suspect, queries, before_queries=spent, claim=claim)
        examination.ask(slice(0, len(queries)))
        answers = examination.finish().answers
    except SuspectError:
        return Told(None, suspect.queried, caller.images)
    return Told(claim(answers), suspect.queried, caller.images, float((answers.labels == wanted.labels).mean()))


def wrongly(caller: Caller, queries: QuerySet) -> tuple[float, str]:
    """The share of sense, and what would be claimed, of a model that is asked as this project's own are."""
    (raw,) = caller.ask(queries.images, Interface(range=(0, 1), dtype="float32")).values()
    answers = Answers.of(np.asarray(raw), "logits")
    return queries.sense(answers), decide(answers, queries).outcome


def main(run: Run, *, scheme: str, note: str, workers: int, models: int | None) -> None:
    """Measure models of the run in a random order; the record is written after each."""
    queries = QuerySet.load(run.layout.fingerprint(scheme))
    assert queries.controls is not None
    shape = tuple(int(size) for size in queries.images.shape[1:])
    tried = conventions(shape, queries.controls, int(queries.card["num_classes"]))
    specs = [spec for spec in fingerbench(run.profile.zoo).asked().specs if spec.attack != "defend"]
    order = np.random.default_rng(derive_seed(run.profile.seed, "conventions")).permutation(len(specs))
    chosen = [specs[place] for place in order[:models]]

    def measure(spec: ModelSpec) -> dict[str, Any]:
        return _measured(run, spec, queries, tried)

    rows: list[dict[str, Any]] = []
    with ThreadPoolExecutor(workers) as threads:
        for row in threads.map(measure, chosen):
            rows.append(row)
            found = {"profile": run.profile.name, "seed": run.profile.seed, "scheme": scheme, "note": note}
            _add({**found, "models_of_the_zoo": len(specs), **_summary(rows, queries, tried)})
            print(f"{len(rows)}/{len(chosen)} {row['id']}", flush=True)


def _summary(rows: Sequence[dict[str, Any]], queries: QuerySet, tried: Sequence[Convention]) -> dict[str, Any]:
    return {
        "models": {role: sum(row["role"] == role for row in rows) for role in ("positive", "negative")},
        "queries": len(queries),
        "controls": 0 if queries.controls is None else len(queries.controls),
        "query_set": queries.digest,
        "no_verdict_as_stated": [row["id"] for row in rows if row["right"] is None],
        "conventions": [_counted(rows, each) for each in tried],
        "floor": _floor(rows, queries),
        "machine": machine(),
        "versions": versions(),
        "commit": git_commit(ROOT),
    }


def _add(row: dict[str, Any]) -> None:
    """Write ``row`` into the record, in the place of an earlier one about the same queries."""
    runs = read_json(RECORD)["runs"] if RECORD.exists() else []
    kept = [other for other in runs if any(other[key] != row[key] for key in ("profile", "seed", "scheme"))]
    what = "verdicts of models of a zoo behind conventions that were not stated, beside those they get asked rightly"
    write_json(RECORD, {"what": what, "runs": [*kept, row]})


def _measured(run: Run, spec: ModelSpec, queries: QuerySet, tried: Sequence[Convention]) -> dict[str, Any]:
    inner = Inner(run.layout.exported(spec.id))
    wanted = Answers.of(inner((queries.images / 255).astype(np.float32)), "logits")
    seed = derive_seed(run.profile.seed, "conventions", spec.id)
    callers = {each.name: Caller(inner, each, seed) for each in tried}
    own = Caller(inner, Convention("its own"), seed)
    return {
        "id": spec.id,
        "role": spec.role,
        "right": examined(own, queries, wanted, PRESETS["unit"]).outcome,
        "claimed": decide(wanted, queries).outcome,
        "sense": queries.sense(wanted),
        "told": {name: examined(caller, queries, wanted) for name, caller in callers.items()},
        "wrongly": [wrongly(callers[each.name], queries) for each in tried if each.scale and each.name != "[0, 1]"],
    }


def _counted(rows: Sequence[dict[str, Any]], convention: Convention) -> dict[str, Any]:
    """What came of all models behind one convention."""
    found = [(row, row["told"][convention.name]) for row in rows]
    judged = [(row, told) for row, told in found if told.outcome is not None]
    return {
        "name": convention.name,
        "kind": convention.kind,
        "models": len(found),
        "as_stated": sum(told.outcome == row["right"] for row, told in found),
        "no_verdict_before_queries": sum(told.outcome is None and not told.queried for _, told in found),
        "no_verdict_after_queries": sum(told.outcome is None and told.queried for _, told in found),
        **_changed([(row, told.outcome) for row, told in judged]),
        "images_sent": round(float(np.mean([told.images for _, told in found])), 1),
        "answers_equal": round(float(np.mean([told.equal for _, told in judged])), 4) if judged else None,
    }


def _changed(judged: Sequence[tuple[dict[str, Any], str]]) -> dict[str, list[str]]:
    """Ids of models by what became of the claim that their answers lead to when they are asked as they want."""

    def graver(row: dict[str, Any], outcome: str) -> int:
        return GRAVEST.index(row["claimed"]) - GRAVEST.index(outcome)

    return {
        f"{who}_{how}": [
            row["id"] for row, outcome in judged if row["role"] == role and sign * graver(row, outcome) > 0
        ]
        for who, role in (("honest", "negative"), ("thieves", "positive"))
        for how, sign in (("graver", 1), ("lighter", -1))
    }


def _floor(rows: Sequence[dict[str, Any]], queries: QuerySet) -> dict[str, Any]:
    """What the floor does to models asked rightly, and to models asked wrongly, where nobody searches."""
    floor = queries.card["floor"]
    wrong = [(row, sense, outcome) for row in rows for sense, outcome in row["wrongly"]]
    above = [(row, outcome) for row, sense, outcome in wrong if sense >= floor]
    return {
        "floor": floor,
        "asked_rightly": len(rows),
        "asked_rightly_refused": [row["id"] for row in rows if row["sense"] < floor],
        "asked_rightly_lowest": min(row["sense"] for row in rows),
        "asked_wrongly": len(wrong),
        "asked_wrongly_refused": len(wrong) - len(above),
        "asked_wrongly_changed": sum(outcome != row["claimed"] for row, _, outcome in wrong),
        "asked_wrongly_changed_above": sum(outcome != row["claimed"] for row, outcome in above),
        "honest_graver": len(_changed([(row, outcome) for row, _, outcome in wrong])["honest_graver"]),
        "honest_graver_above": len(_changed(above)["honest_graver"]),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where the run lies.")
    parser.add_argument("--profile", default="digits")
    parser.add_argument("--scheme", default="naturalfinger")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="Settings, such as another seed.")
    parser.add_argument("--note", default="", help="What this zoo had no part in.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--models", type=int, help="Number of models, drawn at random. [default: all]")
    arguments = parser.parse_args()
    main(
        Run.open(arguments.profile, params=arguments.params, out=arguments.out),
        scheme=arguments.scheme,
        note=arguments.note,
        workers=arguments.workers,
        models=arguments.models,
    )
