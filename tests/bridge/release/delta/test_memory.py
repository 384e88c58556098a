"""The memory that a header declares is no lie: a process of its own applies the payload, and is measured."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.delta.coding import Bz2, Coding, Lzma, Zstd
from bridge.delta.cutting import Limits
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Stored, whole_image
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.delta.packing import Packing
from tests.bridge.release.delta.payloads import PACKINGS, Memory, write

ROOT = Path(__file__).parents[4]
MIB = 1 << 20
NOISE = random.Random(7).randbytes(2 * MIB)
MEASURE = """
import json, os, sys
from pathlib import Path
from bridge.release.delta.apply import Applier, Expected
from bridge.release.image import Image

class File:
    def __init__(self, path):
        self.number = os.open(path, os.O_RDONLY)
    def pread(self, offset, length):
        return os.pread(self.number, length, offset)

payload, old, new = sys.argv[1:4]
images = [Image(*image) if image else None for image in json.loads(sys.argv[4])]
applier = Applier(File(old), Expected(*images))
def kibibytes(field):
    return int(Path("/proc/self/status").read_text().split(field)[1].split()[0])

before = kibibytes("VmRSS:")
with open(payload, "rb") as source, open(new, "wb") as target:
    while chunk := source.read(65536):
        for piece in applier.feed(chunk):
            target.write(piece)
applier.finish()
print(1024 * (kibibytes("VmHWM:") - before))
"""


def full():
    """32 MiB that hardly compress, in one frame with a window of 8 MiB."""
    new = b"".join(NOISE[at:] + NOISE[:at] for at in range(0, 16 * 1000, 1000))
    return write(whole_image(Memory(new), len(new)), new, limits=Limits(), coding=Coding(extra=(Zstd(1),)))


def held():
    """A delta whose diff of 12 MiB must be held, beside an extra stream of bzip2."""
    old = NOISE * 6
    diff = NOISE[::-1] * 6
    new = bytes((a + b) % 256 for a, b in zip(NOISE, NOISE[::-1], strict=True)) * 6
    steps = [step for at in range(6) for step in (Add(diff[: 2 * MIB], at * 2 * MIB), Literal(b"ab" * MIB))]
    made = b"".join(new[: 2 * MIB] + b"ab" * MIB for _ in range(6))
    return write(steps, made, old, limits=Limits(), coding=Coding((Lzma(),), (), (Bz2(),)))


def many():
    """Spans of as many operations as there may be, each of a byte or two."""
    order = random.Random(8).choices(range(MIB), k=60_000)
    steps = [step for at in order for step in (Copy(1, at), Add(b"\1\2", at), Literal(b"x"))]
    new = b"".join(
        NOISE[at : at + 1] + bytes([(NOISE[at] + 1) % 256, (NOISE[at + 1] + 2) % 256]) + b"x" for at in order
    )
    return write(steps, new, NOISE, limits=Limits(operations=1 << 18), coding=Coding((Lzma(),), (Lzma(),), (Lzma(),)))


def packed():
    """Blocks unpacked and packed again, 4 MiB of window for each span."""
    texts = [bytes(NOISE[at * 9 : at * 9 + MIB // 2]) * 2 for at in range(8)]
    old, streams = b"", []
    for text in texts:
        stored = PACKINGS[0].pack(text)
        streams.append(Stored(len(old), len(stored), MIB, 0))
        old += stored
    raws = [text[: MIB // 2] + texts[(at + 3) % 8][: MIB // 2 - 1] for at, text in enumerate(texts)]
    blocks = [PACKINGS[0].pack(raw) for raw in raws]
    halves = MIB // 2, MIB // 2 - 1
    steps = [
        Packed(
            0,
            len(block),
            (Copy(halves[0], Inside(streams[at], 0)), Copy(halves[1], Inside(streams[(at + 3) % 8], 0))),
        )
        for at, block in enumerate(blocks)
    ]
    return write(steps, b"".join(blocks), old, limits=Limits(span=2 * MIB), packings=PACKINGS[:1])


def kernel():
    """Two blocks of LZ4 as in kernels, 8 MiB each before packing, of which the second new one needs both old ones."""
    size, way = 8 * MIB, Packing.lz4(9)
    whole = b"".join(NOISE[at : at + 2000] + bytes(1900) for at in range(0, MIB, 240))[: 2 * size]
    old_raws, new_raws = (whole[:size], whole[size:]), (whole[100:size] + b"x" * 100, whole[size - 5 * MIB : -5 * MIB])
    old, new = ([way.pack(raw) for raw in raws] for raws in (old_raws, new_raws))
    first, second = Stored(0, len(old[0]), size, 0), Stored(len(old[0]), len(old[1]), size, 0)
    steps = [
        Packed(0, len(new[0]), (Copy(size - 100, Inside(first, 100)), Literal(b"x" * 100))),
        Packed(0, len(new[1]), (Copy(5 * MIB, Inside(first, 3 * MIB)), Add(bytes(3 * MIB), Inside(second, 0)))),
    ]
    limits = Limits(packing_window=25 * MIB, gap=4 * MIB)
    return write(steps, b"".join(new), b"".join(old), limits=limits, packings=(way,))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured through /proc")
@pytest.mark.parametrize("build", [full, held, many, packed, kernel])
def test_memory_stays_below_what_the_header_declares(build, tmp_path):
    """Beside the program itself, before the first byte arrived."""
    made = build()
    paths = [tmp_path / name for name in ("payload", "old", "new")]
    paths[0].write_bytes(made.data)
    paths[1].write_bytes(made.old or b"")
    images = [[image.length, image.sha256] if image else None for image in (made.expected.new, made.expected.old)]
    line = [sys.executable, "-c", MEASURE, *map(str, paths), json.dumps(images)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    taken = int(done.stdout)

    assert paths[2].read_bytes() == made.new
    assert 0 < taken <= made.header.terms.memory <= DEVICE_MEMORY
