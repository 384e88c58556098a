"""Spans of time: as people write them, and as they are told."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rollout.duration import Duration, PositiveDuration, in_words, span

UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("24h", 86400),
        ("1d12h", 129_600),
        ("2w", 1_209_600),
        ("0s", 0),
        ("1w1d1h1m1s", 694_861),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text, seconds):
    """Weeks, days, hours, minutes, seconds."""
    assert span(msgspec.convert(text, Duration)) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1.5h", "1h1d", "1h1h", "1 h", "1h\n", "1H", "٣h", "999999999s"])
def test_anything_else_is_no_duration(text):
    """A unit always; largest first; whole ASCII numbers that a calendar can add."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Duration)


@pytest.mark.parametrize("text", ["0s", "0h", "0d00m", "", "5"])
def test_nothing_is_no_positive_duration(text):
    """Where a span of nothing would mean never, or always."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, PositiveDuration)


@given(st.dictionaries(st.sampled_from("wdhms"), st.integers(0, 9999), min_size=1))
def test_every_span_is_told_by_its_units(parts):
    """In whatever order the numbers were thought of."""
    text = "".join(f"{parts[unit]}{unit}" for unit in UNITS if unit in parts)

    assert span(msgspec.convert(text, Duration)) == timedelta(
        seconds=sum(UNITS[unit] * number for unit, number in parts.items())
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (45, "45 s"),
        (90, "1 min 30 s"),
        (129_600, "1 d 12 h"),
        (90_061, "1 d 1 h"),
        (3600, "1 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds, words):
    """Short enough for a line of a table."""
    assert in_words(timedelta(seconds=seconds)) == words
