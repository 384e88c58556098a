"""Images with packed content, made by the programs that make real ones, and by hand where these are missing."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from bridge.delta.contents.expanded import Expanded
from bridge.delta.contents.finding import find_contents

WORDS = ("release", "slot", "delta", "gate", "soak", "tally", "offer", "bucket")


@dataclass(frozen=True)
class Picture:
    """An image in memory."""

    data: bytes

    @property
    def length(self):
        return len(self.data)

    def pread(self, offset, length):
        return self.data[offset : offset + length]


def text(seed, length):
    """Words, which pack well, always the same for `seed`."""
    return " ".join(random.Random(seed).choices(WORDS, k=length)).encode()[:length]


def find(old, new, **options):
    """The contents of two images, found on two threads."""
    done = []
    with ThreadPoolExecutor(2) as threads:
        found = find_contents(Picture(old), Picture(new), threads, SimpleNamespace(advance=done.append), **options)
    assert sum(done) == len(old) + len(new)
    return found


def views(old, new, contents):
    """The expanded views of both images."""
    return (
        Expanded(Picture(old), contents.old, contents.packings),
        Expanded(Picture(new), contents.new, contents.packings),
    )


def squashfs(folder, files, *options):
    """A squashfs of `files`, by name; the test is skipped where there is no mksquashfs."""
    if not shutil.which("mksquashfs"):
        pytest.skip("needs mksquashfs")
    tree, image = folder / "tree", folder / "image"
    for name, data in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    line = [
        "mksquashfs",
        str(tree),
        str(image),
        "-noappend",
        "-all-root",
        "-all-time",
        "0",
        "-mkfs-time",
        "0",
        *options,
    ]
    subprocess.run(line, check=True, capture_output=True)
    shutil.rmtree(tree)
    return image.read_bytes()


def small_squashfs(*contents, level=9):
    """A squashfs of one file a content, each of one whole block of 4096 bytes, written by hand."""
    blocks = [zlib.compress(content, level) for content in contents]
    body, inodes = bytearray(96), bytearray()
    for number, block in enumerate(blocks, 1):
        inodes += struct.pack("<4HII4II", 2, 0o644, 0, 0, 0, number, len(body), 0xFFFFFFFF, 0, 4096, len(block))
        body += block
    places = [len(body)]
    for table in (bytes(inodes), text(1, 300)):
        for at in range(0, len(table), 8192):
            packed = zlib.compress(table[at : at + 8192], level)
            body += len(packed).to_bytes(2, "little") + packed
        places.append(len(body))
    body += (4 | 0x8000).to_bytes(2, "little") + bytes(4) + places[2].to_bytes(8, "little")
    nothing = 2**64 - 1
    tables = (places[2] + 6, nothing, places[0], places[1], nothing, nothing)
    head = (b"hsqs", len(blocks), 0, 4096, 0, 1, 12, 0, 1, 4, 0, 0, len(body), *tables)
    return struct.pack("<4s4I6H8Q", *head) + bytes(body[96:])
