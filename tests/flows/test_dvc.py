"""DVC's lock: what a flow asks of DVC waits for its turn."""

import threading
from pathlib import Path

import pytest
import yaml
import zc.lockfile
from dvc.repo import Repo

from flows import dvc
from nf.core.config import load_profile
from nf.core.errors import ConfigError, NFError

ROOT = Path(__file__).resolve().parents[2]

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


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """params.yaml of two lines and a profile, and a profile in a file of its own."""
    monkeypatch.setattr(dvc, "ROOT", tmp_path)
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text)
    smoke = yaml.safe_load(text)["profiles"]["smoke"]
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.yaml").write_text(yaml.safe_dump({"profiles": {"mine": smoke}}))
    return tmp_path / "params.yaml"


def test_a_profile_of_ones_own_is_put_into_use_and_another_again(settings, capsys):
    before = settings.read_text()
    settings.chmod(0o644)
    dvc.use_profile("mine")
    assert settings.stat().st_mode & 0o777 == 0o644
    changed = settings.read_text().splitlines()
    assert "profile: mine" in changed
    assert "profile_file: profiles/mine.yaml" in changed
    assert load_profile(settings).name == "mine"
    assert len(set(changed) - set(before.splitlines())) == 2
    dvc.use_profile("digits")
    assert settings.read_text() == before
    dvc.use_profile("digits")
    assert capsys.readouterr().out.splitlines() == [
        f"params.yaml now says `profile: {name}`" for name in ("mine", "digits")
    ]


@pytest.mark.parametrize("name", ["yes", "null", "été"])
def test_a_profile_whose_name_is_a_word_of_yaml_is_put_into_use(settings, name):
    smoke = yaml.safe_load(settings.read_text())["profiles"]["smoke"]
    (settings.parent / "profiles" / f"{name}.yaml").write_text(yaml.safe_dump({"profiles": {name: smoke}}))
    dvc.use_profile(name)
    assert load_profile(settings).name == name


def test_a_profile_that_is_not_there_changes_nothing(settings):
    before = settings.read_text()
    with pytest.raises(ConfigError, match="'nobody'"):
        dvc.use_profile("nobody")
    assert settings.read_text() == before


def test_a_profile_that_has_no_line_of_its_own_is_not_put_into_use(settings):
    settings.write_text(settings.read_text().replace("profile_file: params.yaml\n", ""))
    with pytest.raises(ConfigError, match=r"expected one line `profile_file: \.\.\.`, got 0; write"):
        dvc.use_profile("mine")


def test_dvc_reads_a_profile_from_its_own_file(settings):
    """Its settings are those that a stage depends on; those of other profiles are not."""
    (settings.parent / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    dvc.use_profile("mine")
    with Repo.init(str(settings.parent), no_scm=True) as repo:
        stage = next(stage for stage in repo.index.stages if stage.addressing.endswith(":prepare"))
        (params,) = (dep for dep in stage.deps if hasattr(dep, "params"))
    assert params.fs_path.endswith("profiles/mine.yaml")
    assert set(params.params) == {"profiles.mine.seed", "profiles.mine.data"}


@pytest.mark.parametrize("left", ["", '{"write": {"', "\x00\x00"])
def test_a_half_written_list_of_locks_is_taken_away_with_a_word(project, capsys, left):
    path = project / ".dvc" / "tmp" / "rwlock"
    path.write_text(left)
    assert dvc.stale_stages(()) == {"page": []}
    assert "rwlock was half-written by a process that was killed, and is taken away" in capsys.readouterr().err


def test_a_list_of_locks_of_a_process_that_is_gone_is_no_hindrance(project, capsys):
    (project / "dvc.yaml").write_text("stages:\n  page: {cmd: touch page.html, outs: [page.html]}\n")
    path = project / ".dvc" / "tmp" / "rwlock"
    path.write_text('{"write": {"page.html": {"pid": 4194304, "cmd": "dvc repro page"}}, "read": {}}')
    assert dvc.stale_stages(()) == {"page": []}
    assert path.exists()
    with dvc.start_dvc("repro", "page") as command:
        assert command.wait(120) == 0
    assert capsys.readouterr().err == ""


def test_an_empty_list_of_locks_is_left_alone(project, capsys):
    path = project / ".dvc" / "tmp" / "rwlock"
    path.write_text("{}")
    dvc.clear_damaged_lock()
    assert path.read_text() == "{}"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("left", ["", "stages: [", "schema: '2.0'\nstages: 3\n"])
def test_a_damaged_lock_file_names_what_heals_and_heals(project, left):
    (project / "dvc.lock").write_text(left)
    with pytest.raises(NFError, match=r"restore it with `git checkout -- dvc\.lock`, or delete it"):
        dvc.stale_stages(())
    (project / "dvc.lock").unlink()
    assert dvc.stale_stages(()) == {"page": []}
