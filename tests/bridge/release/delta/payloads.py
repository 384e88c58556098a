"""Payloads for tests: images in memory, random work on them, and forged frames with checksums that hold.

made = write(steps, new, old)
made.data                   # the payload
apply(made)                 # == new, through the applier
forge(spans, ...)           # whatever a hostile maker might send
"""

from __future__ import annotations

import hashlib
import io
import random
import zlib
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from bridge.delta.coding import Bz2, CodedFrame, Coding, Lzma, Prefix, Zstd, code_frame
from bridge.delta.container import Pair, Task, prove, write_payload
from bridge.delta.cutting import Limits, cut_frames, cut_spans
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Stored, Zero
from bridge.release.delta import memory
from bridge.release.delta.apply import Applier, Expected
from bridge.release.delta.checkpoint import START
from bridge.release.delta.frame import seal_of
from bridge.release.delta.header import Header
from bridge.release.delta.packing import Packing
from bridge.release.image import Image

SMALL = Limits(
    span=4096, window=16384, raw=4096, packing=4200, packing_window=16384, frame=6000, operations=60, alone=3000, gap=16
)
"""Limits that small images reach."""
QUICK = Coding(control=(Lzma(),), diff=(Lzma(0, 0, 0), Bz2()), extra=(Lzma(), Zstd(3)))
PACKINGS = (Packing.probed(9), Packing.probed(6, -15), Packing.lz4(9))


@dataclass
class Memory:
    """An image in memory, which remembers what was read."""

    data: bytes
    reads: list[tuple[int, int]] = field(default_factory=list)

    def pread(self, offset, length):
        self.reads.append((offset, length))
        return self.data[offset : offset + length]


def image_of(data):
    """Length and sha256."""
    return Image(len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class Made:
    """A payload, the image that it makes, and the one that it starts from (None for a full one)."""

    data: bytes
    new: bytes
    old: bytes | None
    header: Header

    @property
    def expected(self):
        return Expected(image_of(self.new), image_of(self.old) if self.old else None)


def write(steps, new, old=None, *, limits=SMALL, coding=QUICK, prefix=None, packings=()):
    """The payload of `steps`."""
    task = Task(image_of(new), image_of(old) if old else None, packings)
    spans = prove(cut_spans(steps, limits, len(old or b"")), task, Pair(Memory(new), Memory(old or b"")))
    output = io.BytesIO()
    header = write_payload(output, task, (code_frame(frame, coding, prefix) for frame in cut_frames(spans, limits)))
    return Made(output.getvalue(), new, old, header)


def apply(made, *, old=None, size=1000, start=START, **options):
    """All image bytes from `start` on, the payload being fed in chunks of `size`."""
    applier = Applier(Memory((made.old if old is None else old) or b""), made.expected, start=start, **options)
    pieces = []
    for at in range(start.payload, len(made.data), size):
        pieces += applier.feed(made.data[at : at + size])
    applier.finish()
    return b"".join(pieces)


def apply_in_steps(made, *, size=1000, start=START):
    """The applier's checkpoints, each with the image bytes that are safe then."""
    applier, image, seen = Applier(Memory(made.old or b""), made.expected, start=start), bytearray(), []
    for at in range(start.payload, len(made.data), size):
        for piece in applier.feed(made.data[at : at + size]):
            seen.append((applier.checkpoint, start.target + len(image)))
            image += piece
        seen.append((applier.checkpoint, start.target + len(image)))
    applier.finish()
    return [*seen, (applier.checkpoint, start.target + len(image))]


# Random work: what an interpreter of ten lines makes of it is the new image.


@st.composite
def works(draw):
    """(steps, new, old, prefix) of a random delta over all kinds of steps."""
    seed = random.Random(draw(st.integers(0, 2**32)))
    texts = [words(seed, seed.randrange(200, 3000)) for _ in range(3)]
    old, streams = bytearray(seed.randbytes(seed.randrange(1, 3000)) + bytes(200)), []
    for text in texts:
        packing = seed.randrange(len(PACKINGS))
        stored = PACKINGS[packing].pack(text)
        streams.append((Stored(len(old), len(stored), len(text), packing), text))
        old += stored + seed.randbytes(seed.randrange(50))
    maker = Works(seed, bytes(old), streams)
    kinds = draw(st.lists(st.sampled_from(("zero", "copy", "add", "literal", "packed")), max_size=30))
    steps = [maker.step(kind) for kind in kinds]
    return steps, b"".join(made_of(step, maker.old) for step in steps), maker.old, Prefix(3, maker.old[3:90])


@dataclass
class Works:
    """Makes random steps over `old`."""

    seed: random.Random
    old: bytes
    streams: list

    def step(self, kind):
        if kind != "packed":
            return self.plain(kind, self.seed.choice((5, 300, 6000)))
        parts = tuple(self.plain(kind, 700) for kind in self.seed.choices(("zero", "copy", "add", "literal"), k=4))
        packing = self.seed.randrange(len(PACKINGS))
        raw = b"".join(made_of(part, self.old) for part in parts)
        return Packed(packing, len(PACKINGS[packing].pack(raw)), parts)

    def plain(self, kind, most):
        length = self.seed.randrange(1, most)
        if kind == "zero":
            return Zero(length)
        if kind == "literal":
            return Literal(words(self.seed, length))
        source, length = self.place(length)
        return Copy(length, source) if kind == "copy" else Add(self.diff(length), source)

    def place(self, length):
        if self.seed.random() < 0.6:
            length = min(length, len(self.old))
            return self.seed.randrange(len(self.old) - length + 1), length
        stream, text = self.seed.choice(self.streams)
        length = min(length, len(text))
        return Inside(stream, self.seed.randrange(len(text) - length + 1)), length

    def diff(self, length):
        return b"".join(
            bytes(40) if self.seed.random() < 0.5 else self.seed.randbytes(40) for _ in range(0, length, 40)
        )[:length]


def words(seed, length):
    """Text that packs well."""
    return " ".join(seed.choices(("release", "slot", "delta", "gate", "soak"), k=length)).encode()[:length]


def made_of(step, old):
    """The bytes that `step` makes, by another way than the applier's."""
    match step:
        case Zero(length):
            return bytes(length)
        case Literal(data):
            return data
        case Copy(length, source):
            return base_of(source, length, old)
        case Add(diff, source):
            return bytes((a + b) % 256 for a, b in zip(base_of(source, len(diff), old), diff, strict=True))
        case Packed(packing, _, parts):
            return PACKINGS[packing].pack(b"".join(made_of(part, old) for part in parts))


def base_of(source, length, old):
    """The old bytes that a step starts from."""
    if isinstance(source, int):
        return old[source : source + length]
    stream = source.stream
    text = PACKINGS[stream.packing].unpack(old[stream.offset : stream.offset + stream.length], stream.raw)
    return text[source.offset : source.offset + length]


# Forgery: any frames, sealed as they should be.


def forge(frames, new, old=None, *, packings=(), **terms):
    """A payload of `frames`, whatever they say, with a header that fits; `terms` replace fields of its terms."""
    task = Task(image_of(new), image_of(old) if old else None, packings)
    needed = max((memory.needed(frame.head) for frame in frames), default=0)
    header = task.header(needed, len(frames))
    header = replace(header, terms=replace(header.terms, **terms))
    body = b"".join(
        frame.head.encode(seal_of(header.terms.identity, index)) + frame.body for index, frame in enumerate(frames)
    )
    return Made(header.encode() + body, new, old, header)


def resealed(data):
    """`data` after its header was changed, with a checksum that holds."""
    end = 94 + 9 * data[5]
    return data[:end] + zlib.crc32(data[:end]).to_bytes(4, "little") + data[end + 4 :]


def coded(head, *streams):
    """A frame of this head and these stored streams."""
    return CodedFrame(head, b"".join(streams))
