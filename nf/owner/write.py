"""The profile of an owner's model as a file that a person can read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from nf.core.files import write_text
from nf.core.version import VERSION
from nf.owner.introduce import Introduction
from nf.owner.plan import USUAL_SCHEME, Costs

_LINE = 90


def write_profile(section: Mapping[str, Any], name: str, path: Path, notes: str) -> None:
    """Write the profile ``name`` into a file of its own.

    Args:
        section: section of the profile.
        name: name of the profile.
        path: file to write.
        notes: lines on what was found, which become comments.

    Raises:
        ArtifactError: the file cannot be written.
    """
    comments = "".join(f"# {line}\n" for line in notes.splitlines())
    body = yaml.dump(
        {"profiles": {name: dict(section)}}, Dumper=_Readable, sort_keys=False, width=110, allow_unicode=True
    )
    write_text(path, f"{comments}{body}")


class _Readable(yaml.SafeDumper):
    """Plain YAML, with short lists in a line and nothing that refers to something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        """Write a list of numbers or of few words in a line."""
        short = sum(len(str(item)) + 2 for item in sequence) < _LINE
        return super().represent_sequence(tag, sequence, flow_style=short or flow_style)


_NOTES = """Written by `nf init` {version}. Change what you like, then {next_step}.
{found}
Found with {right} of {controls} images right. Planned: {costs}.
{warning}Attacks that are not represented: {absent}."""


def next_step(name: str, scheme: str) -> str:
    """The command that makes the rest: DVC's stages lead to NaturalFinger's report, which needs a GAN."""
    alone = f"`nf run report --profile {name}`"
    return f"`make repro PROFILE={name}`, or {alone}" if scheme == USUAL_SCHEME else alone


def notes(met: Introduction, name: str, scheme: str, costs: Costs) -> str:
    """Lines for the head of the file."""
    copies = "none" if met.own.copied else "finetune, prune, noise, adversarial (the model's weights are not changed)"
    found = f"The model {met.own.open}, asked as {met.own.interface}."
    warning = "" if costs.warning is None else f"{costs.warning}.\n"
    return _NOTES.format(
        version=VERSION,
        next_step=next_step(name, scheme),
        found=found,
        right=met.right,
        controls=met.controls,
        costs=costs,
        warning=warning,
        absent=copies,
    )
