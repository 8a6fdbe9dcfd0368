"""DVC from within a flow: its commands, and which stages are out of date."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

import click
import yaml

from flows.environment import ROOT
from nf.core.config import Profile, load_settings
from nf.core.errors import ConfigError, NFError
from nf.core.files import write_text
from nf.core.processes import die_with_parent
from nf.core.variants import VariantId

_HEAL_LOCK_FILE = (
    "restore it with `git checkout -- dvc.lock`, or delete it: stages are then made again, or come from DVC's cache"
)
_OF_SCHEMES = ("fingerprint", "score", "evaluate", "detect")
_TRIES, _SECONDS_BETWEEN_TRIES = 5, 0.2


def dvc(*arguments: str) -> int:
    """Run a DVC command in the project and return its exit status."""
    with start_dvc(*arguments) as process:
        return process.wait()


def start_dvc(*arguments: str, stdout: int | None = None) -> "subprocess.Popen[str]":
    """Start a DVC command in the project, which waits for its turn.

    Args:
        arguments: what ``dvc`` is called with.
        stdout: pipe for what it writes, errors too; it then reads nothing, and leads a group of all that it starts.
    """
    # DVC calls `python`: it must be this one, also where the environment is not activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # A stage is a run of its own: it must not take itself for the one that Prefect started here.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments],
        cwd=ROOT,
        env={**inherited, "PATH": path},
        stdin=None if stdout is None else subprocess.DEVNULL,
        stdout=stdout,
        stderr=None if stdout is None else subprocess.STDOUT,
        process_group=None if stdout is None else 0,
        text=True,
        preexec_fn=die_with_parent,
    )


def use_profile(name: str) -> None:
    """Write into ``params.yaml`` that the profile ``name`` is in use, as DVC reads it there.

    Raises:
        ConfigError: there is no such profile, or ``params.yaml`` does not say in two lines of its own which is in use.
    """
    path = ROOT / "params.yaml"
    settings = load_settings(path)
    settings.load_profile(name)
    file = f"profiles/{name}.yaml"
    place = file if (ROOT / file).exists() else path.name
    if (settings.profile, settings.profile_file) == (name, place):
        return
    text = path.read_text(encoding="utf-8")
    for key, value in (("profile", name), ("profile_file", place)):
        line = yaml.safe_dump({key: value}, allow_unicode=True).strip()  # a name like `yes` wants quotes
        text, found = re.subn(rf"(?m)^{key}:.*$", line, text)
        if found != 1:
            raise ConfigError(f"{path}: expected one line `{key}: ...`, got {found}; write `{key}: {value}` into it")
    mode = path.stat().st_mode  # of a file that git keeps, which others may read
    write_text(path, text)
    path.chmod(mode)
    click.echo(f"params.yaml now says `profile: {name}`")


def checked_profile(targets: Sequence[str]) -> Profile:
    """The profile in use; without ``targets``, one that has all that the lists of ``params.yaml`` name.

    Raises:
        ConfigError: ``params.yaml`` or a section of the profile cannot be used, or the profile has not all of it: DVC
            would say so hours later.
    """
    from nf.stages.graph import Wanted  # brings torch, which takes seconds to import

    settings = load_settings(ROOT / "params.yaml")
    profile = settings.load_profile()
    if not targets:
        settings.check_lists(profile)
    Wanted.of(profile)
    return profile


def check_stages(profile: Profile, stages: Iterable[str]) -> None:
    """Check that ``profile`` has what ``stages``, as DVC calls them, are about.

    Raises:
        ConfigError: a scheme, GAN or variant is missing in it or cannot be used: the stage would say so hours later.
    """
    from nf.stages.graph import Wanted  # brings torch, which takes seconds to import

    items: dict[str, list[str]] = {}
    for stage, at, item in (name.partition("@") for name in stages):
        if at:
            items.setdefault(stage, []).append(item)
    schemes = [item for stage in _OF_SCHEMES for item in items.get(stage, ())]
    variants = [VariantId.parse(item) for item in items.get("variant", ())]
    Wanted.of(profile, schemes=list(dict.fromkeys(schemes)), gans=items.get("gan", ()), variants=variants)


def clear_damaged_lock() -> None:
    """Take away DVC's list of who reads and writes what, if a process that was killed has left it half-written.

    DVC itself takes dead processes off a list that it can read, with a word.
    """
    path = ROOT / ".dvc" / "tmp" / "rwlock"
    for _ in range(_TRIES):
        with contextlib.suppress(ValueError, FileNotFoundError):  # or somebody writes it at this moment
            if not path.exists() or isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
                return
        time.sleep(_SECONDS_BETWEEN_TRIES)
    path.unlink(missing_ok=True)
    click.echo(f"{path} was half-written by a process that was killed, and is taken away", err=True)


def stale_stages(targets: Sequence[str]) -> dict[str, list[str]]:
    """What has to run again for ``targets``: each stage that changed, or comes after one that did, and what it awaits.

    Raises:
        NFError: DVC knows no such target, or cannot read its own files.
    """
    from dvc.exceptions import DvcException  # takes a second to import
    from dvc.repo import Repo

    clear_damaged_lock()
    try:
        # DVC looks for a target in the current folder, and a worker of Prefect runs this in a folder of its own.
        with contextlib.chdir(ROOT), Repo(_wait_for_lock=True) as repo:
            graph = repo.index.graph  # edges lead from a stage to what it needs
            wanted = [stage for target in targets or ("",) for stage in repo.stage.collect(target, with_deps=True)]
            needs = {
                stage.addressing: [needed.addressing for needed in graph.successors(stage)]
                for stage in wanted
                if stage.cmd
            }
            changed = set(repo.status(targets=list(targets) or None, with_deps=bool(targets)))
    except (DvcException, OSError) as error:
        advice = f"; {_HEAL_LOCK_FILE}" if "dvc.lock" in str(error) else ""
        raise NFError(f"dvc: {error}{advice}") from error
    for name in TopologicalSorter(needs).static_order():
        if changed.intersection(needs.get(name, ())):
            changed.add(name)
    return {name: [other for other in others if other in changed] for name, others in needs.items() if name in changed}
