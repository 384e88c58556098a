"""The device's own applier and nothing else of the product: `OLD PATCH NEW`, OLD being - for a full artifact.

In what memory a device grants, every checksum of the payload held, the payload in the chunks that a network gives.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bridge.delta.applying import apply, expected_of, read_header, write_image
from bridge.release.delta.memory import DEVICE_MEMORY

CHUNK = 64 << 10


@dataclass(frozen=True, slots=True)
class File:
    """An image by its descriptor."""

    descriptor: int

    def pread(self, offset: int, length: int) -> bytes:
        return os.pread(self.descriptor, length, offset)


def main(old: str, patch: str, new: str) -> None:
    source = Path(os.devnull if old == "-" else old)
    with source.open("rb") as image, Path(patch).open("rb") as payload, Path(new).open("wb") as target:
        expected = expected_of(read_header(payload))
        payload.seek(0)
        chunks = iter(lambda: payload.read(CHUNK), b"")
        write_image(apply(chunks, expected, File(image.fileno()), memory=DEVICE_MEMORY), target)


if __name__ == "__main__":
    main(*sys.argv[1:])
