"""Reads `rollout.yaml`: a small YAML document from outside, held against the model, every error with its line.

YAML can be a trap: deep nesting, aliases that multiply, keys written twice, objects of Python. The document is bounded
while it is parsed, before anything is built from it; only YAML's plain types exist here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import msgspec
import yaml

from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.rollout import Rollout

MAX_FILE_BYTES = 64 * 1024
MAX_DEPTH = 8
MAX_ALIASES = 16

Step = str | int
"""A key of a mapping, or an index of a sequence."""
Lines = Mapping[tuple[Step, ...], int]
"""The line (from 1) of each value, by the path that leads to it."""

_PATH = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)


def read_rollout(path: Path, fleets: Collection[str]) -> Rollout:
    """The rollout that the file at `path` asks for; `fleets` are the names in the configuration.

    Raises:
        UsageError: it cannot be read, is no YAML, breaks a limit, or asks for something impossible; names file, line,
            field and what would be right.
    """
    return parse_rollout(_read(path), str(path), fleets)


def parse_rollout(text: str, where: str, fleets: Collection[str]) -> Rollout:
    """As `read_rollout`, from `text`; `where` is the file's name for messages. Raises: UsageError."""
    try:
        _require_bounds(text, where)
        return _build(text, where, fleets)
    except yaml.YAMLError as error:
        raise UsageError(_explain_yaml(error, where)) from error


def _read(path: Path) -> str:
    data = read_bounded(path, MAX_FILE_BYTES, "rollout file")
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{path}: larger than {MAX_FILE_BYTES} bytes; a rollout file is a page of text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text at byte {error.start}") from error


def _require_bounds(text: str, where: str) -> None:
    """Events come from a parser that does not recurse, so that a deep document is refused before one that does."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > MAX_DEPTH or aliases > MAX_ALIASES:
            line = "" if event.start_mark is None else f":{event.start_mark.line + 1}"
            raise UsageError(
                f"{where}{line}: nested deeper than {MAX_DEPTH} levels, or more than {MAX_ALIASES} aliases"
            )


def _build(text: str, where: str, fleets: Collection[str]) -> Rollout:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise UsageError(f"{where}: the file is empty; see docs/reference/rollout-file.md for an example")
        lines = dict(_lines(node, (), where, 0))
        document: object = loader.construct_document(node)
    finally:
        loader.dispose()
    rollout = _convert(document, lines, where)
    _check_stages(rollout, lines, where)
    _check_fleets(rollout, lines, where, fleets)
    return rollout


def _lines(node: yaml.Node, path: tuple[Step, ...], where: str, depth: int) -> Iterator[tuple[tuple[Step, ...], int]]:
    """Aliases are followed, so the depth counts again here: an alias to its own parent has no end."""
    if depth > MAX_DEPTH:
        raise UsageError(f"{where}:{node.start_mark.line + 1}: an alias nests deeper than {MAX_DEPTH} levels")
    yield path, node.start_mark.line + 1
    for step, child in _children(node, where):
        yield from _lines(child, (*path, step), where, depth + 1)


def _children(node: yaml.Node, where: str) -> Iterator[tuple[Step, yaml.Node]]:
    if isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise UsageError(f"{where}:{key.start_mark.line + 1}: a key must be a plain word")
            if key.value in seen:
                raise UsageError(f"{where}:{key.start_mark.line + 1}: {key.value} is given twice; keep one of them")
            seen.add(key.value)
            yield key.value, value


def _convert(document: object, lines: Lines, where: str) -> Rollout:
    try:
        return msgspec.convert(document, Rollout)
    except msgspec.ValidationError as error:
        raise UsageError(_explain(str(error), lines, where)) from error


def _explain(message: str, lines: Lines, where: str) -> str:
    match = _PATH.match(message)
    what, raw = (message, "") if match is None else (match["what"], match["path"] or "")
    path: tuple[Step, ...] = tuple(name or int(index) for name, index in _STEP.findall(raw))
    unknown = _UNKNOWN.fullmatch(what)
    if unknown:
        path = (*path, unknown["name"])
        what = f"no such field; known here are {', '.join(_known(path))}"
    if "matching regex" in what:
        what = "must be lower-case letters, digits and dashes, at most 40 characters, and not start with a dash"
    return _at(where, lines, path, what[:1].lower() + what[1:])


def _known(path: tuple[Step, ...]) -> tuple[str, ...]:
    """The fields beside `path`, found by walking the model's types."""
    info = msgspec.inspect.type_info(Rollout)
    for step in path[:-1]:
        if isinstance(info, msgspec.inspect.StructType):
            info = next(field.type for field in info.fields if field.encode_name == step)
        elif isinstance(info, msgspec.inspect.VarTupleType):
            info = info.item_type
    return tuple(field.encode_name for field in info.fields) if isinstance(info, msgspec.inspect.StructType) else ()


def _at(where: str, lines: Lines, path: tuple[Step, ...], what: str) -> str:
    """`file:line: field: what`; a field that is absent is placed at the mapping that lacks it."""
    line = next((lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines), 1)
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    return f"{where}:{line}: {name + ': ' if name else ''}{what}"


def _check_stages(rollout: Rollout, lines: Lines, where: str) -> None:
    for index, (before, stage) in enumerate(pairwise(rollout.stages), start=1):
        if stage.percent <= before.percent:
            what = (
                f"{stage.percent:g} does not exceed the stage before ({before.percent:g}); percentages are cumulative"
            )
            raise UsageError(_at(where, lines, ("stages", index, "percent"), what))


def _check_fleets(rollout: Rollout, lines: Lines, where: str, known: Collection[str]) -> None:
    for index, name in enumerate(rollout.fleets):
        if name not in known:
            what = f"no fleet {name} in the configuration; it has: {', '.join(sorted(known)) or 'none'}"
            raise UsageError(_at(where, lines, ("fleets", index), what))
        if name in rollout.fleets[:index]:
            raise UsageError(_at(where, lines, ("fleets", index), f"fleet {name} is named twice; name it once"))


def _explain_yaml(error: yaml.YAMLError, where: str) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark is not None else ""
    return f"{where}{line}: not valid YAML: {getattr(error, 'problem', None) or error}"
