"""Runs a command within what a systemd unit allows of system calls and addresses: `confined.py UNIT COMMAND...`.

The filter is the unit's own: its lines, the sets as systemd-analyze lists them, and libseccomp, as in systemd.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LIBRARY = "libseccomp.so.2"
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
EQUAL = 4


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp` of seccomp.h."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def values(unit: str, name: str) -> list[str]:
    """Every value of a setting."""
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)


def sets() -> dict[str, list[str]]:
    """The words of each of systemd's sets of system calls."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, check=True)
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for line in listed.stdout.decode().splitlines():
        if line.startswith("@"):
            words = found.setdefault(line.strip(), [])
        elif line.startswith(" ") and not line.strip().startswith("#"):
            words.append(line.strip())
    return found


def calls(word: str, known: dict[str, list[str]]) -> Iterator[str]:
    """The system calls that a word of a filter means."""
    if not word.startswith("@"):
        yield word
    for each in known.get(word, ()):
        yield from calls(each, known)


def allowed(unit: str) -> set[str]:
    """The system calls that the unit leaves over."""
    known, found = sets(), set[str]()
    for line in values(unit, "SystemCallFilter"):
        meant = {call for word in line.lstrip("~").split() for call in calls(word, known)}
        found = found - meant if line.startswith("~") else found | meant
    return found


def confine(unit: str) -> None:
    """This process, and all that it starts, for good. Raises: OSError."""
    library = ctypes.CDLL(LIBRARY, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(REFUSE)))
    for name in sorted(allowed(unit) - {"socket"}):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else the call of another architecture
            require(library.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0))
    number = library.seccomp_syscall_resolve_name(b"socket")
    for family in " ".join(values(unit, "RestrictAddressFamilies")).split():
        same = Comparison(0, EQUAL, int(getattr(socket, family)), 0)
        require(library.seccomp_rule_add_array(context, ctypes.c_uint32(ALLOW), number, 1, ctypes.byref(same)))
    require(library.seccomp_load(context))


def require(result: int) -> None:
    """Raises: OSError for a negative one."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))


if __name__ == "__main__":
    confine(Path(sys.argv[1]).read_text())
    os.execvp(sys.argv[2], sys.argv[2:])
