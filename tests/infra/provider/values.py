"""Values as Terraform sends them: MessagePack, in which what is not known yet is an extension. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgpack

from tests.infra.provider.document import Attribute, Block, Nested, Nesting, Type

UNKNOWN = msgpack.ExtType(0, b"\0")
Path = tuple[str, ...]
"""Names of blocks, then of an attribute."""
Leaf = Callable[[Path, Attribute, Any], Any]


def decode(octets: bytes, text: bytes = b"") -> Any:
    """The value in MessagePack, or, where that is empty, in JSON."""
    if octets:
        return msgpack.unpackb(octets, raw=False, strict_map_key=False)
    return json.loads(text) if text else None


def encode(value: Any) -> bytes:
    """In MessagePack."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def is_unknown(value: Any) -> bool:
    """Not known before the apply; also where Terraform knows something about it (refined, extension 12)."""
    return isinstance(value, msgpack.ExtType)


def rebuilt(block: Block, value: Any, leaf: Leaf, path: Path = ()) -> Any:
    """A block's value in which each attribute is what `leaf` makes of it; None and unknown stay so."""
    if value is None or is_unknown(value):
        return value
    attributes = {name: leaf((*path, name), each, value.get(name)) for name, each in block.attributes.items()}
    blocks = {name: _nested(each, value.get(name), leaf, (*path, name)) for name, each in block.block_types.items()}
    return attributes | blocks


def _nested(nested: Nested, value: Any, leaf: Leaf, path: Path) -> Any:
    if isinstance(value, list):
        return [rebuilt(nested.block, each, leaf, path) for each in value]
    if isinstance(value, dict) and nested.nesting_mode is Nesting.MAP:
        return {key: rebuilt(nested.block, each, leaf, path) for key, each in value.items()}
    return rebuilt(nested.block, value, leaf, path)


def placeholder(type_: Type, text: str) -> Any:
    """Some value of a type; strings are `text`."""
    match type_:
        case ["object", dict() as members]:
            return {name: placeholder(each, f"{text}.{name}") for name, each in members.items()}
        case ["map", _]:
            return {}
        case [_, _]:
            return []
        case "number":
            return 1
        case "bool":
            return False
        case _:
            return text
