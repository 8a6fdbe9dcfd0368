"""What a record says about where it comes from."""

import subprocess

from nf.stages.provenance import git_commit


def test_the_commit_of_a_tree_and_of_an_image(tmp_path, monkeypatch):
    monkeypatch.delenv("NF_COMMIT", raising=False)
    assert git_commit(tmp_path) == "unknown"
    monkeypatch.setenv("NF_COMMIT", "abc")
    assert git_commit(tmp_path) == "abc"
    (tmp_path / "file").touch()
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "m"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    named = git_commit(tmp_path)
    assert len(named) == 12
    (tmp_path / "file").write_text("changed")
    assert git_commit(tmp_path) == f"{named}+changes"
