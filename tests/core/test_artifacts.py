import pkgutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import nf.stages
from nf.core.answers import Answers, AnswerTable
from nf.core.errors import ArtifactError
from nf.core.files import sha256_bytes
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.core.seeds import derive_seed
from nf.core.sheets import save_sheet


@pytest.fixture
def queries():
    random = np.random.default_rng(0)
    return QuerySet(
        random.integers(0, 256, (5, 1, 16, 16), dtype=np.uint8), np.arange(5), np.arange(5) + 1, {"scheme": "x"}
    )


def test_query_set_round_trip(queries, tmp_path):
    queries.save(tmp_path)
    loaded = QuerySet.load(tmp_path)
    np.testing.assert_array_equal(loaded.images, queries.images)
    np.testing.assert_array_equal(loaded.negative_labels, queries.negative_labels)
    assert loaded.card == {"scheme": "x", "digest": queries.digest, "queries": 5}


def test_digest_covers_images_and_labels(queries):
    other = QuerySet(queries.images, queries.labels[::-1].copy(), queries.negative_labels)
    assert other.digest != queries.digest


def test_changed_bytes_are_noticed(queries, tmp_path):
    queries.save(tmp_path)
    path = tmp_path / "queries.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="does not match the digest in its card"):
        QuerySet.load(tmp_path)
    path.write_bytes(b"junk")
    with pytest.raises(ArtifactError, match=r"queries\.safetensors is damaged"):
        QuerySet.load(tmp_path)
    path.unlink()
    with pytest.raises(ArtifactError, match="expected a query set at"):
        QuerySet.load(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 1, 4, 4), np.float32), np.zeros(2, np.int64), "images: expected uint8"),
        (np.zeros((0, 1, 4, 4), np.uint8), np.zeros(0, np.int64), "images: expected uint8"),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(3, np.int64), r"labels: expected int64 of shape \(2,\)"),
    ],
)
def test_query_set_of_another_form(images, labels, message):
    with pytest.raises(ValueError, match=message):
        QuerySet(images, labels, labels)


def test_score_table_round_trip_and_selection(tmp_path):
    rows = (
        Score("source", "suspects", "positive", "train", "", "resnet18", "mirror", 1.0, 100),
        Score("mirror", "suspects", "negative", "train", "", "resnet18", "", 0.1 + 0.2, 100),
        Score("distill-resnet18-source-t1", "training", "positive", "distill", "", "resnet18", "", 0.5, 100),
    )
    ScoreTable(rows).save(tmp_path / "s.csv")
    table = ScoreTable.load(tmp_path / "s.csv")
    assert table.rows == rows
    assert table.select(pool="suspects", role="negative").values.tolist() == [0.1 + 0.2]


HEADER = b"suspect,pool,role,attack,level,architecture,mirror,score,queries,lineage\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a column 'suspect', got \\[\\]"),
        (b"a,b\n1,2\n", "expected a column 'suspect', got \\['a', 'b'\\]"),
        (HEADER, "expected rows of 10 cells, got none or others"),
        (HEADER + b"source,suspects,positive,train,,resnet", "expected rows of 10 cells"),
        (HEADER + b"source,suspects,positive,train,,resnet18,mirror,1.0,100,source,7\n", "expected rows of 10 cells"),
        (HEADER + b"source,suspects,positive,train,,resnet18,mirror,1.x,100,source\n", "is damaged .could not convert"),
        (HEADER + b"source,suspects,positive,train,,resnet18,mirror,1.0,\xff\n", "is damaged .*decode"),
        (HEADER + b'source,"suspects,positive,train,,resnet18,mirror,1.0,100\n', "is damaged .unexpected end of data"),
    ],
)
def test_a_damaged_score_table_says_what_heals_it(tmp_path, data, message):
    """Whatever wrote it, which is why it may have a digest that fits."""
    path = tmp_path / "akh.csv"
    path.write_bytes(data + f"# sha256 {sha256_bytes(data)}\n".encode())
    with pytest.raises(ArtifactError, match=f"{message}.*; run `nf score akh`"):
        ScoreTable.load(path)


def test_a_score_table_is_whole_and_unchanged_or_refused(tmp_path):
    path = tmp_path / "akh.csv"
    ScoreTable((Score("source", "suspects", "positive", "train", "", "resnet18", "", 0.5, 10, "source"),)).save(path)
    whole = path.read_bytes()
    for damaged in (whole.replace(b"0.5", b"0.6"), whole.partition(b"# sha256")[0], b""):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"akh.csv is damaged \(its digest .*\); run `nf score akh`"):
            ScoreTable.load(path)


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_a_flipped_bit_in_answers_is_seen(tmp_path, place):
    path = tmp_path / "akh.safetensors"
    table = AnswerTable({"a": Answers(np.arange(5), np.full((5, 3), 0.25, np.float32)), "b": Answers(np.arange(5))})
    table.save(path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << place % 8
    path.write_bytes(data)
    try:
        read = AnswerTable.load(path)
    except ArtifactError:
        return
    for name, answers in table.answers.items():  # where the bit meant nothing
        np.testing.assert_array_equal(read[name].labels, answers.labels)
        np.testing.assert_array_equal(read[name].probabilities, answers.probabilities)


def test_seeds_come_from_names():
    assert derive_seed(0, "zoo", "source") == derive_seed(0, "zoo", "source")
    assert (
        len({derive_seed(0, "a", "b"), derive_seed(0, "ab"), derive_seed(1, "a", "b"), derive_seed(0, "b", "a")}) == 4
    )
    assert 0 <= derive_seed(7, "x") < 2**63


@pytest.mark.parametrize("channels", [1, 3])
def test_sheet_is_a_grid_with_room_for_captions(tmp_path, channels):
    images = np.full((7, channels, 8, 8), 200, np.uint8)
    save_sheet(tmp_path / "a.png", images, ["1/2"] * 7, columns=3, tile=32)
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.size == (3 * 36 + 4, 3 * (36 + 13) + 4)
        assert sheet.getpixel((20, 20)) == (200, 200, 200)


@pytest.mark.parametrize(
    "module", ["nf.core.queries", "nf.suspects", "nf.verdict", "nf.monitoring", "nf.evaluation", "nf.report"]
)
def test_a_verdict_needs_no_torch(module):
    code = (
        f"import sys, {module}; sys.exit(bool({{'torch', 'prefect', 'mlflow', 'dvc', 'sklearn'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_library_knows_no_orchestration():
    modules = [f"nf.stages.{module.name}" for module in pkgutil.iter_modules(nf.stages.__path__)]
    assert {f"nf.stages.{name}" for name in nf.stages.STAGES} < set(modules)
    code = (
        f"import sys, nf.cli.commands, {', '.join(modules)}\n"
        "sys.exit(', '.join({'prefect', 'mlflow', 'dvc'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_query_set_that_cannot_be_written_leaves_no_card_beside_those_of_before(tmp_path, calibrated, monkeypatch):
    calibrated.save(tmp_path)

    def fail(path, data):
        raise ArtifactError("no space")

    monkeypatch.setattr("nf.core.queries.write_bytes", fail)
    with pytest.raises(ArtifactError, match="no space"):
        calibrated.save(tmp_path)
    assert not (tmp_path / "card.json").exists()
