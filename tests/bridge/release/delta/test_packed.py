"""Packed streams on the device: other libraries, blocks of a kernel's size, and cuts in the middle of them."""

from __future__ import annotations

import random
import sys
from dataclasses import replace

import pytest

from bridge.delta.coding import Coding, Lzma, code_frame
from bridge.delta.cutting import Limits, PlainFrame, cut_spans
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Stored, Zero
from bridge.release.delta import lz4s
from bridge.release.delta.apply import Applier
from bridge.release.delta.errors import ForeignLz4, ForeignZlib, MalformedPayload
from bridge.release.delta.packing import Packing
from bridge.release.errors import FailureCode
from tests.bridge.release.delta.payloads import PACKINGS, Memory, apply, apply_in_steps, words, write
from tests.independent_decoder import decode

SEED = random.Random(11)
LZ4 = len(PACKINGS) - 1
BLOCK = 300_000
TEXTS = [words(SEED, BLOCK) for _ in range(2)]
LIMITS = Limits(span=65536, window=65536, frame=100_000, raw=BLOCK, packing=BLOCK, packing_window=2 * BLOCK)


def kernel():
    """A block of LZ4 larger than any other span, made of two old ones, between plain bytes."""
    stored = [PACKINGS[LZ4].pack(text) for text in TEXTS]
    streams = [Stored(100, len(stored[0]), BLOCK, LZ4), Stored(100 + len(stored[0]), len(stored[1]), BLOCK, LZ4)]
    raw = TEXTS[0][:200_000] + b"new" + TEXTS[1][5000:90_000] + bytes(500)
    block = PACKINGS[LZ4].pack(raw)
    parts = (Copy(200_000, Inside(streams[0], 0)), Literal(b"new"), Copy(85_000, Inside(streams[1], 5000)), Zero(500))
    old = bytes(range(100)) + b"".join(stored)
    new = old[:100] * 2 + block + b"tail" * 100
    steps = [Copy(100, 0), Copy(100, 0), Packed(LZ4, len(block), parts), Literal(b"tail" * 100)]
    return write(steps, new, old, packings=PACKINGS, limits=LIMITS)


KERNEL = kernel()


def test_block_larger_than_any_span_is_made():
    """Blocks of a kernel have 8 MiB before packing: such a span has limits of its own, and all others keep theirs."""
    assert KERNEL.header.terms.frames == 3
    assert apply(KERNEL, size=777) == decode(KERNEL.data, KERNEL.old) == KERNEL.new


def test_packed_spans_go_on_after_a_cut():
    """Also where the link drops inside the block: it is made again as a whole."""
    for point, safe in dict(apply_in_steps(KERNEL, size=97)).items():
        assert point.target <= safe
        assert KERNEL.new[: point.target] + apply(KERNEL, start=point) == KERNEL.new


def test_only_what_is_used_of_a_stream_counts():
    """Most of one old block, little of the other: the frame declares what is kept of them, not all they unpack to."""
    stored = [PACKINGS[LZ4].pack(text) for text in TEXTS]
    streams = [Stored(0, len(stored[0]), BLOCK, LZ4), Stored(len(stored[0]), len(stored[1]), BLOCK, LZ4)]
    parts = (Copy(200_000, Inside(streams[0], 0)), Copy(85_000, Inside(streams[1], 5000)))
    plain = next(cut_spans([Packed(LZ4, 5000, parts)], LIMITS, len(stored[0] + stored[1])))
    head = code_frame(PlainFrame((plain.span,), b"", b""), Coding()).head

    assert (head.span, head.raw, head.window) == (5000, BLOCK, len(stored[0] + stored[1]) + BLOCK + 85_000)


def test_device_without_lz4_refuses_before_the_first_write(monkeypatch):
    """The package is looked for when a payload names LZ4, and told by name where it is missing."""
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    old = Memory(KERNEL.old)

    with pytest.raises(ForeignLz4, match=r"no LZ4 \(the Python package lz4\).*full artifact") as refusal:
        list(Applier(old, KERNEL.expected).feed(KERNEL.data))
    assert (old.reads, refusal.value.code) == ([], FailureCode.INCOMPATIBLE)


def test_payload_without_lz4_needs_no_lz4(monkeypatch):
    """Devices whose images hold no LZ4 do without the package."""
    made = write([Literal(b"plain")], b"plain", b"old", packings=PACKINGS[:1])
    monkeypatch.setitem(sys.modules, "lz4.block", None)

    assert apply(made) == b"plain"


def test_other_lz4_is_refused_before_the_first_write():
    """A library that packs otherwise cannot rebuild the image: the probe finds it."""
    foreign = replace(PACKINGS[LZ4], probe=PACKINGS[LZ4].probe ^ 1)
    made = write([Literal(b"plain")], b"plain", b"old", packings=(foreign,))
    old = Memory(b"old")

    with pytest.raises(ForeignLz4, match=r"LZ4 [\d.]+ of this device packs otherwise at level 9.*full artifact"):
        list(Applier(old, made.expected).feed(made.data))
    assert old.reads == []


@pytest.mark.parametrize("way", [0, LZ4])
def test_library_that_the_probe_did_not_tell_is_found_by_the_checksum(way, monkeypatch):
    """Nothing of the span is handed out, and the refusal asks for the full artifact."""
    raw = words(SEED, 3000)
    block = PACKINGS[way].pack(raw)
    made = write([Packed(way, len(block), (Literal(raw),))], block, b"old", packings=PACKINGS)
    whole = Packing.pack

    def other(packing, data):
        packed = whole(packing, data)
        return packed[:-1] + bytes([packed[-1] ^ 1]) if len(data) == len(raw) else packed

    monkeypatch.setattr(Packing, "pack", other)
    with pytest.raises(ForeignLz4 if way else ForeignZlib, match=r"packs otherwise than the maker's, or .* damaged"):
        list(Applier(Memory(b"old"), made.expected).feed(made.data))


@pytest.mark.parametrize("level", lz4s.LEVELS)
def test_every_level_of_lz4_comes_back(level):
    """0 is the fast mode, the others are HC."""
    packing = Packing.lz4(level)
    text = words(SEED, 5000)

    assert packing.unpack(packing.pack(text), 5000) == text
    assert Packing.decode(packing.encode()) == packing


BLOCK_5000 = PACKINGS[LZ4].pack(words(SEED, 5000))


@pytest.mark.parametrize(
    "stored",
    [BLOCK_5000[:-1], BLOCK_5000 + b"\0", b"", b"\xff" * 99, PACKINGS[LZ4].pack(words(SEED, 4999))],
    ids=["cut", "goes on", "empty", "nonsense", "shorter"],
)
def test_bytes_that_are_no_lz4_are_refused(stored):
    """Never a traceback, never more than asked for."""
    with pytest.raises(MalformedPayload, match=r"for an LZ4 block|for a stream of 5000"):
        PACKINGS[LZ4].unpack(stored, 5000)


def test_lz4_bomb_stays_within_its_length():
    """A block that unpacks to far more than declared is refused, and the rest of it not made."""
    bomb = PACKINGS[LZ4].pack(bytes(50_000_000))

    with pytest.raises(MalformedPayload, match="an LZ4 block that are none"):
        PACKINGS[LZ4].unpack(bomb, 4096)


def test_differences_inside_a_block_are_added():
    """An old block unpacked, each byte one higher, packed again, in more pieces than one."""
    coding = Coding((Lzma(),), (Lzma(),), (Lzma(),))
    stored = PACKINGS[LZ4].pack(TEXTS[0])
    raw = bytes(byte + 1 for byte in TEXTS[0])
    block = PACKINGS[LZ4].pack(raw)
    step = Packed(LZ4, len(block), (Add(b"\1" * BLOCK, Inside(Stored(0, len(stored), BLOCK, LZ4), 0)),))
    made = write([step], block, stored, packings=PACKINGS, limits=LIMITS, coding=coding)

    assert apply(made) == decode(made.data, made.old) == block
