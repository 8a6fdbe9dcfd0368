"""The process that ``nf.suspects.isolated`` starts: limits itself, then loads and asks one suspect.

``python -m nf.suspects.child FILE MEMORY_BYTES CPU_SECONDS`` reads a task from standard input and writes what comes of
it to standard output, both in the form of ``nf.suspects.transport``. With status ``REFUSED`` or ``NO_VERDICT``, the
last line of standard error says what is wrong.
"""

import resource
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nf.core.controls import Controls
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.printing import printable
from nf.core.processes import die_with_parent
from nf.core.sections import parse_section
from nf.suspects.interface import Interface
from nf.suspects.isolated import NO_VERDICT, REFUSED
from nf.suspects.network import NetworkSuspect
from nf.suspects.networks import open_network
from nf.suspects.transport import pack, pack_raws, unpack

_MAX_ANSWER_BYTES = 256 << 20


def main(path: Path, memory_bytes: int, cpu_seconds: int) -> int:
    """Do the task on standard input with the suspect at ``path``; returns the exit status."""
    # The parent's time limit dies with the parent.
    die_with_parent(signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_ANSWER_BYTES, _MAX_ANSWER_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    header, arrays = unpack(sys.stdin.buffer.read())
    try:
        done = _TASKS[header["task"]](path, header, arrays)
    except SuspectError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        return NO_VERDICT if isinstance(error, NoVerdictError) else REFUSED
    sys.stdout.buffer.write(done)
    return 0


def _interface(header: Mapping[str, Any]) -> Interface:
    return parse_section(Interface, header["interface"], "interface")


def _predict(path: Path, header: Mapping[str, Any], arrays: list[Any]) -> bytes:
    suspect = NetworkSuspect(open_network(path), output=header["output"], interface=_interface(header))
    return pack({}, [suspect(arrays[0])])


def _find(path: Path, header: Mapping[str, Any], arrays: list[Any]) -> bytes:
    controls = Controls(arrays[0], arrays[1], tuple(header["class_names"]), tuple(header["mean"]), tuple(header["std"]))
    found = open_network(path).find(controls, header["num_classes"], _interface(header))
    return pack(found.to_json())


def _ask(path: Path, header: Mapping[str, Any], arrays: list[Any]) -> bytes:
    network = open_network(path)
    hows = [parse_section(Interface, section, "interface") for section in header["interfaces"]]
    return pack_raws([network.ask(arrays[0], how) for how in hows])


_TASKS: dict[str, Callable[[Path, Mapping[str, Any], list[Any]], bytes]] = {
    "predict": _predict,
    "find": _find,
    "ask": _ask,
}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
