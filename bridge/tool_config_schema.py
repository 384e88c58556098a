"""The JSON Schema of `tool_config`, against which a module's output can be held before otabridge sees it. Pure.

Made from the types: the frame from `ToolConfig`, the fleet's settings from those of each cloud's adapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc

import msgspec

from bridge.tool_config import VERSION, ToolConfig

SCHEMA_FILE = "tool-config.schema.json"
SCHEMA_ID = f"urn:otabridge:tool-config:{VERSION}"
"""A name, not an address: nothing is fetched. The number is `schema_version`."""

Json = dict[str, object]


def tool_config_schema(clouds: Mapping[str, type[msgspec.Struct]]) -> Json:
    """The schema, JSON Schema draft 2020-12. `clouds`: the settings of a fleet, by the cloud's name."""
    frame = _definition(ToolConfig)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return (
        head
        | frame
        | {"title": "otabridge tool_config", "oneOf": [_branch(cloud) for cloud in clouds]}
        | {"$defs": {cloud: _fleet(cloud, settings) for cloud, settings in clouds.items()}}
    )


def _branch(cloud: str) -> Json:
    return {"properties": {"provider": {"const": cloud}, "fleet": {"$ref": f"#/$defs/{cloud}"}}}


def _fleet(cloud: str, settings: type[msgspec.Struct]) -> Json:
    """The settings with the cloud's name beside them; what has a default may be null."""
    made = _definition(settings)
    properties, required = made["properties"], made["required"]
    assert isinstance(properties, dict)  # noqa: S101 - msgspec makes no other; the type checker cannot know
    assert isinstance(required, list)  # noqa: S101 - as above
    optional = {name: each if name in required else _or_null(each) for name, each in properties.items()}
    return made | {"properties": {"cloud": {"const": cloud}, **optional}, "required": ["cloud", *required]}


def _or_null(schema: Json) -> Json:
    return schema if {"type": "null"} in _choices(schema) else {"anyOf": [schema, {"type": "null"}]}


def _choices(schema: Json) -> list[object]:
    choices = schema.get("anyOf")
    return choices if isinstance(choices, list) else []


def _definition(struct: type[msgspec.Struct]) -> Json:
    (made,) = msgspec.json.schema_components([struct])[1].values()
    return {key: _tidied(key, value) for key, value in made.items()}


def _tidied(key: str, value: object) -> object:
    """A part of msgspec's schema as others can read it: texts without indentation, patterns of ECMA-262."""
    if isinstance(value, dict):
        return {name: _tidied(name, each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_tidied("", each) for each in value]
    if key == "description" and isinstance(value, str):
        return cleandoc(value)
    return value.replace(r"\Z", "$") if key == "pattern" and isinstance(value, str) else value
