"""The process that ``nf.suspects.isolated`` starts: limits itself, then loads and asks one suspect.

``python -m nf.suspects.child FILE OUTPUT MEMORY_BYTES CPU_SECONDS`` reads images as ``.npy`` from standard input
and writes answers as ``.npy`` to standard output. With status ``REFUSED``, the last line of standard error says what
is wrong.
"""

import io
import resource
import signal
import sys
from pathlib import Path
from typing import cast

import numpy as np

from nf.core.errors import SuspectError
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.core.processes import die_with_parent
from nf.suspects.isolated import REFUSED, to_npy
from nf.suspects.onnx import OnnxSuspect

_MAX_ANSWER_BYTES = 256 << 20


def main(path: Path, output: OutputKind, memory_bytes: int, cpu_seconds: int) -> int:
    """Ask the suspect at ``path`` the images on standard input; returns the exit status."""
    # The parent's time limit dies with the parent.
    die_with_parent(signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_ANSWER_BYTES, _MAX_ANSWER_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    images = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    try:
        answers = OnnxSuspect(path, output=output)(images)
    except SuspectError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        return REFUSED
    sys.stdout.buffer.write(to_npy(answers))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), cast(OutputKind, sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
