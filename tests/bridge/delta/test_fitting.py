"""Payloads fit the devices: whatever a frame takes too much is made of smaller frames."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bridge.delta.coding import Coding, Lzma, Prefix
from bridge.delta.cutting import Limits, cut_frames, cut_spans
from bridge.delta.fitting import LEAST_MEMORY, Fitting, coding_for, halves, limits_for
from bridge.delta.steps import Add, Literal
from bridge.errors import UsageError
from bridge.release.delta.memory import DEVICE_MEMORY, MEBIBYTE, needed

OLD = random.Random(1).randbytes(300_000)
CODING = Coding((Lzma(),), (Lzma(),), (Lzma(),))
LIMITS = replace(Limits(), span=4096)


def spans():
    """Many spans that do not compress."""
    steps = [
        step for at in range(0, 300_000, 1000) for step in (Add(OLD[at : at + 900], at), Literal(OLD[at : at + 9]))
    ]
    return list(cut_spans(steps, LIMITS, len(OLD)))


def needs(fitting):
    """What each of its frames takes."""
    return [needed(frame.head) for frame in fitting.frames(spans())]


def test_frames_are_halved_until_they_fit():
    """One frame where there is room; else as many as it takes, none of them too large."""
    (whole,) = needs(Fitting(LIMITS, DEVICE_MEMORY, CODING))
    halved = needs(Fitting(LIMITS, whole - 100_000, CODING))

    assert len(halved) > 1
    assert max(halved) <= whole - 100_000


def test_halves_lose_nothing():
    """Spans and streams are divided alike."""
    (frame,) = cut_frames(spans(), LIMITS)
    first, second = halves(frame)

    assert (*first.spans, *second.spans) == frame.spans
    assert (first.diff + second.diff, first.extra + second.extra) == (frame.diff, frame.extra)
    assert len(first.diff) == sum(span.diff for span in first.spans)


def test_what_never_fits_is_refused():
    """A single span that takes more than there is."""
    with pytest.raises(UsageError, match=r"no payload takes less than \d+ bytes of memory here, 1000 are granted"):
        needs(Fitting(LIMITS, 1000, CODING))


def test_dictionary_is_given_up_where_it_does_not_fit():
    """Old bytes serve as a dictionary only where the device has room for them."""
    prefix = Prefix(0, OLD)
    steps = [Literal(OLD[:2000])]
    with_room, without = (
        [frame.head for frame in Fitting(LIMITS, granted, CODING, prefix).frames(cut_spans(steps, LIMITS, len(OLD)))]
        for granted in (DEVICE_MEMORY, needed_without(steps))
    )

    assert with_room[0].dictionary is not None
    assert without[0].dictionary is None


def needed_without(steps):
    """Bytes that `steps` take without a dictionary."""
    (frame,) = Fitting(LIMITS, DEVICE_MEMORY, CODING).frames(cut_spans(steps, LIMITS, len(OLD)))
    return needed(frame.head)


@pytest.mark.parametrize("granted", [LEAST_MEMORY, 32 * MEBIBYTE, 48 * MEBIBYTE, DEVICE_MEMORY, 2 * DEVICE_MEMORY])
def test_smaller_devices_get_smaller_limits(granted):
    """In proportion; more than the usual memory changes nothing."""
    limits, coding = limits_for(granted), coding_for(granted, Coding())
    share = min(1, granted / DEVICE_MEMORY)

    assert limits.span == int(Limits().span * share)
    assert share / 2 < 2.0 ** (coding.dictionary_log - Coding().dictionary_log) <= share


def test_too_small_devices_are_refused():
    """There is a least that every decoder takes."""
    with pytest.raises(UsageError, match="devices that grant 1000 bytes; 25165824 is the least"):
        limits_for(1000)
