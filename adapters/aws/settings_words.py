"""What is wrong with a fleet's settings, in words that name field, value and what would be right. Pure."""

from __future__ import annotations

from collections.abc import Mapping

SHAPES: Mapping[str, str] = {
    "region": "a region, such as eu-central-1",
    "bucket": "a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes",
    "role_arn": "a role, such as arn:aws:iam::123456789012:role/otabridge-downloads",
    "prefix": "letters, digits, `/`, `_`, `.` and `-`, at most 128",
    "endpoint_url": "an http or https URL",
}


def in_words(error: str, settings: Mapping[str, object]) -> str:
    """msgspec's `error` about `settings`, for people."""
    what, _, path = error.partition(" - at `$.")
    field = path.rstrip("`")
    if not field:
        return what[:1].lower() + what[1:]
    wish = f"must be {SHAPES[field]}" if field in SHAPES and "regex" in what else what[:1].lower() + what[1:]
    return f"{field} is {settings.get(field)!r}: {wish}"
