"""The specification and the program say the same: every example of docs/payload-format.md, by two decoders."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given, strategies

from bridge.delta.cutting import Limits
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Stored, Zero
from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.header import Terms
from bridge.release.delta.numbers import MAX_NUMBER, Numbers, fold, pack, pack_planes, unfold
from bridge.release.delta.packing import Packing, probe_text
from tests.bridge.release.delta.payloads import apply, write
from tests.independent_decoder import Refused, decode

PAGE = (Path(__file__).parents[4] / "docs" / "payload-format.md").read_text()
DUMPS = [bytes.fromhex(dump) for dump in re.findall(r"(?s)```text\n(.*?)```", PAGE)]
COUNT = bytes(range(256)) * 4
FOX = b"the quick brown fox " * 8
FOXES = [zlib.compress(text, 9) for text in (FOX, FOX + b"jumps")]
LIMITS = Limits(span=4096, alone=4096)
PACKING = Packing.probed(9)
PACKING_LZ4 = Packing.lz4(9)
SAME_ZLIB = PACKING.probe.to_bytes(4, "little") in DUMPS[2]
SAME_LZ4 = PACKING_LZ4.probe.to_bytes(4, "little") in DUMPS[3]


def full():
    """The first example."""
    text = b"otabridge " * 2
    return write([Zero(8192), Literal(text)], bytes(8192) + text, limits=LIMITS)


def delta():
    """The second one."""
    steps = [Literal(b"head"), Copy(100, 16), Add(bytes([1]) * 100, 116), Zero(12)]
    new = b"head" + COUNT[16:116] + bytes(byte + 1 for byte in COUNT[116:216]) + bytes(12)
    return write(steps, new, COUNT, limits=LIMITS)


def packed():
    """The third one."""
    stream = Stored(2, len(FOXES[0]), len(FOX), 0)
    parts = (Copy(len(FOX), Inside(stream, 0)), Literal(b"jumps"))
    steps = [Copy(2, 0), Packed(0, len(FOXES[1]), parts), Copy(2, 2 + len(FOXES[0]))]
    old, new = (b"<<" + fox + b">>" for fox in FOXES)
    return write(steps, new, old, limits=LIMITS, packings=(PACKING,))


LZ4_FOXES = [PACKING_LZ4.pack(text) for text in (FOX, FOX + b"jumps")]


def packed_lz4():
    """The fourth one."""
    stream = Stored(2, len(LZ4_FOXES[0]), len(FOX), 0)
    parts = (Copy(len(FOX), Inside(stream, 0)), Literal(b"jumps"))
    steps = [Copy(2, 0), Packed(0, len(LZ4_FOXES[1]), parts), Copy(2, 2 + len(LZ4_FOXES[0]))]
    old, new = (b"<<" + fox + b">>" for fox in LZ4_FOXES)
    return write(steps, new, old, limits=LIMITS, packings=(PACKING_LZ4,))


EXAMPLES = [
    pytest.param(full, DUMPS[0], id="full"),
    pytest.param(delta, DUMPS[1], id="delta"),
    pytest.param(
        packed, DUMPS[2], id="packed", marks=pytest.mark.skipif(not SAME_ZLIB, reason="this zlib packs otherwise")
    ),
    pytest.param(
        packed_lz4, DUMPS[3], id="lz4", marks=pytest.mark.skipif(not SAME_LZ4, reason="this LZ4 packs otherwise")
    ),
]


@pytest.mark.parametrize(("build", "dump"), EXAMPLES)
def test_examples_of_the_specification_hold(build, dump):
    """Writer, applier and the independent decoder agree on every byte of every example."""
    made = build()

    assert made.data == dump
    assert apply(made) == made.new
    assert decode(dump, made.old or b"") == made.new


def test_specification_names_the_probe_text():
    """Length and sha256 of the text that every device packs."""
    text = probe_text()

    assert f"It has {len(text):,} bytes" in PAGE
    assert hashlib.sha256(text).hexdigest() in PAGE


def test_independent_decoder_refuses_too():
    """It is a judge, not a rubber stamp."""
    dump = bytearray(DUMPS[1])
    dump[-1] ^= 1

    with pytest.raises(Refused, match="span checksums"):
        decode(bytes(dump), COUNT)


@pytest.mark.parametrize(
    ("number", "data"), [(0, "00"), (127, "7f"), (128, "80 01"), (300, "ac 02"), (MAX_NUMBER, "ff ff ff ff ff ff 7f")]
)
def test_numbers_have_one_form(number, data):
    """LEB128, as the specification describes it."""
    assert pack([number, number]) == bytes.fromhex(data) * 2
    assert list(Numbers(memoryview(bytes.fromhex(data) * 2), "it").take(2)) == [number, number]


@given(strategies.lists(strategies.integers(0, MAX_NUMBER)))
def test_columns_by_planes_have_one_form(column):
    """First bytes first: each number takes what it takes elsewhere, and nothing is left."""
    packed = pack_planes(column)
    numbers = Numbers(memoryview(packed), "it")

    assert sorted(packed) == sorted(pack(column))
    assert list(numbers.take_planes(len(column))) == column
    numbers.require_end()


@pytest.mark.parametrize("data", ["", "80", "80 00", "ff ff ff ff ff ff ff 01"])
def test_columns_by_planes_that_no_writer_gives_are_refused(data):
    """Missing, cut, padded with zeros, too large."""
    with pytest.raises(MalformedPayload, match="it of the payload"):
        Numbers(memoryview(bytes.fromhex(data)), "it").take_planes(1)


@pytest.mark.parametrize(
    ("number", "folded"), [(0, 0), (-1, 1), (1, 2), (-2, 3), (2**47, 2**48), (-(2**47), 2**48 - 1)]
)
def test_signed_numbers_are_folded(number, folded):
    """Small distances, forward and back, stay small."""
    assert (fold(number), unfold(folded)) == (folded, number)


def test_terms_of_another_length_are_refused():
    """What a checkpoint carries has one length for each count of packings."""
    with pytest.raises(MalformedPayload, match="terms of a payload do not have 29 bytes"):
        Terms.decode(bytes(29))
