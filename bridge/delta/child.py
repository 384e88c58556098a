"""The program of a child process: compares pairs of byte strings with bsdiff, which can crash, hang or eat memory.

Run by its path, without the rest of the bridge. Standard input has, per task, `TASK` and the bytes of window and
target; standard output gets, per task, `RESULT` and the triples of bsdiff. Limits that a task meets end the process.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
from typing import BinaryIO

from bsdiff4 import core

TASK = struct.Struct("<QQQ")
"""Lengths of window and target, and how far both are stretched."""
RESULT = struct.Struct("<Q")
"""Length of the triples, which speak of the stretched bytes."""
TURNED = bytes(range(255, -1, -1))
"""Every byte with its bits turned round."""


def limit(memory: int, stack: int) -> None:
    """Bound this process: bytes of address space, and of the stack that bsdiff's sorting recurses on."""
    for which, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_STACK, stack), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def serve(tasks: BinaryIO, results: BinaryIO, seconds: float) -> None:
    """Answer tasks until there are no more; a task that takes more CPU than `seconds` kills the process."""
    while len(head := tasks.read(TASK.size)) == TASK.size:
        window, target, stretch = TASK.unpack(head)
        old, new = tasks.read(window), tasks.read(target)
        if len(old) != window or len(new) != target:
            return
        signal.setitimer(signal.ITIMER_PROF, seconds)
        triples: bytes = core.diff(stretched(old, stretch), stretched(new, stretch))[0]
        signal.setitimer(signal.ITIMER_PROF, 0)
        results.write(RESULT.pack(len(triples)) + triples)
        results.flush()


def stretched(data: bytes, stretch: int) -> bytes:
    """Each byte `stretch` times, turned every second time so that nothing matches at half a byte's distance.

    bsdiff leaves one alignment for another only where that matches over 8 bytes more. Of stretched content, that is as
    many times fewer of the bytes themselves.
    """
    wide = bytearray(len(data) * stretch)
    for nth in range(stretch):
        wide[nth::stretch] = data.translate(TURNED) if nth % 2 else data
    return bytes(wide)


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
