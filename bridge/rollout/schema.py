"""The JSON Schema of `rollout.yaml`, with which editors complete it and mark what is wrong. Pure.

Made from the model; what the model cannot say (which fields exclude or need one another) is added here. The schema is
never stricter than the reader, which has the last word: only it knows the fleets, the calendars and the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from types import MappingProxyType

import msgspec
from msgspec import inspect

from bridge.rollout.model import Rollout
from bridge.rollout.shape import example, kinds, rollout_type

SCHEMA_FILE = "rollout.schema.json"
SCHEMA_ID = "urn:otabridge:rollout:1"
"""A name, not an address: nothing is fetched. The number changes when a file that was right becomes wrong."""

Json = dict[str, object]
"""An object of JSON; its values are whatever JSON Schema puts there."""


def rollout_schema() -> Json:
    """The schema, JSON Schema draft 2020-12."""
    components = msgspec.json.schema_components([Rollout], ref_template="#/$defs/{name}")[1]
    made = {name: _tidied(definition) for name, definition in components.items()}
    for struct in _structs(rollout_type()):
        _exemplify(made[struct.cls.__name__], struct)
    for name, rule in _RULES.items():
        made[name] |= rule
    root = made.pop("Rollout")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return head | root | {"title": "otabridge rollout", "$defs": made}


def _structs(struct: inspect.StructType) -> Iterator[inspect.StructType]:
    """`struct` and all that it is made of; some more than once."""
    yield struct
    for field in struct.fields:
        for kind in kinds(field.type):
            inner = kinds(kind.item_type) if isinstance(kind, inspect.VarTupleType) else (kind,)
            for each in inner:
                if isinstance(each, inspect.StructType):
                    yield from _structs(each)


def _exemplify(definition: Mapping[str, object], struct: inspect.StructType) -> None:
    """Give each field an example, made of its parts' where it has none of its own."""
    properties = definition["properties"]
    if isinstance(properties, dict):
        for field in struct.fields:
            properties[field.encode_name].setdefault("examples", [example(field)])


def _tidied(part: Mapping[str, object]) -> Json:
    """A part of msgspec's schema as others can read it: texts without indentation, patterns of ECMA-262, lists."""
    tidy = {key: _tidy(key, value) for key, value in part.items()}
    items = tidy.get("items")
    if isinstance(items, dict) and (items.get("type") == "string" or "anyOf" in items):
        tidy["uniqueItems"] = True
    return tidy


def _tidy(key: str, value: object) -> object:
    if isinstance(value, dict):
        return _tidied(value)
    if isinstance(value, list | tuple):
        return [_tidy("", each) for each in value]
    if isinstance(value, str):
        return {"description": cleandoc, "pattern": _ecma}.get(key, str)(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _ecma(pattern: str) -> str:
    """JSON Schema's dialect has no `\\Z`; its `$` is the end of the text."""
    return pattern.replace(r"\Z", "$")


def _given(*names: str) -> Json:
    """That all these fields are there, and not null."""
    return {"required": list(names), "properties": {name: {"not": {"type": "null"}} for name in names}}


def _has(**values: str | bool) -> Json:
    """That these fields have these values."""
    return {"required": list(values), "properties": {name: {"const": value} for name, value in values.items()}}


_RULES: Mapping[str, Json] = MappingProxyType(
    {
        "Stage": {"oneOf": [_given("percent"), _given("count"), _given("devices")]},
        "FleetPart": {"not": {"anyOf": [_given("devices", "group"), _given("devices", "query")]}},
        "Health": {"anyOf": [_given("limit"), _has(compare=True)]},
        "Rollout": {
            "allOf": [
                {"if": _has(on_breach="roll-back"), "then": _given("roll_back")},
                {
                    "if": {"properties": {"stages": {"contains": _given("sign_off")}}},
                    "then": _given("approvals"),
                },
            ]
        },
    }
)
