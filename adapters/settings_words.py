"""What is wrong with somebody's settings, in words that name field, value and what would be right. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def in_words(error: str, settings: Mapping[str, object], shapes: Mapping[str, str]) -> str:
    """msgspec's `error` about `settings`, for people. `shapes`: by field, what a text that fits its pattern is."""
    what, _, path = error.partition(" - at `$.")
    field = path.rstrip("`")
    if not field:
        return what[:1].lower() + what[1:]
    wish = f"must be {shapes[field]}" if field in shapes and "regex" in what else what[:1].lower() + what[1:]
    return f"{field} is {settings.get(field)!r}: {wish}"
