"""A program that makes and applies updates, as data, and one run of it."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from benchmarks.delta.measuring import Cost, Limits, Unfinished, run

PROGRAMS = Path(__file__).with_name("programs")
LEAST_WINDOW = 512 << 10
"""What xdelta3 takes at least."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Commands in which `{old}`, `{new}` and `{patch}` stand for files and `{window}` for the bytes of the old one.

    `apply` has to write the image to `{new}`. A patch is a file or a folder. `version` says which one it is, or raises
    Absent.
    """

    name: str
    make: tuple[str, ...]
    apply: tuple[str, ...]
    version: Callable[[], str]


class Outcome(msgspec.Struct, frozen=True):
    """What a tool did with a pair: the size of its patch in bytes and the costs; `reason` if it has not done it all."""

    size: int | None = None
    make: Cost | None = None
    apply: Cost | None = None
    reason: str = ""


class Absent(Exception):
    """A tool is not on this machine: what it says is what is missing."""


def said(*command: str) -> Callable[[], str]:
    """The version as the first line of what a command prints."""

    def version_of() -> str:
        if shutil.which(command[0]) is None:
            raise Absent(f"no program {command[0]}")
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return (ended.stdout or ended.stderr).strip().splitlines()[0]

    return version_of


def installed(distribution: str) -> Callable[[], str]:
    """The version of a Python package."""

    def version_of() -> str:
        try:
            return f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            raise Absent(f"no Python package {distribution}") from None

    return version_of


def program(name: str, *arguments: str) -> tuple[str, ...]:
    """The command of one of the programs beside this file, in an interpreter that loads nothing else."""
    return (sys.executable, "-I", str(PROGRAMS / f"{name}.py"), *arguments)


def use(tool: Tool, old: Path, new: Path, limits: Limits, scratch: Path | None = None) -> Outcome:
    """Make a patch, apply it, compare what came out byte for byte. A failure is an outcome with its reason."""
    with tempfile.TemporaryDirectory(prefix="otabridge-bench-", dir=scratch) as folder:
        patch, output = Path(folder, "patch"), Path(folder, "output")
        try:
            made = run(_filled(tool.make, old, new, patch), limits)
        except Unfinished as reason:
            return Outcome(reason=f"make: {reason}")
        size = _size(patch)
        try:
            applied = run(_filled(tool.apply, old, output, patch), limits)
        except Unfinished as reason:
            return Outcome(size, made, reason=f"apply: {reason}")
        if not filecmp.cmp(new, output, shallow=False):
            return Outcome(size, made, applied, reason="apply: another image came out")
        return Outcome(size, made, applied)


def _filled(command: Sequence[str], old: Path, new: Path, patch: Path) -> list[str]:
    window = max(old.stat().st_size, LEAST_WINDOW)
    places = {"old": str(old), "new": str(new), "patch": str(patch), "window": str(window)}
    return [part.format_map(places) for part in command]


def _size(patch: Path) -> int:
    files = patch.rglob("*") if patch.is_dir() else [patch]
    return sum(file.stat().st_size for file in files if file.is_file())
