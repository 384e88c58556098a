"""Runs one command under limits and says what it took: `python -I -S watch.py REPORT CPU MEMORY WALL COMMAND...`.

A process of its own, of the standard library alone, because the peak that the kernel keeps for a new process begins
with the size of the process that started it: about 10 MB here, which is therefore the least that any peak can be.

`CPU` (seconds) and `MEMORY` (bytes of private memory) bind each process of the tree, `WALL` (seconds) the whole.
`REPORT` becomes a JSON object: `code` (exit code, or minus the signal), `overtime` (whether `WALL` ended it), `cpu`
seconds (user and system, of all descendants), `peak` bytes resident: the largest process, or the whole tree at one
moment if that is more.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SHORTEST, LONGEST = 0.002, 0.1
"""Seconds between two looks at the tree: more from look to look, so that a short command does not wait for its end."""
CANNOT_RUN = 127


def main(report: str, cpu: str, memory: str, wall: str, *command: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this decides, and its end is seen below
    child = os.fork()
    if child == 0:
        become(int(cpu), int(memory), list(command))
    Path(report).write_text(json.dumps(watch(child, float(wall))))


def become(cpu: int, memory: int, command: list[str]) -> None:
    """Turns this process into the command, under its limits, as the leader of a group that can be ended as a whole."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(CANNOT_RUN)


def watch(child: int, wall: float) -> dict[str, object]:
    started, parent, tree, overtime, pause = time.monotonic(), os.getppid(), 0, False, SHORTEST
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            break
        tree = max(tree, resident(child))
        overtime = overtime or time.monotonic() - started > wall
        if overtime or os.getppid() != parent:
            os.killpg(child, signal.SIGKILL)
        time.sleep(pause)
        pause = min(LONGEST, pause * 1.5)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "overtime": overtime,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": max(tree, usage.ru_maxrss * 1024),
    }


def resident(root: int) -> int:
    """Bytes that a tree of several processes holds, shared pages once; 0 for one process: the kernel knows better."""
    tree = list(family(root))
    return sum(map(proportional, tree)) if len(tree) > 1 else 0


def family(pid: int) -> Iterator[int]:
    """`pid` and all processes below it, by the parents that /proc tells: not every kernel lists children."""
    children = parents()
    waiting = [pid]
    while waiting:
        waiting += children.get(waiting[0], [])
        yield waiting.pop(0)


def parents() -> dict[int, list[int]]:
    """The children of each process that has any."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The name, in brackets, may hold anything; the parent is the second field after it.
            parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(entry.name))
    return children


def proportional(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
