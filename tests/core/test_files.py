import os
import subprocess
import sys

import pytest

from nf.core.errors import ArtifactError
from nf.core.files import (
    atomic_path,
    open_lock,
    read_json,
    sha256_bytes,
    sha256_file,
    sha256_json,
    write_bytes,
    write_json,
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
