"""What DVC gives beyond `dvc repro`: a remote in S3, experiments, plots without a network."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nf.core.queries import QuerySet
from nf.monitoring import IssuedSet, Ledger

ROOT = Path(__file__).resolve().parents[2]
SCHEME = "naturalfinger"
ISSUED = IssuedSet("0" * 64, SCHEME, 1, "2026-01-05T03:00:00+00:00")


@pytest.fixture(scope="module")
def s3(reproduced, services):
    """URL of a real server that speaks S3, with an empty bucket ``fingerprints``; the environment holds its keys."""
    import boto3  # here, as it takes seconds, in every process that shares the files

    port = services.free_port()
    url = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in keys.items():
            patch.setenv(name, value)
        server = services.start(reproduced, "moto.server", "-H", "127.0.0.1", "-p", str(port))
        services.wait_for(lambda: services.answers(url), server)
        client = boto3.client("s3", endpoint_url=url)
        client.create_bucket(Bucket="fingerprints")
        client.close()
        yield url


@pytest.fixture(scope="module")
def colleague(reproduced, s3, tmp_path_factory):
    """A fresh clone of a committed run whose artifacts were pushed to S3; it holds none of them."""
    reproduced.run("dvc", "remote", "add", "-d", "s3", "s3://fingerprints/nf")
    reproduced.run("dvc", "remote", "modify", "s3", "endpointurl", s3)
    reproduced.run("dvc", "remote", "modify", "s3", "sse", "AES256")
    Ledger(reproduced.out / "issued").issue(ISSUED)
    reproduced.run("dvc", "add", "out/smoke/issued")
    reproduced.run("dvc", "push")
    reproduced.git("add", "-A")
    reproduced.git("commit", "-qm", "A run, and where its artifacts are")
    other = tmp_path_factory.mktemp("colleague") / "clone"
    reproduced.git("clone", "-q", str(reproduced.root), str(other))
    shutil.copytree(reproduced.root / ".prefect", other / ".prefect")  # to make a new database takes seconds
    return type(reproduced)(other)


def test_what_lies_in_s3_is_encrypted_there_and_can_be_read_by_whoever_holds_the_keys(colleague, s3):
    import boto3

    client = boto3.client("s3", endpoint_url=s3)
    names = [each["Key"] for each in client.list_objects_v2(Bucket="fingerprints")["Contents"]]
    found = {client.head_object(Bucket="fingerprints", Key=name).get("ServerSideEncryption") for name in names}
    client.close()
    assert found == {"AES256"}


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")
def test_issued_sets_as_an_archive_that_only_the_owners_key_opens(reproduced, tmp_path):
    """The commands of docs/security.md."""
    page = (ROOT / "docs" / "security.md").read_text()
    commands = next(part for part in page.split("```") if "age --recipient" in part).partition("\n")[2]
    Ledger(reproduced.out / "issued").issue(replace(ISSUED, digest="1" * 64, seed=2))
    env = {**reproduced.environment(), "HOME": str(tmp_path)}
    script = commands.replace("out/digits", "out/smoke")
    subprocess.run(["bash", "-euc", script], cwd=reproduced.root, env=env, check=True, capture_output=True)
    packed = (reproduced.root / "issued.tar.age").read_bytes()
    assert packed.startswith(b"age-encryption.org/v1")
    assert b"ledger" not in packed
    assert Ledger(reproduced.root / "restored" / "out" / "smoke" / "issued").sets()[-1].seed == 2
    assert (tmp_path / "nf.key").stat().st_mode & 0o077 == 0


def test_query_sets_come_from_s3_without_the_zoo(reproduced, colleague):
    """Asked for by its stage or by its folder."""
    for scheme, target in ((SCHEME, f"fingerprint@{SCHEME}"), ("akh", "out/smoke/fingerprints/akh")):
        colleague.run("dvc", "pull", "-r", "s3", target)
        assert sorted(path.name for path in colleague.out.iterdir()) == ["fingerprints", "issued.dvc"]
        mine, theirs = (QuerySet.load(clone.out / "fingerprints" / scheme) for clone in (reproduced, colleague))
        assert mine.digest == theirs.digest
        np.testing.assert_array_equal(mine.images, theirs.images)


def test_a_report_comes_with_all_that_it_needs(colleague):
    colleague.run("dvc", "pull", "--with-deps", "report")
    assert "up to date" in colleague.run("dvc", "repro", "report").stdout


def test_everything_comes_with_what_was_issued(colleague):
    colleague.run("dvc", "pull")
    assert Ledger(colleague.out / "issued").sets() == (ISSUED,)
    assert (colleague.out / "zoo" / "source" / "card.json").exists()


def test_an_experiment_is_run_shown_and_leaves_no_trace_in_the_branch(colleague):
    """Another setting of one stage: that stage alone runs, and both results stand side by side."""
    target, setting = f"evaluate@{SCHEME}", "profiles.smoke.evaluation.resamples"
    colleague.run("dvc", "pull")  # an experiment is kept with all of the branch's artifacts, not the target's
    colleague.git("config", "user.name", "test")
    colleague.git("config", "user.email", "test@localhost")
    ran = colleague.run("dvc", "exp", "run", "-S", f"{setting}=500", "-n", "fewer-resamples", target).stdout
    assert re.findall(r"Running stage '(.+)'", ran) == [target]
    workspace, branch = json.loads(colleague.run("dvc", "exp", "show", "--json").stdout)
    assert [each["name"] for each in branch["experiments"]] == ["fewer-resamples"]
    found = branch["experiments"][0]["revs"][0]["data"]
    resamples = [
        data["params"]["params.yaml"]["data"]["profiles"]["smoke"]["evaluation"]["resamples"]
        for data in (branch["data"], found)
    ]
    assert resamples == [1000, 500]
    metrics = f"out/smoke/metrics/{SCHEME}.json"
    assert found["metrics"][metrics]["data"]["aruc"] == branch["data"]["metrics"][metrics]["data"]["aruc"]
    colleague.git("checkout", "-q", ".")
    colleague.run("dvc", "checkout")
    assert workspace["rev"] == "workspace"
    assert colleague.git("status", "--porcelain") == ""


@pytest.fixture(scope="module")
def plots(reproduced, tmp_path_factory):
    """The folder of DVC's page of plots."""
    folder = tmp_path_factory.mktemp("plots") / "plots"
    reproduced.run("dvc", "plots", "show", "--out", str(folder))
    return folder


def test_plots_are_on_one_page(plots):
    page = (plots / "index.html").read_text()
    assert (plots / "static").is_dir()
    assert "figure-4-curves.svg" in page
    assert "robustness" in page
    assert "uniqueness" in page


@pytest.mark.browser
def test_plots_are_drawn_without_a_network(plots, browser):
    page = plots / "index.html"
    assert not re.search(r"(src|href)\s*=\s*[\"']https?:", page.read_text())
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    lines = browser.execute_script(
        "return [...document.querySelectorAll('path[fill=none]')].map(path => path.getTotalLength())"
    )
    assert len(lines) == 2  # robustness and uniqueness
    assert min(lines) > 300
    text = browser.find_element("css selector", "body").text
    assert all(
        word in text for word in ("Robustness and uniqueness", "threshold on the matching rate", "share of models")
    )
