"""What Device Update demands of an import manifest, as a tree of rules. Pure.

Sources: the published JSON schemas of import manifests 4.0 and 5.0, and the page "Import schema and API information"
where the schemas say less: parts of a version, the sum of all sizes, names that must fit each other.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice

from adapters.violations import Violation
from bridge.release.details import one_line

MAX_MANIFEST_BYTES = 1 << 20
"""A bound of ours, generous: ten steps and ten files with their properties take a few KiB."""
MAX_FILE_BYTES = 2**31
MAX_UPDATE_BYTES = 2**31
"""All files of one import together (2 GB)."""
MAX_VERSION_PART = 2**31 - 1
VERSIONS = ("4.0", "5.0")
MOST_VIOLATIONS = 50

Rule = Callable[[str, object], Iterator[Violation]]
"""Gives what a value breaks; its field is named in full."""

_MISSING = "missing"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|\+00:00)", re.ASCII)


def violations(value: object) -> tuple[Violation, ...]:
    """The limits that the decoded JSON `value` breaks, `MOST_VIOLATIONS` at most; () when it should be taken."""
    if not isinstance(value, Mapping):
        return (Violation("import manifest", show(value), "must be an object"),)
    version = value.get("manifestVersion")
    rule = _ROOTS[version if version in VERSIONS else VERSIONS[-1]]
    return tuple(islice(rule("", value), MOST_VIOLATIONS)) or tuple(islice(_across(value), MOST_VIOLATIONS))


def show(value: object) -> str:
    """As much of `value` as helps a person; nothing that nests."""
    if value is None or isinstance(value, (str, bool, float)):
        return ascii(value[:60]) if isinstance(value, str) else str(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "a number of many digits"  # noqa: PLR2004 - a machine word
    return f"an object of {len(value)}" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _inside(field: str, name: str) -> str:
    """The path of a member, whose name may be anybody's."""
    return f"{field}.{one_line(name, 64)}".lstrip(".")


def _text(least: int, most: int, pattern: str = ".*", shape: str = "") -> Rule:
    def rule(field: str, value: object) -> Iterator[Violation]:
        if not isinstance(value, str):
            yield Violation(field, show(value), "must be text")
        elif not least <= len(value) <= most:
            yield Violation(field, show(value), f"must have {least} to {most} characters, has {len(value)}")
        elif not re.fullmatch(pattern, value, re.DOTALL | re.ASCII):
            yield Violation(field, show(value), f"must be {shape}")

    return rule


def _one_of(*words: str) -> Rule:
    def rule(field: str, value: object) -> Iterator[Violation]:
        if value not in words:
            yield Violation(field, show(value), f"must be {' or '.join(words)}")

    return rule


def _flag(field: str, value: object) -> Iterator[Violation]:
    if not isinstance(value, bool):
        yield Violation(field, show(value), "must be true or false")


def _size(field: str, value: object) -> Iterator[Violation]:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_FILE_BYTES:
        yield Violation(field, show(value), f"must be an integer from 1 to {MAX_FILE_BYTES}")


def _many(rule: Rule, least: int, most: int) -> Rule:
    def each(field: str, value: object) -> Iterator[Violation]:
        if not isinstance(value, list):
            yield Violation(field, show(value), "must be a list")
            return
        if not least <= len(value) <= most:
            yield Violation(field, f"{len(value)} elements", f"must hold {least} to {most}")
        for index, element in enumerate(value[:most]):
            yield from rule(f"{field}[{index}]", element)

    return each


def _pairs(least: int, most: int, name: Rule, content: Rule) -> Rule:
    """An object whose members have names of their owner's choice."""

    def rule(field: str, value: object) -> Iterator[Violation]:
        if not isinstance(value, Mapping):
            yield Violation(field, show(value), "must be an object")
            return
        if not least <= len(value) <= most:
            yield Violation(field, f"{len(value)} members", f"must hold {least} to {most}")
        for key, element in list(value.items())[:most]:
            yield from name(f"{field}: a name", key)
            yield from content(_inside(field, key), element)

    return rule


def _members(required: Mapping[str, Rule], optional: Mapping[str, Rule], *, others: bool = False) -> Rule:
    """An object with these members, and `others` where the schema lets them pass."""
    known = {**required, **optional}

    def rule(field: str, value: object) -> Iterator[Violation]:
        if not isinstance(value, Mapping):
            yield Violation(field, show(value), "must be an object")
            return
        for name in required:
            if name not in value:
                yield Violation(_inside(field, name), _MISSING, "is required")
        for name, element in value.items():
            here = _inside(field, name)
            if name in known:
                yield from known[name](here, element)
            elif not others:
                yield Violation(here, "unknown", f"there is {', '.join(known)}")

    return rule


def _version(field: str, value: object) -> Iterator[Violation]:
    yield from _text(3, 64, r"\d{1,20}(\.\d{1,20}){1,3}", "two to four numbers with dots")(field, value)
    parts = re.findall(r"\d{1,20}", value, re.ASCII) if isinstance(value, str) else []
    if any(int(part) > MAX_VERSION_PART for part in parts):
        yield Violation(field, show(value), f"no part may exceed {MAX_VERSION_PART}")


def _time(field: str, value: object) -> Iterator[Violation]:
    try:
        matches = isinstance(value, str) and _TIME.fullmatch(value)
        good = bool(matches) and datetime.fromisoformat(str(value)).utcoffset() == timedelta(0)
    except ValueError:
        good = False
    if not good:
        yield Violation(field, show(value), "must be UTC as YYYY-MM-DDThh:mm:ssZ")


def _digest(field: str, value: object) -> Iterator[Violation]:
    try:
        length = len(base64.b64decode(value, validate=True)) if isinstance(value, str) else 0
    except ValueError:
        length = 0
    if length != 32:  # noqa: PLR2004 - bytes of a SHA-256
        yield Violation(field, show(value), "must be a SHA-256 in standard base64")


def _hashes(field: str, value: object) -> Iterator[Violation]:
    yield from _pairs(1, 2, _text(1, 10), _text(1, 256))(field, value)
    if not isinstance(value, Mapping):
        return
    if "sha256" not in value:
        yield Violation(f"{field}.sha256", _MISSING, "is required")
    else:
        yield from _digest(f"{field}.sha256", value["sha256"])


def _step(field: str, value: object) -> Iterator[Violation]:
    reference = isinstance(value, Mapping) and value.get("type") == "reference"
    return (_REFERENCE if reference else _INLINE)(field, value)


def _file_list(file: Rule) -> Rule:
    """Null is as good as none: the schema's text says so, its type does not."""

    def rule(field: str, value: object) -> Iterator[Violation]:
        return iter(()) if value is None else _many(file, 0, 10)(field, value)

    return rule


_WORD = _text(1, 64, r"[a-zA-Z0-9.-]+", "letters, digits, dots and dashes")
_HANDLER = _text(5, 32, r"\S+/\S+:\d{1,5}", "a handler such as otabridge/release:1")
_FILENAME = _text(1, 255)
_ID = _members({"provider": _WORD, "name": _WORD, "version": _version}, {})
_INLINE = _members(
    {"handler": _HANDLER, "files": _many(_FILENAME, 1, 10)},
    {"type": _one_of("inline"), "description": _text(1, 64), "handlerProperties": _members({}, {}, others=True)},
)
_REFERENCE = _members({"type": _one_of("reference"), "updateId": _ID}, {"description": _text(1, 64)})
_CONTENT: Mapping[str, Rule] = {"filename": _FILENAME, "sizeInBytes": _size, "hashes": _hashes}
_PROPERTIES: Mapping[str, Rule] = {"properties": _members({}, {}, others=True)}
_RELATED = _members(
    _CONTENT, {"properties": _pairs(0, 5, _text(1, 64, r"[\x20-\x7e]*", "ASCII"), _text(0, 256))}, others=True
)
_FILES: Mapping[str, Rule] = {
    "4.0": _members(_CONTENT, {}),
    "5.0": _members(
        _CONTENT,
        {
            **_PROPERTIES,
            "relatedFiles": _many(_RELATED, 0, 4),
            "downloadHandler": _members({"id": _HANDLER}, {}, others=True),
        },
        others=True,
    ),
}


def _root(version: str) -> Rule:
    required = {
        "manifestVersion": _one_of(*VERSIONS),
        "updateId": _ID,
        "compatibility": _many(_pairs(1, 5, _text(1, 32), _text(1, 64)), 1, 10),
        "instructions": _members({"steps": _many(_step, 1, 10)}, {}),
        "createdDateTime": _time,
    }
    optional = {
        "$schema": _text(0, 2048),
        "description": _text(1, 512),
        "isDeployable": _flag,
        "files": _file_list(_FILES[version]),
    }
    return _members(required, optional, others=True)


_ROOTS = {version: _root(version) for version in VERSIONS}


def _across(value: Mapping[str, object]) -> Iterator[Violation]:
    """What members must fit each other; all have their types already."""
    files = _listed(value, "files")
    steps = _listed(value["instructions"], "steps")
    yield from _names(files, steps)
    yield from _sizes(files)
    for index, file in enumerate(files):
        if _listed(file, "relatedFiles") and not file.get("downloadHandler"):
            yield Violation(f"files[{index}].downloadHandler", _MISSING, "related files need one")


def _listed(value: object, name: str) -> list[Mapping[str, object]]:
    members = value.get(name) if isinstance(value, Mapping) else None
    return [each for each in members if isinstance(each, Mapping)] if isinstance(members, list) else []


def _names(files: list[Mapping[str, object]], steps: list[Mapping[str, object]]) -> Iterator[Violation]:
    known = [
        str(file["filename"]) for file in [*files, *(each for file in files for each in _listed(file, "relatedFiles"))]
    ]
    for name in sorted({name for name in known if known.count(name) > 1}):
        yield Violation("files", show(name), "is named more than once")
    for index, step in enumerate(steps):
        yield from _step_names(
            f"instructions.steps[{index}].files", step.get("files"), {str(file["filename"]) for file in files}
        )


def _step_names(field: str, names: object, known: set[str]) -> Iterator[Violation]:
    seen: set[str] = set()
    for name in map(str, names) if isinstance(names, list) else ():
        if name not in known:
            yield Violation(field, show(name), "is not among the files of the manifest")
        if name in seen:
            yield Violation(field, show(name), "is named more than once")
        seen.add(name)


def _sizes(files: list[Mapping[str, object]]) -> Iterator[Violation]:
    every = [*files, *(related for file in files for related in _listed(file, "relatedFiles"))]
    total = sum(size for file in every if isinstance(size := file["sizeInBytes"], int))
    if total > MAX_UPDATE_BYTES:
        yield Violation("files", f"{total} bytes together", f"one import takes {MAX_UPDATE_BYTES} at most")
