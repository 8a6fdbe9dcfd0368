"""Shutting a process in for good: no network, no programs, no new rights, and no files but those that it may read.

What Linux offers to every user: ``prctl`` against new rights, seccomp against sockets and programs, a network namespace
that has no network, Landlock against files. Kernels and containers may forbid some of them; then what could not be done
is said.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000

# System calls of Landlock, which have these numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_LOOK = _READ_FILE | _READ_DIR | _EXECUTE
_OF_FILES = _READ_FILE | _EXECUTE
_SCOPED_SINCE, _SCOPED = 6, 3  # signals and abstract sockets end at the fence, too
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access to files a version of Landlock knows; each is a bit. Later versions know as many."""

_DENIED = {
    # socket, execve, execveat, ptrace, process_vm_readv, process_vm_writev, io_uring_setup
    "x86_64": (0xC000003E, (41, 59, 322, 101, 310, 311, 425)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117, 270, 271, 425)),
}
"""How the kernel knows a processor, and the numbers of the system calls that are refused there."""
_OTHER_NUMBERS = 0x40000000  # on x86-64 the same calls have a second set from here on


def shut_in(readable: Iterable[Path]) -> list[str]:
    """Take this process's rights away, and those of all that it starts, as far as the kernel allows.

    It keeps the files that are open. Call it before there are threads, to which none of it would apply.

    Args:
        readable: files and folders that can still be read; nothing can be written, made or removed.

    Returns:
        What could not be done and why, in words; empty if all was.
    """
    if sys.platform != "linux":
        return [f"nothing of it: {sys.platform} is not Linux"]
    libc = ctypes.CDLL(None, use_errno=True)
    failed: list[str] = []
    _try(failed, "no new rights", lambda: _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
    apart: list[str] = []
    _try(apart, "no network", lambda: _leave_network(libc))
    _try(failed, "no other files", lambda: _forget_files(libc, readable))
    refused: list[str] = []
    _try(refused, "no programs", lambda: _refuse_calls(libc))
    # Without sockets there is no network either.
    return failed + refused + (apart if refused else [])


def _try(failed: list[str], what: str, act: Callable[[], object]) -> None:
    try:
        act()
    except OSError as error:
        failed.append(f"{what}: {error.strerror}")


def _refuse_calls(libc: ctypes.CDLL) -> None:
    """Let the kernel answer calls for sockets, programs and other processes' memory with "not permitted"."""
    if platform.machine() not in _DENIED:
        raise OSError(errno.ENOSYS, f"not known for {platform.machine()}")
    processor, calls = _DENIED[platform.machine()]
    load, jump_if_equal, jump_if_more, give = 0x20, 0x15, 0x35, 0x06
    refuse, kill, allow = 0x00050000 | errno.EPERM, 0x80000000, 0x7FFF0000
    length = len(calls)
    program = [
        (load, 0, 0, 4),  # what processor it is for, at byte 4
        (jump_if_equal, 1, 0, processor),
        (give, 0, 0, kill),
        (load, 0, 0, 0),  # its number, at byte 0
        (jump_if_more, length + 1, 0, _OTHER_NUMBERS),
        *((jump_if_equal, length - place, 0, number) for place, number in enumerate(calls)),
        (give, 0, 0, allow),
        (give, 0, 0, refuse),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    _check(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_void_p(ctypes.addressof(header)), 0, 0))


def _leave_network(libc: ctypes.CDLL) -> None:
    """Go where there is no network; who may not do so outright may in a world of users of its own."""
    if libc.unshare(_CLONE_NEWNET | _CLONE_NEWIPC):
        _check(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC))


def _forget_files(libc: ctypes.CDLL, readable: Iterable[Path]) -> None:
    version = _check(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION))
    rights = (1 << _RIGHTS.get(version, max(_RIGHTS.values()))) - 1
    attributes = struct.pack("=Q", rights) + (struct.pack("=QQ", 0, _SCOPED) if version >= _SCOPED_SINCE else b"")
    ruleset = _check(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for path in readable:
            _allow(libc, ruleset, path)
        _check(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there cannot be read anyway
        return
    try:
        rule = struct.pack("=Qi", _LOOK if path.is_dir() else _OF_FILES, descriptor)
        _check(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _check(result: int) -> int:
    """``result`` of a call into C.

    Raises:
        OSError: it failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
