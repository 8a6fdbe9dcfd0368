import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nf.core.errors import ArtifactError
from nf.core.files import (
    atomic_path,
    close_folder,
    is_exposed,
    make_folder,
    open_lock,
    read_json,
    sha256_bytes,
    sha256_file,
    sha256_json,
    take_away,
    write_bytes,
    write_json,
    write_sealed,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    def interrupted():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_what_a_killed_process_left_goes_with_the_next_write_and_what_a_living_one_writes_stays(tmp_path):
    path = tmp_path / "a.bin"
    script = "import os, sys; from nf.core.files import *\nwith atomic_path(Path(sys.argv[1])): os._exit(1)"
    subprocess.run([sys.executable, "-c", script, path], check=False)
    (left,) = tmp_path.iterdir()
    with atomic_path(path) as temporary:
        assert not left.exists()
        temporary.write_bytes(b"old")
        write_bytes(path, b"new")
        assert temporary.exists()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_damage_to_the_word_before_the_digest_is_noticed_and_files_from_before_digests_are_read(tmp_path):
    path, content = tmp_path / "a.json", {"a": 1, "data_hash": "0" * 64}
    write_sealed(path, content)
    assert read_json(path) == content
    path.write_text(path.read_text().replace('"seal"', '"sdal"'))
    with pytest.raises(ArtifactError, match="is damaged: its digest does not match; run it again"):
        read_json(path, advice="run it again")
    write_json(path, content)
    assert read_json(path) == content


def test_json_round_trip_and_hashes(tmp_path):
    path = tmp_path / "sub" / "a.json"
    write_json(path, {"b": 1, "a": [1.5, None]})
    assert read_json(path) == {"a": [1.5, None], "b": 1}
    assert sha256_file(path) == sha256_bytes(path.read_bytes())
    assert sha256_json({"b": 1, "a": 2}) == sha256_json({"a": 2, "b": 1}) != sha256_json({"a": 2, "b": 2})


@pytest.mark.parametrize(("text", "message"), [("{", "expected JSON in"), ("[1]", "expected a JSON object in")])
def test_damaged_json_is_named(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ArtifactError, match=message):
        read_json(path)
    with pytest.raises(ArtifactError, match=r"found nothing$"):
        read_json(tmp_path / "b.json")
    with pytest.raises(ArtifactError, match="found nothing; run `nf zoo`"):
        read_json(tmp_path / "b.json", advice="run `nf zoo`")


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path):
    """A real file-size limit stands in for the full disk: the write fails half-way in the operating system."""
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from nf.core.files import write_bytes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"write_bytes(Path({str(path)!r}), b'x' * 5000)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert f"ArtifactError: cannot write {path}: File too large; free some space" in result.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]  # noqa: PTH208


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"cannot write .*/file/a: (Not a directory|File exists); free some space"):
        open_lock(tmp_path / "file" / "a")
    with open_lock(tmp_path / "folder" / "a") as lock:
        assert lock.name == str(tmp_path / "folder" / "a")


@pytest.fixture
def careless() -> Iterator[None]:
    """A user whose files are everybody's, unless somebody sees to it."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("careless")
def test_what_is_written_is_its_owners_alone(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "c.bin", b"secret")
    with open_lock(tmp_path / "locks" / "a"):
        pass
    assert mode(tmp_path / "a" / "b" / "c.bin") == mode(tmp_path / "locks" / "a") == 0o600
    assert {mode(tmp_path / name) for name in ("a", "a/b", "locks")} == {0o700}


@pytest.mark.usefixtures("careless")
def test_a_file_that_was_everybodys_is_not_after_it_is_written_again(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    assert mode(path) == 0o666
    write_bytes(path, b"new")
    assert mode(path) == 0o600


@pytest.mark.usefixtures("careless")
def test_a_folder_is_closed_and_what_lies_in_it_with_it(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "open" / "deep" / "a.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"secret")
    above = all(mode(folder) & 0o001 for folder in tmp_path.parents)  # where pytest keeps its folders to itself
    assert is_exposed(path) is above
    close_folder(tmp_path / "open")
    assert mode(tmp_path / "open") == 0o700
    assert mode(path) == 0o666
    assert not is_exposed(path)
    make_folder(tmp_path / "open" / "new")
    assert mode(tmp_path / "open" / "new") == 0o700


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"cannot write .*/file/a: (Not a directory|File exists)"):
        close_folder(tmp_path / "file" / "a")


def test_a_card_is_taken_away_once_and_for_all(tmp_path):
    card = tmp_path / "card.json"
    card.touch()
    take_away(card)
    take_away(card)  # it is gone
    assert not card.exists()
    card.touch()
    with pytest.raises(ArtifactError, match=r"cannot write .*card\.json/card\.json"):
        take_away(card / "card.json")  # whose folder is a file
