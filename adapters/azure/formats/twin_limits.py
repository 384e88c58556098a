"""What IoT Hub takes as a patch of reported properties; it answers anything else with an error. Pure.

Source: "Understand and use device twins in IoT Hub" and the quotas of IoT Hub.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import islice

from adapters.violations import BrokenLimits, Violation
from bridge.release.details import one_line

MAX_STRING_BYTES = 4096
MAX_KEY_BYTES = 1024
MAX_DEPTH = 10
MAX_REPORTED = 32_768
"""Of all reported properties: characters of names and strings, 8 a number, 4 a boolean; none for `$version`."""
LEAST_INTEGER = -(2**52)
MOST_INTEGER = 2**52 - 1
MAX_DETAILS = 1000
"""Characters; four bytes each fit a string of a twin."""
MOST_VIOLATIONS = 10

Twin = Mapping[str, object]
_NO_PROPERTIES: Twin = {}


def check_twin_patch(patch: Twin, *, current: Twin = _NO_PROPERTIES) -> None:
    """Whether the hub takes `patch` where `current` is reported already.

    Raises: BrokenLimits, naming the path of each field, the first `MOST_VIOLATIONS` of them.
    """
    found = tuple(islice(_object(patch, "", 0), MOST_VIOLATIONS))
    if found:
        raise BrokenLimits(found)
    size = twin_size(_merge(current, patch))
    if size > MAX_REPORTED:
        limit = f"the limit of all reported properties is {MAX_REPORTED}"
        raise BrokenLimits((Violation("reported properties", f"{size} bytes with this patch", limit),))


def twin_size(properties: Twin) -> int:
    """What the hub counts for `properties`, without `$version` and `$metadata`."""
    size, left = 0, [value for value in properties.items() if not value[0].startswith("$")]
    while left:
        name, value = left.pop()
        size += len(name) + _leaf_size(value)
        if isinstance(value, Mapping):
            left.extend(value.items())
        elif isinstance(value, (list, tuple)):
            left.extend(("", element) for element in value)
    return size


def shorten(text: str) -> str:
    """`text` as `resultDetails` takes it: one line, at most `MAX_DETAILS` characters."""
    return one_line(text, MAX_DETAILS)


def _leaf_size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, bool):
        return 4
    return 8 if isinstance(value, (int, float)) else 0


def _merge(current: Twin, patch: Twin) -> Twin:
    """As the hub does: objects by member, null removes."""
    merged = dict(current)
    for name, value in patch.items():
        held = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = _merge(held if isinstance(held, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def _object(members: Twin, path: str, depth: int) -> Iterator[Violation]:
    for name, value in members.items():
        here = f"{path}.{one_line(str(name), 64)}".lstrip(".")
        limit = _broken_key(name)
        if limit is not None:
            yield Violation(here, ascii(name)[:80], limit)
        yield from _value(value, here, depth)


def _value(value: object, path: str, depth: int) -> Iterator[Violation]:
    if isinstance(value, (Mapping, list, tuple)):
        yield from _nested(value, path, depth)
        return
    limit = _broken_leaf(value)
    if limit is not None:
        yield Violation(path, _show(value), limit)


def _nested(value: Twin | list[object] | tuple[object, ...], path: str, depth: int) -> Iterator[Violation]:
    if depth >= MAX_DEPTH:
        yield Violation(path, f"{depth + 1} levels", f"the limit is {MAX_DEPTH} levels of objects")
    elif isinstance(value, Mapping):
        yield from _object(value, path, depth + 1)
    else:
        for index, element in enumerate(value):
            yield from _value(element, f"{path}[{index}]", depth + 1)


def _broken_key(name: object) -> str | None:
    if not isinstance(name, str) or not name:
        return "a property is named by text"
    if _bytes(name) > MAX_KEY_BYTES:
        return f"a name has at most {MAX_KEY_BYTES} bytes"
    if any(char in ".$ " or unicodedata.category(char) in {"Cc", "Cs"} for char in name):
        return "a name has no dots, dollars, spaces or control characters"
    return None


def _broken_leaf(value: object) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _broken_string(value)
    if isinstance(value, int):
        inside = LEAST_INTEGER <= value <= MOST_INTEGER
        return None if inside else f"an integer lies between {LEAST_INTEGER} and {MOST_INTEGER}"
    if isinstance(value, float):
        return None if math.isfinite(value) else "JSON has no such number"
    return f"JSON has no {type(value).__name__}"


def _broken_string(text: str) -> str | None:
    if any("\ud800" <= char <= "\udfff" for char in text):
        return "half of a surrogate pair is no text"
    size = _bytes(text)
    return None if size <= MAX_STRING_BYTES else f"{size} bytes; the limit of one string is {MAX_STRING_BYTES}"


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _show(value: object) -> str:
    """A few characters of it; an integer may have more digits than Python writes."""
    return ascii(value[:40]) if isinstance(value, str) else type(value).__name__
