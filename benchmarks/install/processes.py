"""What the kernel says about processes, by /proc. A process that has ended meanwhile counts nothing."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PARENT, TIMES = 1, slice(11, 15)
"""Fields of /proc/PID/stat after the name: the parent, then user, system, and both of the children waited for."""


def descendants(root: int, without: frozenset[int] = frozenset()) -> set[int]:
    """All processes below `root`, but none of `without` and nothing below those."""
    children = defaultdict(list)
    for pid, parent in _parents():
        children[parent].append(pid)
    return set(_below(root, children, without))


def processor_seconds(pids: Iterable[int]) -> float:
    """User and system, the ended children of each included. In steps of a hundredth."""
    return sum(sum(map(int, _stat(pid)[TIMES])) for pid in pids) / TICKS


def high_water(pid: int) -> int:
    """The most bytes that the program in `pid` ever had resident."""
    return _kibibytes(pid, "status", "VmHWM")


def proportional(pid: int) -> int:
    """The bytes that `pid` has resident now, each page shared out among all that have it."""
    return _kibibytes(pid, "smaps_rollup", "Pss")


def _below(root: int, children: dict[int, list[int]], without: frozenset[int]) -> Iterator[int]:
    for pid in children[root]:
        if pid not in without:
            yield pid
            yield from _below(pid, children, without)


def _parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            yield int(entry.name), int(stat[PARENT])


def _stat(pid: int) -> list[str]:
    # The name, in brackets, may hold anything.
    return _read(pid, "stat").rpartition(")")[2].split()


def _kibibytes(pid: int, file: str, name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB$", _read(pid, file), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def _read(pid: int, file: str) -> str:
    with suppress(OSError):
        return (PROC / str(pid) / file).read_text(errors="replace")
    return ""
