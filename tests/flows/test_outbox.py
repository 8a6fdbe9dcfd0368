"""What is kept for MLflow on disk: whole records, and nothing else for long."""

import threading

import pytest

from flows import outbox
from flows.outbox import RunRecord, keep, send
from nf.core.errors import ArtifactError


@pytest.fixture
def box(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "OUTBOX", tmp_path / "outbox")
    return tmp_path / "outbox"


def names(box):
    return sorted(path.name for path in box.iterdir())


def test_a_record_is_kept_whole_under_its_name(box, tmp_path):
    (tmp_path / "page.html").write_text("page")
    folder = keep("e", RunRecord("r", files={"report/index.html": tmp_path / "page.html"}))
    assert names(box) == [".lock", folder.name]
    assert (folder / "artifacts" / "report" / "index.html").read_text() == "page"


@pytest.mark.parametrize("missing", ["page.html", "child"])
def test_a_copy_that_fails_is_one_error_and_leaves_nothing(box, tmp_path, missing):
    record = RunRecord("r", files={"a": b"a", "b": tmp_path / missing})
    with pytest.raises(
        ArtifactError, match=rf"{box}/\d+-\w+: expected to copy a run for MLflow there, got .*{missing}"
    ):
        keep("e", RunRecord("above", children=[record]))
    assert names(box) == [".lock"]


def test_a_file_that_cannot_be_written_leaves_nothing(box, monkeypatch):
    def full(path, value):
        raise ArtifactError(f"cannot write {path}")

    monkeypatch.setattr(outbox, "write_sealed", full)
    with pytest.raises(ArtifactError, match="cannot write"):
        keep("e", RunRecord("r", files={"a": b"a"}))
    assert names(box) == [".lock"]


def test_an_outbox_that_cannot_be_is_one_error(box):
    box.write_text("a file in its place")
    with pytest.raises(
        ArtifactError, match=r"cannot write .*outbox/.lock: (Not a directory|File exists); free some space"
    ):
        keep("e", RunRecord("r"))


def test_what_killed_processes_left_goes_with_the_next_that_is_sent(box, monkeypatch):
    sent = []
    monkeypatch.setattr(outbox, "_send", sent.append)
    folder = keep("e", RunRecord("r"))
    (box / ".1-dead" / "artifacts").mkdir(parents=True)
    assert send() == 1
    assert sent == [folder]
    assert names(box) == [".lock"]


def test_a_damaged_record_says_how_those_behind_it_are_sent(box, monkeypatch):
    monkeypatch.setattr(outbox.mlflow, "MlflowClient", lambda: None)
    (keep("e", RunRecord("r")) / "envelope.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"envelope\.json: .*; move this run's folder out of the outbox"):
        send()


def test_a_record_that_is_being_written_is_not_swept(box, monkeypatch):
    """``send`` starts while ``keep`` is half through, and gets its turn after."""
    writing, go_on = threading.Event(), threading.Event()
    plain, sent, counts = outbox._write, [], []

    def slow(folder, record):
        plain(folder, record)
        writing.set()
        assert go_on.wait(30)

    monkeypatch.setattr(outbox, "_write", slow)
    monkeypatch.setattr(outbox, "_send", sent.append)
    kept = []
    keeper = threading.Thread(target=lambda: kept.append(keep("e", RunRecord("r"))))
    keeper.start()
    assert writing.wait(30)
    sender = threading.Thread(target=lambda: counts.append(send()))
    sender.start()
    sender.join(0.3)
    assert sent == []
    go_on.set()
    keeper.join(30)
    sender.join(30)
    assert (sent, counts) == (kept, [1])
