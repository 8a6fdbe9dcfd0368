"""The process that ``nf.suspects.isolated`` starts: limits itself, shuts itself in, then loads and asks one suspect.

``python -m nf.suspects.child FILE MEMORY_BYTES CPU_SECONDS`` reads a task from standard input and writes what comes of
it to standard output, both in the form of ``nf.suspects.transport``. The first line of standard error says what of its
fence could not be put up; with status ``REFUSED`` or ``NO_VERDICT``, the last one says what is wrong.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nf.core.controls import Controls
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.interface import Interface
from nf.core.printing import printable
from nf.core.processes import die_with_parent
from nf.core.sandbox import shut_in
from nf.core.sections import parse_section
from nf.suspects.isolated import FENCE, GIBIBYTE, NO_VERDICT, REFUSED
from nf.suspects.network import NetworkSuspect, one_line
from nf.suspects.networks import open_network, weights_of
from nf.suspects.transport import pack, pack_raws, unpack

_MAX_ANSWER_BYTES = 256 << 20
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/sys/devices/system"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm"),
)
"""What libraries read as they are loaded, or to learn about the processor; nothing of other processes."""


def main(path: Path, memory_bytes: int, cpu_seconds: int) -> int:
    """Do the task on standard input with the suspect at ``path``; returns the exit status."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_ANSWER_BYTES, _MAX_ANSWER_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stderr.write(f"{FENCE}{'; '.join(fence(path))}\n")
    # The parent's time limit dies with the parent. Behind the fence, as a process that changes its rights forgets it.
    die_with_parent(signal.SIGKILL)
    header, arrays = unpack(sys.stdin.buffer.read())
    try:
        sys.stdout.buffer.write(_TASKS[header["task"]](path, header, arrays))
        sys.stdout.buffer.flush()
    except SuspectError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        return NO_VERDICT if isinstance(error, NoVerdictError) else REFUSED
    except Exception as error:  # whatever an untrusted file leads to is said of that file
        sys.stderr.write(
            f"{printable(str(path))}: expected a network that can be asked, got "
            f"{type(error).__name__}: {one_line(error)}; under a limit of {memory_bytes / GIBIBYTE:.3g} GiB\n"
        )
        return REFUSED
    return 0


def fence(path: Path) -> list[str]:
    """Shut this process in: it can read Python, its libraries, the suspect at ``path`` and the files beside that.

    Returns:
        What could not be done, as ``shut_in`` says it.
    """
    beside = (each for each in path.parent.iterdir() if each.name[0] != "." and each.is_file())
    libraries = filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))
    modules = map(_importable, map(Path, filter(None, sys.path)))
    return shut_in([*map(Path, (*_SYSTEM, sys.prefix, sys.base_prefix, *libraries)), *modules, path, *beside])


def _importable(entry: Path) -> Path:
    """The folder ``entry`` of modules; of one that holds this project, its package alone: artifacts may lie beside."""
    package = entry / "nf"
    return package if (package / "suspects").is_dir() else entry


def _interface(header: Mapping[str, Any]) -> Interface:
    return parse_section(Interface, header["interface"], "interface")


def _predict(path: Path, header: Mapping[str, Any], arrays: list[Any]) -> bytes:
    suspect = NetworkSuspect(open_network(path), output=header["output"], interface=_interface(header))
    return pack({}, [suspect(arrays[0])])


def _find(path: Path, header: Mapping[str, Any], arrays: list[Any]) -> bytes:
    controls = Controls(
        arrays[0],
        arrays[1],
        tuple(header["class_names"]),
        tuple(header["mean"]),
        tuple(header["std"]),
        usual=header["usual"],
        source_accuracy=header["source_accuracy"],
        honest_accuracy=header["honest_accuracy"],
    )
    found = open_network(path).find(controls, header["num_classes"], _interface(header))
    return pack(found.to_json())


def _ask(path: Path, header: Mapping[str, Any], arrays: list[Any]) -> bytes:
    network = open_network(path)
    hows = [parse_section(Interface, section, "interface") for section in header["interfaces"]]
    return pack_raws([network.ask(arrays[0], how) for how in hows])


def _weights(path: Path, header: Mapping[str, Any], arrays: list[Any]) -> bytes:
    del header, arrays
    return pack({"names": weights_of(path)})


_TASKS: dict[str, Callable[[Path, Mapping[str, Any], list[Any]], bytes]] = {
    "predict": _predict,
    "find": _find,
    "ask": _ask,
    "weights": _weights,
}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
