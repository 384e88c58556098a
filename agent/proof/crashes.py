"""Which records of panics the kernel has left, by pstore: they outlive the restart that a panic ends in.

Source: Linux, Documentation/ABI/testing/pstore and fs/pstore/platform.c (a record of a panic is called `dmesg-`, the
backend and a number, and begins with the line "Panic#<count> Part<part>"; one of an oops, which the kernel survives,
with "Oops#"); systemd-pstore.service(8), which moves the records into /var/lib/systemd/pstore when the machine comes
up, below folders of its own. Compressed ones that the kernel could not open (`.enc.z`) tell nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

PSTORE = (Path("/sys/fs/pstore"), Path("/var/lib/systemd/pstore"))
PATTERNS = ("dmesg-*", "*/dmesg-*", "*/*/dmesg-*")
"""Where records lie below such a folder; systemd-pstore makes up to two more levels."""
PANIC = b"Panic#"
MAX_RECORDS = 64
"""Files looked at below one folder."""
MAX_BYTES = 4096
"""Of each file; it begins with what tells one record from all others: the kernel's last messages, with their times."""
DIGITS = 16

logger = logging.getLogger(__name__)


def panics(folders: Sequence[Path] = PSTORE) -> tuple[str, ...]:
    """A mark of each record of a panic in `folders`, sorted; of one record it is always the same, wherever it lies.

    What cannot be read, or lists without end, says nothing.
    """
    records = {_mark(head) for folder in folders for head in _heads(folder) if head.startswith(PANIC)}
    return tuple(sorted(records))


def _heads(folder: Path) -> Iterator[bytes]:
    found = (path for pattern in PATTERNS for path in folder.glob(pattern))
    for path in islice(found, MAX_RECORDS):
        try:
            if path.is_file():
                with path.open("rb") as file:
                    yield file.read(MAX_BYTES)
        except OSError as error:
            logger.debug("%s says nothing of a panic: %s", path, error)


def _mark(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()[:DIGITS]
