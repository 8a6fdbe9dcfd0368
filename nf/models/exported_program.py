"""Exported programs (``torch.export.save``), read without unpacking a pickle.

TorchScript is deprecated in torch, so it is not read. Torch's reader would unpickle tensors, custom objects and sample
inputs where an archive asks for it: such an archive, or one with compiled code, is refused before anything is loaded.
"""

import io
import json
import pickle
import re
import zipfile
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from nf.core.errors import ArtifactError
from nf.core.printing import first_line

# What torch.export.save writes for a program over plain tensors. Other names stand for pickles, TorchScript classes or
# compiled code.
_ENTRY = re.compile(
    r"models/\w+\.json|data/(weights|constants)/((weight|tensor)_\d+|\w+_config\.json)|data/sample_inputs/\w+\.pt"
    r"|\.data/(version|serialization_id)|archive_format|archive_version|byteorder"
)


def load_program(path: Path) -> tuple[ExportedProgram, nn.Module]:
    """The program in the file ``path``, and a module that runs it.

    Raises:
        ArtifactError: the file is missing or not an exported program, or holds more than data.
    """
    _check_archive(path)
    try:
        program = torch.export.load(path)
        return program, program.module()
    except Exception as error:  # torch raises whatever the damage happens to lead to
        raise ArtifactError(f"{path} cannot be loaded as an exported program: {first_line(error)}") from error


def _check_archive(path: Path) -> None:
    """Refuse everything that is not plain data, by name and by what the archive's own tables say of its tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.partition("/")[2] for entry in archive.namelist()]
            tables = [json.loads(archive.read(entry)) for entry in archive.namelist() if entry.endswith("_config.json")]
            inputs = [archive.read(entry) for entry in archive.namelist() if "/data/sample_inputs/" in entry]
        payloads = [payload for table in tables for payload in table["config"].values()]
        pickled = any(payload["use_pickle"] for payload in payloads)
    except FileNotFoundError:
        raise ArtifactError(f"expected an exported program at {path}, found nothing") from None
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{path} is not an exported program ({first_line(error)}); write one with torch.export.save"
        ) from error
    strange = [name for name in names if not _ENTRY.fullmatch(name)]
    if strange or "archive_format" not in names:
        raise ArtifactError(
            f"{path}: expected what torch.export.save writes and nothing else, got {strange[0] if strange else names}; "
            "TorchScript, custom objects and compiled code are not read"
        )
    if pickled or not all(map(_is_plain, inputs)):
        raise ArtifactError(f"{path}: expected plain tensors, got pickled objects; pickles are not read")


def _is_plain(saved: bytes) -> bool:
    """Whether torch's reader of plain values takes ``saved``; if not, the reader of programs would unpickle it."""
    try:
        torch.load(io.BytesIO(saved), weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        return False
    return True
