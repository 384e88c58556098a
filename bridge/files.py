"""Small files of metadata: read with a bound, replaced whole."""

from __future__ import annotations

import os
from pathlib import Path

from bridge.errors import UsageError


def read_bounded(path: Path, limit: int, what: str) -> bytes:
    """Up to `limit` + 1 bytes of `path`: whoever parses them refuses what is too long, in their own words.

    Raises:
        UsageError: it cannot be read; the message says `what` it should have been.
    """
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read: {error.strerror}") from error


def replace_file(path: Path, content: bytes) -> Path:
    """Write `content` to `path`, so that a reader or a crash sees the old file or the new one. Returns `path`.

    Raises:
        UsageError: it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return path
