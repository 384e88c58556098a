"""Other people's programs, and what becomes of one that cannot run here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LAST_LINES = 3
MINUTES = 20


class Unavailable(Exception):
    """A program cannot do its part on this machine: what it says is the proof."""


def require(*names: str) -> None:
    """Raises: Unavailable, naming what is not there."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise Unavailable(f"no program {', '.join(missing)} here")


def run(line: Sequence[str | Path], *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What it says on both streams. Raises: Unavailable when it fails."""
    ended = subprocess.run(
        list(map(str, line)),
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=60 * MINUTES,
        check=False,
    )
    if ended.returncode:
        raise Unavailable(f"{Path(str(line[0])).name} ended with {ended.returncode}: {tail(ended.stdout)}")
    return ended.stdout


def version_of(package: str) -> str:
    """The version of a Debian package; "" where there is no dpkg, or not that package."""
    if shutil.which("dpkg-query") is None:
        return ""
    try:
        return run(["dpkg-query", "--show", "--showformat=${Version}", package])
    except Unavailable:
        return ""


def tail(text: str) -> str:
    """The end of what a program said, in one line."""
    return " / ".join(text.strip().splitlines()[-LAST_LINES:])
