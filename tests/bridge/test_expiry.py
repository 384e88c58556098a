"""Points in time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.errors import UsageError
from bridge.expiry import parse_expiry, parse_time

NOW = datetime(2026, 3, 1, 12, 30, 15, 999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        ("1d", datetime(2026, 3, 2, 12, 30, 15, tzinfo=UTC)),
        ("365d", datetime(2027, 3, 1, 12, 30, 15, tzinfo=UTC)),
        ("2030-01-31", datetime(2030, 1, 31, tzinfo=UTC)),
        ("2030-01-31T12:00:00Z", datetime(2030, 1, 31, 12, tzinfo=UTC)),
        ("2030-01-31T12:00:00+02:00", datetime(2030, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_days_dates_and_times_are_understood(text, expires):
    """In UTC and whole seconds, as TUF writes them."""
    seen = parse_expiry(text, NOW, "--expires")

    assert (expires, UTC) == (seen, seen.tzinfo)


@pytest.mark.parametrize("text", ["0d", "2026-03-01", "1999-01-01"])
def test_the_past_is_refused(text):
    """Nobody means a release that no device accepts."""
    with pytest.raises(UsageError, match=f"--expires {text}: that is not in the future"):
        parse_expiry(text, NOW, "--expires")


@pytest.mark.parametrize("text", ["", "soon", "1y", "-5d", "2030-02-30", "999999d", "9999d9"])
def test_what_is_no_time_is_refused(text):
    """With the three ways to write one."""
    with pytest.raises(UsageError, match="write 365d, 2030-01-31 or 2030-01-31T12:00:00Z"):
        parse_time(text, "--at")


@pytest.mark.parametrize("text", ["99999999d", "9999-12-31T23:59:59-01:00"])
def test_a_time_beyond_the_calendar_is_refused(text):
    """A sentence, not an overflow."""
    with pytest.raises(UsageError, match="--expires"):
        parse_expiry(text, NOW, "--expires")


def test_the_largest_number_of_days_stays_in_the_calendar():
    """Five digits: some 270 years."""
    assert parse_expiry("99999d", NOW, "--expires").year == 2299
