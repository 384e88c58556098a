"""Blocks of 4 KiB by their hash, as RAUC's adaptive updates: `make OLD NEW PATCH` or `apply OLD PATCH NEW`.

A patch is what a device fetches: the SHA-256 of every block of the new image, then each block that the old one does not
hold, packed by itself, because a block is fetched by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression.zstd import compress, decompress
else:
    from backports.zstd import compress, decompress

BLOCK = 4096
LEVEL = 19
DIGEST = 32


def blocks(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def make(old: str, new: str, patch: str) -> None:
    held = {sha256(block).digest() for block in blocks(old)}
    index, missing = [], []
    for block in blocks(new):
        index.append(digest := sha256(block).digest())
        if digest not in held:
            held.add(digest)
            missing.append(compress(block, LEVEL))
    with Path(patch).open("wb") as file:
        file.write(len(index).to_bytes(4, "big") + b"".join(index))
        file.writelines(len(packed).to_bytes(2, "big") + packed for packed in missing)


def apply(old: str, patch: str, new: str) -> None:
    places = {sha256(block).digest(): number * BLOCK for number, block in enumerate(blocks(old))}
    fetched: dict[bytes, int] = {}
    with Path(old).open("rb") as source, Path(patch).open("rb") as file, Path(new).open("w+b") as target:
        index = file.read(DIGEST * int.from_bytes(file.read(4), "big"))
        for start in range(0, len(index), DIGEST):
            digest = index[start : start + DIGEST]
            if digest in places:
                source.seek(places[digest])
                block = source.read(BLOCK)
            elif digest in fetched:
                target.seek(fetched[digest])
                block = target.read(BLOCK)
                target.seek(0, 2)
            else:
                fetched[digest] = target.tell()
                block = decompress(file.read(int.from_bytes(file.read(2), "big")))
            target.write(block)


if __name__ == "__main__":
    act, *rest = sys.argv[1:]
    if act == "make":
        make(*rest)
    else:
        apply(*rest)
