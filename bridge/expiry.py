"""Points in time as people write them: `365d` from now, a date, or a time with its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from bridge.errors import UsageError

_DAYS = re.compile(r"([0-9]{1,5})d")


def parse_expiry(text: str, now: datetime, option: str) -> datetime:
    """The time (UTC, whole seconds) that `text` names, which must lie after `now`. Raises: UsageError."""
    days = _DAYS.fullmatch(text)
    expires = now + timedelta(days=int(days[1])) if days else parse_time(text, option)
    if expires <= now:
        raise UsageError(f"{option} {text}: that is not in the future")
    return expires.replace(microsecond=0)


def parse_time(text: str, option: str) -> datetime:
    """The time (UTC) that `text` names: `2030-01-31` (at midnight) or `2030-01-31T12:00:00Z`. Raises: UsageError."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{option} {text!r}: write 365d, 2030-01-31 or 2030-01-31T12:00:00Z") from error
