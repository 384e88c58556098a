"""After a cut the applier goes on at the last span that is safe, and fetches no more than one frame again."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.delta.steps import Add, Copy, Literal, Zero
from bridge.release.delta.apply import Applier
from bridge.release.delta.checkpoint import START, Checkpoint, pack_terms
from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.header import Terms
from bridge.release.image import MAX_IMAGE_BYTES
from tests.bridge.release.delta.payloads import PACKINGS, Memory, apply, apply_in_steps, works, write

SEED = random.Random(5)
OLD = SEED.randbytes(60_000)


def long_work():
    """A delta of many frames and spans, in all kinds of steps."""
    steps, new = [], b""
    for _ in range(60):
        at, length = SEED.randrange(40_000), SEED.randrange(1, 4000)
        diff = b"".join(SEED.choice((bytes(30), SEED.randbytes(30))) for _ in range(0, length, 30))[:length]
        added = bytes((a + b) % 256 for a, b in zip(OLD[at : at + length], diff, strict=True))
        steps += [Add(diff, at), Literal(OLD[:99]), Zero(700), Copy(length, at)]
        new += added + OLD[:99] + bytes(700) + OLD[at : at + length]
    return write(steps, new, OLD)


LONG = long_work()


def test_every_checkpoint_leads_to_the_same_image():
    """What was written before it and what comes after it are the image, byte for byte."""
    seen = dict(apply_in_steps(LONG))

    assert len({point.frame for point in seen}) > 20
    for point, safe in seen.items():
        assert point.target <= safe
        assert LONG.new[: point.target] + apply(LONG, start=point) == LONG.new


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(works(), st.randoms(use_true_random=False))
def test_any_delta_goes_on_at_any_checkpoint(work, chance):
    """Also with unpacked windows and dictionaries, and over several cuts."""
    steps, new, old, prefix = work
    made = write(steps, new, old, packings=PACKINGS, prefix=prefix)
    point = chance.choice(apply_in_steps(made))[0]
    later = chance.choice(apply_in_steps(made, start=point))[0]

    assert new[: later.target] + apply(made, start=later) == new


def test_a_hundred_cuts_cost_a_frame_each_at_most():
    """The link drops a hundred times at random places: no byte of image is written twice, and what is fetched twice is
    less than the frame that was cut."""
    chance, image, fetched, point = random.Random(2), bytearray(), 0, START
    largest = max(b - a for a, b in frames_of(LONG))
    for _ in range(100):
        applier = Applier(Memory(OLD), LONG.expected, start=point)
        rest = LONG.data[point.payload :][: chance.randrange(1, 2 * largest)]
        del image[point.target :]
        for piece in applier.feed(rest):
            image += piece
        fetched += len(rest)
        again = point.payload + len(rest) - applier.checkpoint.payload
        assert again <= largest
        point = applier.checkpoint
    assert bytes(image[: point.target]) + apply(LONG, start=point) == LONG.new


def frames_of(made):
    """First byte and end of each frame in the payload."""
    starts = sorted({point.payload for point, _ in apply_in_steps(made, size=17) if point != START})
    return list(zip(starts, [*starts[1:], len(made.data)], strict=True))


def test_finished_spans_are_not_read_again():
    """The part of a frame that is already in the slot is decoded and dropped; the old image is left alone."""
    point = next(p for p, _ in apply_in_steps(LONG, size=17) if p.span > 1)
    old = Memory(OLD)
    applier = Applier(old, LONG.expected, start=point)
    pieces = [
        piece for at in range(point.payload, len(LONG.data), 10) for piece in applier.feed(LONG.data[at : at + 10])
    ]

    assert b"".join(pieces) == LONG.new[point.target :]
    assert sum(length for _, length in old.reads) <= len(LONG.new) - point.target


def test_checkpoint_promises_no_piece_that_is_still_in_hand():
    """It moves on when the consumer comes back, who has then written the piece."""
    applier = Applier(Memory(OLD), LONG.expected)
    written = 0
    for piece in applier.feed(LONG.data):
        assert applier.checkpoint.target <= written
        written += len(piece)

    assert applier.checkpoint.target == written


def test_checkpoint_at_the_end_needs_nothing_more():
    """All frames were applied, but the device had no time to say so."""
    applier = Applier(Memory(OLD), LONG.expected)
    list(applier.feed(LONG.data))
    last = Applier(Memory(OLD), LONG.expected, start=applier.checkpoint)
    last.finish()

    assert applier.checkpoint.payload == len(LONG.data)
    assert last.target == len(LONG.new)


def test_largest_checkpoint_fits_a_journal():
    """At most 200 bytes of JSON, and it comes back as it was."""
    top = 2**32 - 1
    terms = Terms(MAX_IMAGE_BYTES, MAX_IMAGE_BYTES, top, 1 << 20, top, (PACKINGS * 2)[:4])
    point = Checkpoint(MAX_IMAGE_BYTES, MAX_IMAGE_BYTES, 1 << 20, 1 << 20, pack_terms(terms))
    text = msgspec.json.encode(point)

    assert len(text) <= 200
    assert msgspec.json.decode(text, type=Checkpoint) == point
    assert point.unpack_terms() == terms


def test_other_payload_behind_a_checkpoint_is_refused():
    """The artifact was replaced between two requests: its frames do not match the ones before."""
    other = write([Literal(OLD[:9000]), Copy(51_000, 9000)], OLD, OLD)
    point = apply_in_steps(LONG)[-1][0]
    forged = msgspec.structs.replace(point, payload=len(LONG.header.encode()), frame=0, target=0)

    with pytest.raises(MalformedPayload, match="frame 0 of the payload does not match its checksum"):
        list(Applier(Memory(OLD), LONG.expected, start=forged).feed(other.data[forged.payload :]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"terms": "?"}, "terms that are no base64"),
        ({"terms": "AAAA"}, "do not have 3 bytes"),
        ({"target": MAX_IMAGE_BYTES}, "lies at byte 1099511627776"),
        ({"frame": 1 << 20}, "in frame 1048576"),
        ({"span": 10_000}, r"a frame makes \d+ bytes, \d+ of them done"),
        ({"target": 1, "span": 2}, r"a frame makes \d+ bytes, \d+ of them done"),
    ],
)
def test_spoilt_checkpoint_is_refused(changes, message):
    """A journal that was damaged leads to a refusal, not into the wrong place of a slot."""
    point = next(p for p, _ in apply_in_steps(LONG, size=17) if p.span > 1)
    spoilt = msgspec.structs.replace(point, **changes)

    with pytest.raises(MalformedPayload, match=message):
        list(Applier(Memory(OLD), LONG.expected, start=spoilt).feed(LONG.data[point.payload :]))
