"""Keeps the results of finished groups beside the payload, so that a maker that was stopped goes on where it was.

A file for each group, named for all that its result depends on; written whole or not at all; with a checksum. Whatever
does not hold is made anew.
"""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from bridge.delta.pieces import Column, Pieces
from bridge.errors import UsageError

FORMAT = b"otabridge group 2\n"
"""Changes whenever the same inputs may give another result."""
CHECK_BYTES = 16
OLD, NEW = "old.unpacked", "new.unpacked"
"""What the images hold, unpacked, while the maker runs."""
OURS = re.compile(r"[0-9a-f]{32}\.(group|partial)|(old|new)\.unpacked")
"""Names that the maker gives; it touches no others."""


def key_of(identity: bytes, columns: Iterable[Column]) -> str:
    """A name for the result that depends on `identity` and `columns`."""
    digest = hashlib.blake2b(FORMAT + identity, digest_size=CHECK_BYTES)
    for values in columns:
        digest.update(len(values).to_bytes(8, "little") + values.astype("<i8").tobytes())
    return digest.hexdigest()


class Work:
    """Finished groups in `folder`, which is made when there is something to keep.

    Raises: UsageError where it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: str) -> Pieces | None:
        """What was kept under `key`, if it is there and whole."""
        try:
            data = self._path(key).read_bytes()
        except OSError:
            return None
        body = data[len(FORMAT) + CHECK_BYTES :]
        if data != FORMAT + _check(key, body) + body or len(body) % 24:
            return None
        start, length, source = np.frombuffer(body, "<i8").reshape(3, -1).astype(np.int64)
        return Pieces(start, length, source)

    def save(self, key: str, pieces: Pieces) -> None:
        """Keep `pieces` under `key`."""
        body = b"".join(values.astype("<i8").tobytes() for values in (pieces.start, pieces.length, pieces.source))
        partial = self.folder / f"{key}.partial"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(FORMAT + _check(key, body) + body)
            partial.replace(self._path(key))
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise cannot_keep(self.folder, error) from error

    def clear(self) -> None:
        """Remove what this module wrote, and the folder if nothing else is in it."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if OURS.fullmatch(path.name):
                    path.unlink(missing_ok=True)
            self.folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.group"


def _check(key: str, body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=CHECK_BYTES, key=key.encode()).digest()


def cannot_keep(folder: Path, error: OSError) -> UsageError:
    """What to tell a person whose disk refuses the work."""
    why = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        why = "no space left; free some, or give another folder for the work"
    return UsageError(f"work on the delta cannot be kept in {folder}: {why}")
