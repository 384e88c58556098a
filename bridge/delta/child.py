"""The program of a child process: compares pairs of byte strings with bsdiff, which can crash, hang or eat memory.

Run by its path, without the rest of the bridge. Standard input has, per task, `TASK` and the bytes of window and
target; standard output gets, per task, `RESULT` and the triples of bsdiff, with its diff and extra bytes. Limits that a
task meets end the process.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
from typing import BinaryIO

from bsdiff4 import core

TASK = struct.Struct("<QQ")
"""Lengths of window and target."""
RESULT = struct.Struct("<QQQ")
"""Lengths of triples, diff and extra."""


def limit(memory: int, stack: int) -> None:
    """Bound this process: bytes of address space, and of the stack that bsdiff's sorting recurses on."""
    for which, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_STACK, stack), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def serve(tasks: BinaryIO, results: BinaryIO, seconds: float) -> None:
    """Answer tasks until there are no more; a task that takes more CPU than `seconds` kills the process."""
    while len(head := tasks.read(TASK.size)) == TASK.size:
        window, target = TASK.unpack(head)
        old, new = tasks.read(window), tasks.read(target)
        if len(old) != window or len(new) != target:
            return
        signal.setitimer(signal.ITIMER_PROF, seconds)
        parts = core.diff(old, new)
        signal.setitimer(signal.ITIMER_PROF, 0)
        results.write(RESULT.pack(*map(len, parts)))
        results.writelines(parts)
        results.flush()


def main(memory: str, stack: str, seconds: str) -> None:
    """Serve standard input and output within limits, until the parent goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit(int(memory), int(stack))
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, float(seconds))
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
