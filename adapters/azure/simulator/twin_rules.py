"""What a twin may hold: keys, values, depth and size (IoT Hub developer guide, device twins). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from adapters.azure.simulator.hub_errors import HubError, Refusal, invalid

MAX_STRING_BYTES = 4096
MAX_KEY_BYTES = 1024
MAX_DEPTH = 10
MAX_INTEGER = 2**52 - 1
_NUMBER_SIZE = 8
_BOOLEAN_SIZE = 4
_FORBIDDEN = frozenset(".$ ")
_C0_END = 0x20
_C1 = range(0x7F, 0xA0)


class Part(StrEnum):
    """The parts of a twin that hold members."""

    TAGS = "tags"
    DESIRED = "desired"
    REPORTED = "reported"


MAX_SIZES: Mapping[Part, int] = {Part.TAGS: 8 * 1024, Part.DESIRED: 32 * 1024, Part.REPORTED: 32 * 1024}


def check_patch(part: Part, patch: Mapping[str, object]) -> None:
    """Whether every key and value of a patch is one that a twin takes.

    Raises:
        HubError: ARGUMENT_INVALID, with the path of what is not.
    """
    for path, value in _walk(str(part), patch, 1):
        _check_value(path, value)


def check_size(part: Part, values: Mapping[str, object]) -> None:
    """Whether a whole part fits: 8 KiB of tags, 32 KiB of properties.

    Raises:
        HubError: TOO_LARGE.
    """
    size, limit = size_of(values), MAX_SIZES[part]
    if size > limit:
        raise HubError(Refusal.TOO_LARGE, f"{part} would take {size} bytes; the limit is {limit}")


def size_of(value: object) -> int:
    """How the hub counts: characters of keys and strings without control characters, 8 a number, 4 a boolean."""
    if isinstance(value, Mapping):
        return sum(_characters(key) + size_of(each) for key, each in value.items())
    if isinstance(value, list):
        return sum(size_of(each) for each in value)
    if isinstance(value, str):
        return _characters(value)
    if isinstance(value, bool):
        return _BOOLEAN_SIZE
    return 0 if value is None else _NUMBER_SIZE


def _walk(path: str, value: object, depth: int) -> Iterator[tuple[str, object]]:
    """Every value below, after its key was checked."""
    yield path, value
    if isinstance(value, Mapping | list) and depth > MAX_DEPTH + 1:
        raise invalid(f"{path} is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        for key, each in value.items():
            _check_key(path, key)
            yield from _walk(f"{path}.{key}", each, depth + 1)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _walk(f"{path}[{index}]", each, depth + 1)


def _check_key(path: str, key: str) -> None:
    if not key or len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise invalid(f"{path}: a key has 1 to {MAX_KEY_BYTES} bytes, not {len(key)} characters")
    if any(each in _FORBIDDEN or _is_control(each) for each in key):
        raise invalid(f"{path}: the key {key!r} holds a control character, '.', '$' or a space")


def _check_value(path: str, value: object) -> None:
    if isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) > MAX_STRING_BYTES:
        raise invalid(f"{path}: a string has at most {MAX_STRING_BYTES} bytes")
    if isinstance(value, int) and not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
        raise invalid(f"{path}: an integer lies between -{MAX_INTEGER + 1} and {MAX_INTEGER}")


def _characters(text: str) -> int:
    return sum(not _is_control(each) for each in text)


def _is_control(character: str) -> bool:
    return ord(character) < _C0_END or ord(character) in _C1
