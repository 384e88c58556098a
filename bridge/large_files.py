"""Large files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

from bridge.errors import UsageError

PARTIAL = ".partial"


@contextmanager
def whole_or_nothing(target: Path, what: str) -> Iterator[BufferedRandom]:
    """A file to write and to read again, which becomes `target` when the block ends well and vanishes otherwise.

    Raises: UsageError: it cannot be written; the message says `what` it was to be.
    """
    partial = target.with_name(target.name + PARTIAL)
    try:
        with partial.open("w+b") as output:
            yield output
            output.flush()
            os.fsync(output.fileno())
        partial.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise UsageError(f"{what} {target} cannot be written: {_why(error, target)}") from error
    finally:
        partial.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """The name of a new file is durable once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_absent(target: Path, what: str) -> None:
    """Nothing is there yet that a result would replace. Raises: UsageError."""
    if target.exists():
        raise UsageError(f"{what} {target} exists; it is never overwritten: remove it, or give another --out")
    if not target.parent.is_dir():
        raise UsageError(f"{what} {target} cannot be written: there is no folder {target.parent}")


def _why(error: OSError, target: Path) -> str:
    if error.errno == errno.ENOSPC:
        return f"no space left in {target.parent}; free some, or give another --out"
    return error.strerror or str(error)
