"""The applier: any image from any payload, however it arrives, and nothing from an old image that is not the one."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.delta.coding import Coding, Lzma, Prefix
from bridge.delta.steps import Add, Copy, Literal, Packed, Zero, whole_image
from bridge.release.delta.apply import ZEROS, Applier, Expected
from bridge.release.delta.errors import AlteredPayload, ForeignSource, ForeignZlib, MalformedPayload, OversizedPayload
from bridge.release.delta.memory import DEVICE_MEMORY
from bridge.release.errors import FailureCode
from tests.bridge.release.delta.payloads import PACKINGS, Memory, apply, image_of, works, write
from tests.independent_decoder import decode

OLD = random.Random(1).randbytes(20_000)
NEW = b"head" + OLD[7:12_000] + bytes(9000) + bytes(byte ^ 1 for byte in OLD[12_000:]) + b"tail"
STEPS = (
    Literal(b"head"),
    Copy(11_993, 7),
    Zero(9000),
    Add(bytes(((byte ^ 1) - byte) % 256 for byte in OLD[12_000:]), 12_000),
    Literal(b"tail"),
)
DELTA = write(STEPS, NEW, OLD)
FULL = write(whole_image(Memory(NEW), len(NEW)), NEW)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(works(), st.integers(1, 5000), st.booleans())
def test_any_delta_makes_the_new_image(work, size, against_old):
    """Whatever steps a maker takes, the device ends with the new image; so does the independent decoder."""
    steps, new, old, prefix = work
    made = write(steps, new, old, packings=PACKINGS, prefix=prefix if against_old else None)

    assert apply(made, size=size) == new
    assert decode(made.data, old) == new


@SLOW
@given(st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 12_000).map(bytes)), max_size=8).map(b"".join))
def test_any_image_travels_whole(new):
    """A full image is a payload that starts from nothing; the empty image is one too."""
    made = write(whole_image(Memory(new), len(new)), new)

    assert apply(made) == new
    assert decode(made.data, b"") == new


@given(st.lists(st.integers(0, len(DELTA.data)), max_size=20))
def test_any_chunking_gives_the_image(cuts):
    """The network cuts the stream anywhere, also into nothing."""
    applier = Applier(Memory(OLD), DELTA.expected)
    edges = [0, *sorted(cuts), len(DELTA.data)]
    pieces = [piece for a, b in pairwise(edges) for piece in applier.feed(DELTA.data[a:b])]
    applier.finish()

    assert b"".join(pieces) == NEW


@pytest.mark.parametrize("made", [DELTA, FULL], ids=["delta", "full"])
def test_byte_by_byte_gives_the_image(made):
    """The slowest link there is."""
    assert apply(made, size=1) == NEW


def test_pieces_stay_small():
    """No piece is larger than a span or the block of zeros, which is one object however often it is handed out."""
    made = write([Literal(b"x"), Zero(len(ZEROS) * 2 + 5)], new := b"x" + bytes(len(ZEROS) * 2 + 5))
    pieces = list(Applier(Memory(b""), made.expected).feed(made.data))

    assert b"".join(pieces) == new
    assert [len(piece) for piece in pieces] == [1, len(ZEROS), len(ZEROS), 5]
    assert pieces[1] is pieces[2] is ZEROS


def test_target_tells_how_far_the_image_is():
    """For progress bars: what was handed out so far."""
    applier = Applier(Memory(OLD), DELTA.expected)
    seen = [(applier.target, len(piece)) for piece in applier.feed(DELTA.data)]

    assert seen[-1][0] == applier.target == len(NEW)
    assert all(target >= length for target, length in seen)


@pytest.mark.parametrize("at", range(7, len(OLD), 1009))
def test_old_image_is_checked_before_it_is_used(at):
    """A slot that was modified in the field is refused where it differs, and no byte made from it is handed out."""
    spoilt = OLD[:at] + bytes([OLD[at] ^ 1]) + OLD[at + 1 :]
    applier = Applier(Memory(spoilt), DELTA.expected)
    written: list[bytes] = []

    with pytest.raises(ForeignSource, match=r"old slot holds other bytes.*modified; take the full artifact") as refusal:
        written.extend(applier.feed(DELTA.data))
    assert NEW.startswith(b"".join(written))
    assert refusal.value.code is FailureCode.SLOT_MISMATCH


def test_old_image_that_is_too_short_is_refused():
    """The slot was shrunk, or another one is read."""
    with pytest.raises(ForeignSource, match=r"the old slot ends at byte \d+, the delta reads up to \d+"):
        apply(DELTA, old=OLD[:10_000])


def test_dictionary_is_checked_before_it_is_used():
    """The extra stream may be coded against old bytes; where these differ, it would decode to anything."""
    new = OLD[100:4000] + b"!" + OLD[5000:9000]
    made = write([Literal(new)], new, OLD, prefix=Prefix(50, OLD[50:10_000]), coding=Coding(extra=(Lzma(),)))

    assert len(made.data) < 1000
    assert apply(made) == decode(made.data, OLD) == new
    with pytest.raises(ForeignSource, match="in the 9950 from byte 50 on"):
        apply(made, old=OLD[:9999] + b"?" + OLD[10_000:])


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (Expected(image_of(NEW + b"."), image_of(OLD)), r"makes an image of 2\d+ bytes .*, signed was 2\d+ bytes"),
        (Expected(image_of(NEW), image_of(NEW)), "starts from an image of 20000 bytes .*, signed was"),
        (Expected(image_of(NEW)), "starts from an image of 20000 bytes .*, signed was no image"),
    ],
    ids=["other image", "other old image", "full image expected"],
)
def test_payload_for_something_else_is_refused(expected, message):
    """What was signed decides; nothing is read or handed out before."""
    old = Memory(OLD)
    with pytest.raises(AlteredPayload, match=message):
        list(Applier(old, expected).feed(DELTA.data))
    assert old.reads == []


def test_payload_that_takes_too_much_memory_is_refused_at_once():
    """The header declares it; the device's own limit decides."""
    old = Memory(OLD)
    with pytest.raises(
        OversizedPayload, match=r"takes \d+ bytes of memory to apply, this device grants 1000"
    ) as refusal:
        list(Applier(old, DELTA.expected, memory=1000).feed(DELTA.data))
    assert (old.reads, refusal.value.code) == ([], FailureCode.TOO_LARGE)
    assert DELTA.header.terms.memory < DEVICE_MEMORY


def test_other_zlib_is_refused_before_the_first_write():
    """A zlib that packs otherwise cannot rebuild the image: the probe finds it."""
    foreign = replace(PACKINGS[0], probe=PACKINGS[0].probe ^ 1)
    made = write(STEPS, NEW, OLD, packings=(foreign,))
    old = Memory(OLD)

    with pytest.raises(ForeignZlib, match=r"zlib [\d.]+.* of this device packs otherwise at level 9.*full artifact"):
        list(Applier(old, made.expected).feed(made.data))
    assert old.reads == []


def test_stream_packed_to_its_own_length_is_packed():
    """The lengths before and after do not tell whether to pack."""
    raw, packed = next(
        (text, data)
        for text in (bytes(range(100)) + b"a" * at for at in range(60))
        if len(data := PACKINGS[0].pack(text)) == len(text)
    )
    made = write([Packed(0, len(packed), (Literal(raw),))], packed, OLD, packings=PACKINGS)

    assert apply(made) == decode(made.data, OLD) == packed


def test_image_may_be_left_to_the_consumer_to_check():
    """One that reads the slot back need not have it hashed twice."""
    signed = Expected(image_of(NEW), image_of(OLD))
    hashed = Applier(Memory(OLD), signed, check_image=False)
    list(hashed.feed(DELTA.data))
    hashed.finish()

    assert hashed.target == len(NEW)
    assert apply(DELTA, check_image=False) == NEW


def test_cut_payload_is_refused_at_the_end():
    """A stream that just stops."""
    applier = Applier(Memory(OLD), DELTA.expected)
    list(applier.feed(DELTA.data[:-1]))

    with pytest.raises(MalformedPayload, match=r"cut: it ends at byte \d+ of the image"):
        applier.finish()


def test_refused_payload_stays_refused():
    """Nothing that comes after a refusal makes an image of it."""
    applier = Applier(Memory(OLD), DELTA.expected)
    with pytest.raises(MalformedPayload):
        list(applier.feed(b"\0" * 200))

    with pytest.raises(MalformedPayload):
        applier.finish()
