"""Payloads from someone who means harm: refused with a clear text, in bounded memory, never a wrong image."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.delta.coding import Coding, Prefix, code_frame
from bridge.delta.container import Pair, Task, prove
from bridge.delta.cutting import Limits, cut_frames, cut_spans
from bridge.delta.steps import Add, Copy, Inside, Literal, Packed, Stored, Zero
from bridge.release.delta.errors import MalformedPayload
from bridge.release.errors import ReleaseError
from tests.bridge.release.delta.payloads import PACKINGS, Memory, apply, forge, image_of, resealed, write

TEXT = b"a release that deltas well " * 40
STORED = PACKINGS[0].pack(TEXT)
STORED_LZ4 = PACKINGS[2].pack(TEXT[1:])
OLD = random.Random(3).randbytes(300) + STORED + bytes(50) + STORED_LZ4
STREAM = Stored(300, len(STORED), len(TEXT), 0)
BLOCK = Stored(350 + len(STORED), len(STORED_LZ4), len(TEXT) - 1, 2)
RAW = TEXT[:500] + b"!" + TEXT[500:]
PACKED = PACKINGS[0].pack(RAW)
PACKED_LZ4 = PACKINGS[2].pack(TEXT[100:900] + b"?")
NEW = OLD[:290] + bytes(20) + PACKED + PACKED_LZ4 + b"new" + bytes(byte ^ 3 for byte in OLD[:100])
STEPS = (
    Copy(290, 0),
    Zero(20),
    Packed(0, len(PACKED), (Copy(500, Inside(STREAM, 0)), Literal(b"!"), Copy(len(TEXT) - 500, Inside(STREAM, 500)))),
    Packed(2, len(PACKED_LZ4), (Copy(800, Inside(BLOCK, 99)), Literal(b"?"))),
    Literal(b"new"),
    Add(bytes(((byte ^ 3) - byte) % 256 for byte in OLD[:100]), 0),
)
MADE = write(STEPS, NEW, OLD, packings=PACKINGS)
MIXED = write(
    [Literal(OLD[5:200] + b"?"), *STEPS], OLD[5:200] + b"?" + NEW, OLD, packings=PACKINGS, prefix=Prefix(0, OLD)
)
PLAIN = Coding(control=(), diff=(), extra=())
MILD = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def outcome(made, data):
    """The image that `data`, taken for the payload of `made`, gives; None when it is refused with a text."""
    try:
        return apply(replace(made, data=data))
    except ReleaseError as refusal:
        text = str(refusal)
    assert 20 < len(text) <= 600
    return None


def test_sound_payloads_pass_where_the_others_do_not():
    """The refusals below are not for want of a way through."""
    sound = forge([code_frame(FORGEABLE, PLAIN)], NEW, OLD, packings=PACKINGS)

    assert [outcome(made, made.data) for made in (MADE, MIXED, sound)] == [NEW, MIXED.new, NEW]


@pytest.mark.parametrize("made", [MADE, MIXED], ids=["delta", "with dictionary"])
@pytest.mark.parametrize("flip", [1, 128, 255])
def test_every_flipped_byte_is_refused_or_harmless(made, flip):
    """Whatever byte is damaged: the right image or none."""
    for at in range(len(made.data)):
        data = made.data[:at] + bytes([made.data[at] ^ flip]) + made.data[at + 1 :]
        assert outcome(made, data) in (None, made.new)


@pytest.mark.parametrize("made", [MADE, MIXED], ids=["delta", "with dictionary"])
def test_every_cut_is_refused(made):
    """A payload that stops anywhere gives no image."""
    assert [outcome(made, made.data[:end]) for end in range(len(made.data))] == [None] * len(made.data)


def test_forged_header_is_refused_or_harmless():
    """Also where its checksum was made to fit: the device believes no field."""
    for at in range(4, 94 + 9 * len(PACKINGS)):
        for value in (0, 1, 127, 255):
            data = MADE.data[:at] + bytes([value]) + MADE.data[at + 1 :]
            if data[5] == MADE.data[5]:
                assert outcome(MADE, resealed(data)) in (None, NEW)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({0: b"zstd"}, "this is no payload: it begins with 7a 73 74 64"),
        ({4: b"\2"}, "version 2, this program reads 1: update the agent first"),
        ({5: b"\5"}, "declares 5 ways of packing, 4 are possible"),
        ({6: b"\0" * 8}, "names an old image without bytes"),
        ({14: b"\0\0\0\0\0\1\0\1"}, "an image outside the limit of its length"),
        ({54: b"\0" * 32}, "makes an image of .*, signed was"),
        ({86: b"\xff" * 4}, "takes 4294967295 bytes of memory to apply, this device grants 67108864"),
        ({86: b"\0" * 4}, r"frame 0 of the payload takes \d+ bytes of memory to apply, its header declares 0"),
        ({90: b"\xff" * 4}, "4294967295 frames outside the limit"),
        ({90: b"\0" * 4}, r"the frames make 0 bytes, the header declares \d+"),
        ({90: b"\2"}, r"cut: it ends at byte \d+ of the image"),
        ({94: b"\7"}, "packs in a way that does not exist"),
        ({94: b"\2"}, "packs in a way that does not exist"),
        ({95: b"\x0a"}, "packs in a way that does not exist"),
        ({96: b"\0"}, "packs in a way that does not exist"),
    ],
)
def test_forged_header_tells_what_is_wrong(changes, message):
    """Each limit of the header, with a checksum that holds."""
    data = bytearray(MADE.data)
    for at, value in changes.items():
        data[at : at + len(value)] = value
    with pytest.raises(ReleaseError, match=message):
        apply(replace(MADE, data=resealed(bytes(data)) if data[5] == len(PACKINGS) else bytes(data)))


@MILD
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 255)), min_size=1, max_size=4))
def test_forged_columns_never_make_another_image(changes):
    """Any change of the operations, with checksums of the head that hold: the right image or a refusal."""
    frame = code_frame(FORGEABLE, PLAIN)
    size = frame.head.control.stored
    body = bytearray(frame.body)
    for at, value in changes:
        body[at % size] = value
    made = forge([replace(frame, body=bytes(body))], NEW, OLD, packings=PACKINGS)

    assert outcome(made, made.data) in (None, NEW)


@MILD
@given(st.binary(max_size=400), st.integers(0, 250))
def test_noise_is_refused(noise, start):
    """Bytes of any kind after a start that is sound."""
    assert outcome(MADE, MADE.data[:start] + noise) in (None, NEW)


def plain_frame(steps, new):
    """The one frame of `steps`, proved but not coded."""
    limits = Limits(span=4096, window=16384)
    task = Task(image_of(new), image_of(OLD), PACKINGS)
    spans = prove(cut_spans(steps, limits, len(OLD)), task, Pair(Memory(new), Memory(OLD)))
    return next(cut_frames(spans, limits))


FORGEABLE = plain_frame(STEPS, NEW)


def test_bytes_after_the_last_frame_are_refused():
    """A payload ends where it ends."""
    with pytest.raises(MalformedPayload, match="goes on after its last frame"):
        apply(replace(MADE, data=MADE.data + b"\0"))
