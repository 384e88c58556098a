"""Reads the YAML of a rollout file into plain values, with the line of each.

YAML can be a trap: deep nesting, aliases that multiply, keys written twice, objects of Python. The document is bounded
while it is parsed, before anything is built from it. And what one reader takes for text, another takes for a number, a
date or a truth (YAML 1.1 and 1.2 differ): whatever is not read alike by all is refused, so that an editor, a reviewer
and otabridge see the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import yaml

from bridge.errors import UsageError
from bridge.rollout.mistake import Lines, Mistake, Step, Trail, shown, told

MAX_DEPTH = 8
MAX_ALIASES = 16
MAX_VALUES = 25_000
"""Twice the longest list of devices that a rollout may name, and some."""

_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,30}|(0|[1-9][0-9]{0,17})(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,3})?")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Document:
    """The plain values of a YAML document, and the line of each; None, and no lines, where it is empty."""

    value: object
    lines: Lines


def read_yaml(text: str, where: str) -> Document:
    """The one document in `text`; `where` is the file's name for messages.

    Raises:
        UsageError: it is no YAML, breaks a limit, or holds what readers of YAML do not read alike.
    """
    try:
        _require_bounds(text, where)
        return _build(text, where)
    except yaml.YAMLError as error:
        raise UsageError(_explain(error, text, where)) from error


def _require_bounds(text: str, where: str) -> None:
    """Events come from a parser that does not recurse, so that a deep document is refused before one that does."""
    depth = aliases = 0
    for count, event in enumerate(_events(text, where)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > MAX_DEPTH or aliases > MAX_ALIASES or count > MAX_VALUES:
            raise UsageError(f"{where}{_line(event.start_mark)}: {_limits()}")
        tag: object = getattr(event, "tag", None)
        if tag is not None:
            raise UsageError(f"{where}{_line(event.start_mark)}: tags such as {shown(tag)} are not taken; leave it out")


def _events(text: str, where: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{where}: not valid YAML: a number or an escape in it is out of range ({error})") from error


def _limits() -> str:
    return (
        f"nested deeper than {MAX_DEPTH} levels, or more than {MAX_ALIASES} aliases, or more than {MAX_VALUES} values; "
        "a rollout file needs none of these"
    )


class _Placed(Protocol):
    """A mark of PyYAML, whichever of its two parsers made it."""

    line: int


def _line(mark: _Placed | None) -> str:
    return "" if mark is None else f":{mark.line + 1}"


def _build(text: str, where: str) -> Document:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None, {})
        lines = _survey(node, where)
        return Document(loader.construct_document(node), lines)
    finally:
        loader.dispose()


def _survey(root: yaml.Node, where: str) -> Lines:
    """The line of each value. Raises: UsageError for what must not be built."""
    lines: dict[Trail, int] = {}
    mistakes: list[Mistake] = []
    for trail, node in _nodes(root, (), where):
        lines[trail] = node.start_mark.line + 1
        if len(lines) > MAX_VALUES:
            raise UsageError(f"{where}{_line(node.start_mark)}: {_limits()}")
        trap = _trap(node) if isinstance(node, yaml.ScalarNode) else ""
        mistakes += [Mistake(trail, trap)] if trap else []
    if mistakes:
        raise UsageError(told(mistakes, lines, where))
    return lines


def _nodes(node: yaml.Node, trail: Trail, where: str) -> Iterator[tuple[Trail, yaml.Node]]:
    """Aliases are followed, so the depth counts again here: an alias to its own parent has no end."""
    if len(trail) > MAX_DEPTH:
        raise UsageError(f"{where}{_line(node.start_mark)}: an alias nests deeper than {MAX_DEPTH} levels")
    yield trail, node
    for step, child in _children(node, where):
        yield from _nodes(child, (*trail, step), where)


def _children(node: yaml.Node, where: str) -> Iterator[tuple[Step, yaml.Node]]:
    if isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            yield _key(key, seen, where), value


def _key(node: yaml.Node, seen: set[str], where: str) -> str:
    """The key that `node` is, which is new to `seen`."""
    at = f"{where}{_line(node.start_mark)}"
    if not isinstance(node, yaml.ScalarNode):
        raise UsageError(f"{at}: a key must be a plain word")
    if node.tag == f"{_TAG}merge":
        raise UsageError(f"{at}: merging with << is not taken; write the fields out")
    if node.tag != f"{_TAG}str":
        raise UsageError(f"{at}: the key {node.value[:40]} is no text to every reader of YAML; put it in quotes")
    if _UNPRINTABLE.search(node.value):
        raise UsageError(f"{at}: a key {_unprintable(node.value)}")
    if node.value in seen:
        raise UsageError(f"{at}: {node.value[:40]} is given twice; keep one of them")
    seen.add(node.value)
    return str(node.value)


def _trap(node: yaml.ScalarNode) -> str:
    """Why a plain value must not be taken as it stands; empty where it may."""
    value, kind = str(node.value), node.tag.removeprefix(_TAG)
    if kind == "str":
        return _unprintable(value)
    if kind == "null" or (kind == "bool" and value.lower() in {"true", "false"}):
        return ""
    if kind in {"int", "float"} and _NUMBER.fullmatch(value):
        return ""
    return _doubt(kind, value[:40])


def _doubt(kind: str, value: str) -> str:
    if kind == "bool":
        truth = "true" if value.lower() in {"yes", "on", "y"} else "false"
        return f'some readers of YAML take {value} for {truth}; write {truth}, or "{value}" in quotes for text'
    if kind in {"int", "float"}:
        return f'readers of YAML differ on {value}; write a plain decimal number, or "{value}" in quotes for text'
    what = "a date" if kind == "timestamp" else "no text"
    return f'some readers of YAML take {value} for {what}; write "{value}" in quotes'


def _unprintable(text: str) -> str:
    found = _UNPRINTABLE.search(text)
    return f"holds a character that cannot be printed (U+{ord(found[0]):04X}); take it out" if found else ""


def _explain(error: yaml.YAMLError, text: str, where: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"{where}:{line}: not valid YAML: a character that it does not allow, number {error.position}"
    mark = getattr(error, "problem_mark", None)
    return f"{where}{_line(mark)}: not valid YAML: {getattr(error, 'problem', None) or error}"
