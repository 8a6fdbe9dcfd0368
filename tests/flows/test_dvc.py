"""DVC's lock: what a flow asks of DVC waits for its turn."""

import threading

import pytest
import zc.lockfile
from dvc.repo import Repo

from flows import dvc
from nf.core.errors import NFError

# Of a package that DVC reads its index with.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(dvc, "ROOT", tmp_path)
    with Repo.init(str(tmp_path), no_scm=True):
        (tmp_path / "dvc.yaml").write_text("stages:\n  page: {cmd: 'true', outs: [page.html]}\n")
        (tmp_path / "sheet.txt").write_text("queries")
    return tmp_path


def test_what_is_stale_is_said_once_another_dvc_has_ended(project, monkeypatch):
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0.3)  # seconds after which DVC gives up, unless it is to wait
    lock = zc.lockfile.LockFile(str(project / ".dvc" / "tmp" / "lock"))
    held = threading.Timer(2, lock.close)
    held.start()
    try:
        assert dvc.stale_stages(()) == {"page": []}
        assert held.finished.is_set()
    finally:
        held.join()


def test_every_command_is_to_wait(project):
    with dvc.start_dvc("add", "--quiet", "sheet.txt") as command:
        assert command.wait(120) == 0
    assert "--wait-for-lock" in command.args
    assert (project / "sheet.txt.dvc").exists()


def test_files_that_dvc_cannot_read_are_one_line(project, monkeypatch):
    def unreadable(*_, **__):
        raise PermissionError(13, "Permission denied", "params.yaml")

    monkeypatch.setattr("dvc.repo.Repo.status", unreadable)
    with pytest.raises(NFError, match=r"dvc: .*Permission denied: 'params\.yaml'"):
        dvc.stale_stages(())
