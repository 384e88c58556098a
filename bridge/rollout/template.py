"""Writes `rollout.yaml`: a rollout as YAML, and the commented file with which a newcomer begins. Pure.

The comments are the model's own descriptions. Lines with `##` explain; a line with one `#` is a field that is not in
use, and is taken into use by taking `# ` away, from it or from a whole block, as editors do with one key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from textwrap import indent, wrap

import msgspec
import yaml
from msgspec import inspect

from bridge.errors import UsageError
from bridge.rollout.file import parse_rollout
from bridge.rollout.model import Rollout
from bridge.rollout.shape import described, example, kinds, rollout_type

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./+-]*|[0-9]+[wdhms]")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_HEAD = """\
## A rollout: one release, in stages, over fleets. `otabridge rollout plan` shows what this file means.
## Lines with two hashes explain. Fields with one hash are not in use and show their default or an example:
## to use one, take "# " away from its line, or from all lines of its block.
"""
_STAGES = """\
stages:
  ## Test devices by name may come first, then so many more devices, then shares of each fleet. Every
  ## stage has exactly one of devices, count and percent; all else may stand in any of them.
"""


class _Writer(yaml.SafeDumper):
    """Writes text so that every reader of YAML takes it for text, and whole numbers without a point."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """No anchors: a person edits the file."""
        return True

    def text(self, value: str) -> yaml.Node:
        """In quotes, unless it is a plain word everywhere."""
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')

    def number(self, value: float) -> yaml.Node:
        """A whole number as people write it."""
        return self.represent_int(int(value)) if value.is_integer() else self.represent_float(value)


_Writer.add_representer(str, _Writer.text)
_Writer.add_representer(float, _Writer.number)


def render_rollout(rollout: Rollout) -> str:
    """The YAML of `rollout`, without what is absent; `parse_rollout` reads it back as the same."""
    return _yaml(msgspec.to_builtins(rollout))


def _yaml(value: object, *, flow: bool | None = False) -> str:
    """`flow` None: lists and mappings without parts of their own stand on one line."""
    return str(
        yaml.dump(value, Dumper=_Writer, default_flow_style=flow, sort_keys=False, width=4096, allow_unicode=True)
    )


def rollout_template(name: str, release: str, fleets: Sequence[str], schema: str | None = None) -> str:
    """A commented rollout file with every field there is. `release` is a path relative to the file, `fleets` are names
    in the configuration; `schema`, the path or address of the JSON Schema, makes editors complete the file.

    Raises:
        UsageError: no fleet, or a name that no rollout can have.
    """
    if not fleets:
        raise UsageError("a rollout needs a fleet; add one to otabridge.toml, under [fleets.NAME]")
    line = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    fields = {field.encode_name: field for field in rollout_type().fields}
    required = [
        *_field(fields.pop("name"), name),
        *_field(fields.pop("release"), release),
        *_fleets(fields.pop("fleets"), fleets),
        *_stages(fields.pop("stages"), fleets[0]),
    ]
    optional = [part for field in fields.values() for part in ("", *_off(_shown(field, fleets[0])))]
    text = line + _HEAD + "\n" + "\n".join([*required, *optional, ""])
    parse_rollout(text, "rollout.yaml", fleets)
    return text


def _fleets(field: inspect.Field, fleets: Sequence[str]) -> Iterator[str]:
    """All but the last by name; the last with all that can choose a part of it."""
    yield from ("", *_prose(described(field)), "fleets:")
    yield from (f"  - {_yaml(fleet).splitlines()[0]}" for fleet in fleets[:-1])
    part = _struct(field)
    selectors = {each.encode_name: each for each in part.fields}
    group, query, devices = (selectors[name] for name in ("group", "query", "devices"))
    yield from _indented([f"- {_line('name', fleets[-1])}"], 2)
    yield from _indented([*_off(_shown(group, "")), *_off(_shown(query, "")), *_prose(described(devices))], 4)
    yield from _indented([f"## {_line('devices', example(devices))}"], 4)


def _stages(field: inspect.Field, fleet: str) -> Iterator[str]:
    """Stages of all three sorts; the first of those in use shows what else a stage may have."""
    yield from ("", *_prose(described(field)), *_STAGES.splitlines())
    others = {each.encode_name: each for each in _struct(field).fields}
    percent, count, devices = (others.pop(name) for name in ("percent", "count", "devices"))
    for measure in (devices, count):
        yield from _indented(_off(_item(_shown(measure, fleet))), 2)
    yield from _indented(_item(_field(percent, 1)), 2)
    for other in others.values():
        yield from _indented(_off(_shown(other, fleet)), 4)
    yield from _indented(["- percent: 10", "- percent: 100"], 2)


def _struct(field: inspect.Field) -> inspect.StructType:
    """The struct that a list is made of."""
    (sequence,) = kinds(field.type)
    items = kinds(sequence.item_type) if isinstance(sequence, inspect.VarTupleType) else ()
    return next(kind for kind in items if isinstance(kind, inspect.StructType))


def _shown(field: inspect.Field, fleet: str) -> list[str]:
    """A field with its meaning, and its default, or else an example; what has parts with each of them."""
    (kind, *_) = kinds(field.type)
    if isinstance(kind, inspect.StructType) and not _has_example(field):
        return [*_prose(described(field)), f"{field.encode_name}:", *_indented(_parts(kind, fleet), 2)]
    if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
        item = _item(_parts(kind.item_type, fleet))
        return [*_prose(described(field)), f"{field.encode_name}:", *_indented(item, 2)]
    return _field(field, _value(field, kind, fleet))


def _parts(struct: inspect.StructType, fleet: str) -> list[str]:
    return [line for field in struct.fields for line in _shown(field, fleet)]


def _has_example(field: inspect.Field) -> bool:
    about = field.type.extra_json_schema if isinstance(field.type, inspect.Metadata) else None
    return "examples" in (about or {})


def _value(field: inspect.Field, kind: inspect.Type, fleet: str) -> object:
    """The default, or an example; what is told for each fleet is told for `fleet`."""
    default = field.default
    if isinstance(default, Enum):
        return default.value
    if isinstance(default, str | int | float):
        return default
    value = example(field)
    if isinstance(kind, inspect.DictType) and isinstance(value, Mapping):
        return {fleet: next(iter(value.values()))}
    return value


def _field(field: inspect.Field, value: object) -> list[str]:
    return [*_prose(described(field)), _line(field.encode_name, value)]


def _line(name: str, value: object) -> str:
    """`name: value` on one line."""
    return f"{name}: {_yaml([value], flow=True).strip()[1:-1]}"


def _prose(text: str) -> list[str]:
    return [f"## {line}" for line in wrap(text, _WIDTH)]


def _off(lines: Sequence[str]) -> list[str]:
    """Lines that are not in use, in one block."""
    return [f"# {line}" if not line.startswith("##") else line for line in lines]


def _item(lines: Sequence[str]) -> list[str]:
    """Lines as one item of a list; the explanation of its first field stays above the dash."""
    first = next(index for index, line in enumerate(lines) if not line.startswith("##"))
    return [*lines[:first], f"- {lines[first]}", *_indented(lines[first + 1 :], 2)]


def _indented(lines: Sequence[str], spaces: int) -> list[str]:
    return indent("\n".join(lines), " " * spaces).splitlines()
