"""Every kind of file that a run writes, damaged in three ways, and whoever reads it: never a traceback."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nf.cli.commands import cli
from nf.core.answers import Answers
from nf.core.errors import NFError
from nf.core.files import sha256_file
from nf.core.http import Reply
from nf.core.paths import Layout
from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable
from nf.data import Splits
from nf.detection import load_detectors
from nf.gan import load_gan, read_history
from nf.models import load_model
from nf.monitoring import IssuedSet, Ledger, Observation, append_history
from nf.monitoring import read_history as read_observations
from nf.stages.compare import comparison_detection, comparison_variants
from nf.stages.evaluate import evaluate
from nf.stages.freshness import query_set_is_current
from nf.stages.graph import newer
from nf.stages.report import report
from nf.stages.run import Run
from nf.stages.zoo_suspects import open_zoo_suspect, read_exports_card
from nf.suspects import Interface
from nf.suspects.journal import Journal
from nf.verdict import Commitment, commit, load_benchmark, load_evidence
from nf.verdict.evidence import no_verdict, write_evidence
from nf.zoo import fingerbench, pack_models, unpack_models

SCHEME = "naturalfinger"
FLIPS = 5
Reader = Callable[[Run], Any]


def _queries(run: Run) -> Any:
    queries = QuerySet.load(run.layout.fingerprint(SCHEME))
    controls, calibration = queries.controls, queries.calibration
    assert controls is not None
    assert calibration is not None
    return queries.digest, queries.card, controls.digest, controls.card, calibration.digest


def _suspect(run: Run) -> Any:
    spec = fingerbench(run.profile.zoo)["source"]
    images = QuerySet.load(run.layout.fingerprint(SCHEME)).images
    return open_zoo_suspect(run.layout, spec, read_exports_card(run.layout))(images).tolist()


def _model(run: Run) -> Any:
    model, card = load_model(run.layout.zoo / "source")
    return card, {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def _gan(run: Run) -> Any:
    gan = load_gan(run.layout.gan("sagan"))
    networks = filter(None, (gan.generator, gan.discriminator))
    return [{k: v.numpy().tobytes() for k, v in network.state_dict().items()} for network in networks]


def _evaluated(run: Run) -> Any:
    kept = {path: path.read_bytes() for path in (run.layout.metrics(SCHEME),)}
    try:
        return evaluate(run, SCHEME).read_bytes()
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


def _detectors(run: Run) -> Any:
    networks, card = load_detectors(run.layout.detectors)
    return card, [
        [v.numpy().tobytes() for v in net.state_dict().values()] for each in networks.values() for net in each
    ]


def _benchmark(run: Run) -> Any:
    return load_benchmark(run.layout.metrics(SCHEME), QuerySet.load(run.layout.fingerprint(SCHEME)))


def _page(run: Run) -> Any:
    """Figures differ in nothing but their ids; the bytes of the pictures that it shows are compared by their size."""
    return len(report(run, SCHEME).read_bytes()) > 10_000


def _unpacked(run: Run) -> Any:
    zoo = run.layout.root / "unpacked"
    shutil.rmtree(zoo, ignore_errors=True)
    unpacked = unpack_models(run.layout.root / "pack", zoo)
    return unpacked, sorted((path.parent.name, sha256_file(path)) for path in zoo.rglob("*.*") if path.is_file())


@dataclass(frozen=True)
class Kind:
    """A file that stands for its kind, and its readers; ``told`` is part of what a reader says of damage."""

    file: str
    reader: Reader
    told: str = r"nf |dvc |copy|restore|again"


KINDS = (
    Kind("data/card.json", lambda run: Splits.load(run.layout.data).card),
    Kind("data/images.safetensors", lambda run: Splits.load(run.layout.data).hashes),
    Kind("zoo/source/card.json", _model),
    Kind("zoo/source/weights.safetensors", _model),
    Kind("zoo/summary.json", _page),
    Kind("gan/sagan/card.json", _gan),
    Kind("gan/sagan/generator.safetensors", _gan),
    Kind("gan/sagan/discriminator.safetensors", _gan),
    Kind("gan/sagan/history.csv", lambda run: read_history(run.layout.gan("sagan") / "history.csv")),
    Kind("gan/sagan/quality.json", _page),
    Kind("fingerprints/naturalfinger/card.json", _queries),
    Kind("fingerprints/naturalfinger/card.json", lambda run: query_set_is_current(run, SCHEME)),
    Kind("fingerprints/naturalfinger/queries.safetensors", _queries),
    Kind("fingerprints/naturalfinger/controls.safetensors", _queries),
    Kind("fingerprints/naturalfinger/calibration.json", _queries),
    Kind("onnx/source.onnx", _suspect),
    Kind("onnx/card.json", _suspect),
    Kind("onnx/parity.csv", _page),
    Kind("scores/naturalfinger.csv", lambda run: ScoreTable.load(run.layout.scores(SCHEME))),
    Kind("scores/naturalfinger.csv", _evaluated),
    Kind("scores/naturalfinger.safetensors", _evaluated),
    Kind("metrics/naturalfinger.json", _benchmark),
    Kind("metrics/naturalfinger.json", _page),
    Kind("detectors/card.json", _detectors),
    Kind("detectors/weights.safetensors", _detectors),
    Kind("detection/naturalfinger.json", comparison_detection),
    Kind("variants/twins-0/metrics.json", comparison_variants),
    Kind("timings.json", lambda run: isinstance(run.seconds(), dict)),
    Kind("issued/ledger.json", lambda run: Ledger(run.layout.issued).sets()),
    Kind("watch/shop.jsonl", lambda run: read_observations(run.layout.watch / "shop.jsonl")),
    Kind("evidence/evidence.json", lambda run: load_evidence(run.layout.root / "evidence").record),
    Kind(
        "evidence/answers.safetensors", lambda run: load_evidence(run.layout.root / "evidence").answers.labels.tolist()
    ),
    Kind("commitment/commitment.json", lambda run: Commitment.load(run.layout.root / "commitment").opening),
    Kind("commitment/opening.json", lambda run: Commitment.load(run.layout.root / "commitment")),
    Kind("pack/zoo-0001.tar", _unpacked),
)
FOR_PEOPLE = (
    *(
        "sheet.png",
        "samples.png",
        "index.html",
        "progress.html",
        "curves.csv",
        "margins.csv",
        "rates.csv",
        "copies.csv",
        "budget.csv",
    ),
    *(".svg", ".lock"),
)
"""Ends of the names of files that no command reads; ``budget.csv`` is read for the comparison, as score tables are."""


@pytest.fixture(scope="module")
def written(reproduced, tmp_path_factory) -> Run:
    """A run, and what the commands about suspects write."""
    root = tmp_path_factory.mktemp("damage") / "smoke"
    shutil.copytree(reproduced.out, root)
    run = replace(Run.open("smoke", params=reproduced.root / "params.yaml"), layout=Layout(root))
    queries = QuerySet.load(run.layout.fingerprint(SCHEME))
    Ledger(run.layout.issued).issue(IssuedSet(queries.digest, SCHEME, 1, "2026-01-05T03:00:00+00:00"))
    at = datetime.now(UTC).isoformat()
    for _ in range(3):
        append_history(run.layout.watch / "shop.jsonl", Observation(at, queries.digest, 0.5, 0.5, "not shown"))
    record = no_verdict("none", queries, str(root / "onnx" / "source.onnx"), Interface())
    given = Answers(queries.labels.copy())
    answers = [{"given": int(label)} for label in given.labels]
    write_evidence(root / "evidence", {**record, "outcome": "not shown", "answers": answers}, given)
    commit(queries, note="a note").save(root / "commitment")
    pack_models(run.layout.zoo, root / "pack", piece_bytes=64 << 20)
    return run


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << place % 7]) + data[place + 1 :]


def damages(data: bytes, seed: str) -> list[bytes]:
    """Empty, cut short, and with a bit flipped: one near each end, one in the middle, and others."""
    places = {1, len(data) // 2, len(data) - 2, *random.Random(seed).choices(range(len(data)), k=FLIPS)}
    return [b"", data[: len(data) // 2], data[:-1], *(flipped(data, place) for place in sorted(places))]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.file)
def test_damage_is_told_with_what_to_do_or_changes_nothing(written, kind):
    path = written.layout.root / kind.file
    whole, expected = path.read_bytes(), kind.reader(written)
    messages = []
    try:
        for data in damages(whole, kind.file):
            path.write_bytes(data)
            try:
                found = kind.reader(written)
            except NFError as error:
                messages.append(str(error))
            else:
                np.testing.assert_equal(found, expected)
    finally:
        path.write_bytes(whole)
    assert [said for said in messages if "\n" in said or not any(word in said for word in kind.told.split("|"))] == []
    assert messages or kind.file == "timings.json"
    np.testing.assert_equal(kind.reader(written), expected)


def test_every_kind_of_file_is_among_them(written):
    """Of a zoo, one model stands for all."""
    kinds = {Path(kind.file).name for kind in KINDS}
    others = {"settings.json", "costs.json", "issued.dvc"}  # the last one is DVC's
    names = {path.name for path in written.layout.root.rglob("*") if path.is_file() and ".locks" not in path.parts}
    names = {name for name in names if not name.endswith(FOR_PEOPLE) and not name.startswith(("step-", "zoo-"))}
    assert {name for name in names if not name.endswith((".onnx", "akh.csv", "akh.json", "akh.safetensors"))} <= (
        kinds | others
    )


def test_a_journal_that_is_damaged_asks_again(tmp_path):
    journal = Journal(tmp_path, "shop")
    key = journal.key(b"question")
    journal.write(key, Reply(b"answer"))
    whole = journal.path.read_bytes()
    for data in damages(whole, "journal"):
        journal.path.write_bytes(data)
        again = Journal(tmp_path, "shop")
        reply = again.find(again.key(b"question"))
        assert reply is None or reply == Reply(b"answer")


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("zoo/source/card.json", ("zoo",)),
        ("onnx/source.onnx", ("export",)),
        ("scores/naturalfinger.csv", ("score", SCHEME)),
        ("metrics/naturalfinger.json", ("evaluate", SCHEME)),
        ("data/card.json", ("prepare",)),
    ],
)
def test_the_command_that_is_named_heals(reproduced, written, file, command):
    """Byte for byte."""
    path = written.layout.root / file
    whole = path.read_bytes()
    place = len(whole) // 2
    path.write_bytes(flipped(whole, place))
    kind = [kind for kind in KINDS if kind.file == file][-1]
    with pytest.raises(NFError, match=f"`nf {' '.join(command)}`"):
        kind.reader(written)
    where = ("--profile", "smoke", "--params", str(reproduced.root / "params.yaml"), "--out", str(path.parents[0]))
    where = (*where[:-1], str(written.layout.root.parent))
    done = CliRunner().invoke(cli, [*command, *where], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert path.read_bytes() == whole
    assert newer(path)
