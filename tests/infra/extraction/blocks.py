"""Blocks and attributes from TypeScript. Pure.

What a provider's schema calls an attribute of a list of objects and what it calls blocks look alike here; that
computed ones are attributes and others blocks holds for all of azurerm. What TypeScript does not keep: which values are
secret, defaults, validators, what replaces, and bounds other than 0 and 1.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.infra.extraction.source import Field, Source, Written
from tests.infra.provider.document import Attribute, Block, Nested, Nesting, Type

GETTER = re.compile(r"this\.get(\w+?)Attribute\('")
COLLECTION = re.compile(r'new cdkt[fn]\.(\w+)\(this, "\w+"')
BLOCK = re.compile(r'new (\w+)\(this, "\w+"(?:, (true|false))?\)')
PRIVATE = re.compile(r"private _\w+\?: (string|number|boolean)((?:\[\])+)")
SCALARS = {"String": "string", "Number": "number", "Boolean": "bool", "Any": "dynamic"}
SIMPLE: dict[str, Type] = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "stringList": ["list", "string"],
    "numberList": ["list", "number"],
    "stringMap": ["map", "string"],
}


class Inner(NamedTuple):
    """What a field holds of blocks: the class of one, the collection, and whether that is a set underneath."""

    item: str
    collection: str
    is_set: bool


def block(source: Source, name: str) -> Block:
    """The block whose class is `name`."""
    attributes: dict[str, Attribute] = {}
    blocks: dict[str, Nested] = {}
    for field in source.fields(name):
        inner = _inner(source, field)
        if inner is None or field.computed or not (field.optional or field.required):
            attributes[field.name] = _attribute(_type(source, field, inner), field)
        else:
            blocks[field.name] = _nested(source, field, inner)
    return Block(attributes, blocks)


def configuration(source: Source, written: dict[str, Written]) -> Block:
    """The provider's own block, whose classes have no comments: only names and types are known."""
    attributes: dict[str, Attribute] = {}
    blocks: dict[str, Nested] = {}
    for name, each in written.items():
        if name == "alias":
            continue
        if each.kind in SIMPLE:
            type_ = SIMPLE[each.kind]
            attributes[name] = Attribute(["set", type_[1]] if each.mode == "set" else type_, optional=True)
        else:
            inside = configuration(source, dict(source.written(each.kind.removesuffix("List"))))
            blocks[name] = Nested(Nesting.SET if each.mode == "set" else Nesting.LIST, inside)
    return Block(attributes, blocks)


def _attribute(type_: Type, field: Field) -> Attribute:
    return Attribute(type_, required=field.required, optional=field.optional, computed=field.computed)


def _nested(source: Source, field: Field, inner: Inner) -> Nested:
    mode = field.written.mode if field.written else "list"
    nesting = Nesting.SINGLE if mode == "struct" else Nesting.SET if _is_set(field, inner) else Nesting.LIST
    alone = inner.collection == "single" and mode != "struct"
    inside = block(source, inner.item)
    return Nested(nesting, inside, min_items=int(field.required), max_items=int(alone))


def _inner(source: Source, field: Field) -> Inner | None:
    found = BLOCK.search(field.text)
    if found is None or found[1] not in source.classes:
        return None
    held = source.classes[found[1]]
    if held.item is None:
        return Inner(found[1], "single", is_set=False)
    return Inner(held.item, "map" if held.base == "ComplexMap" else "list", is_set=found[2] == "true")


def _is_set(field: Field, inner: Inner) -> bool:
    return inner.is_set or (field.written is not None and field.written.mode == "set")


def _type(source: Source, field: Field, inner: Inner | None) -> Type:
    if inner is None:
        return _simple(field.text)
    collection = "set" if _is_set(field, inner) else "map" if inner.collection == "map" else "list"
    return [collection, _object(source, inner.item)]


def _object(source: Source, name: str) -> Type:
    members: dict[str, Type] = {}
    for field in source.fields(name):
        inner = _inner(source, field)
        single = inner is not None and field.written is not None and field.written.mode == "struct"
        members[field.name] = _object(source, inner.item) if inner and single else _type(source, field, inner)
    return ["object", members]


def _simple(text: str) -> Type:
    if found := GETTER.search(text):
        return _named(found[1], is_set="Fn.tolist" in text or "Fn.toset" in text)
    if found := COLLECTION.search(text):
        return _named(found[1], is_set=False)
    if found := PRIVATE.search(text):
        return _wrapped({"boolean": "bool"}.get(found[1], found[1]), found[2].count("[]"))
    return "dynamic"


def _named(name: str, *, is_set: bool) -> Type:
    """The type of a getter or of a collection's class: `String`, `NumberList`, `StringMapList`, `StringListList`."""
    if name in SCALARS:
        return SCALARS[name]
    if name == "List":
        return ["set" if is_set else "list", "string"]
    for suffix, collection in (("List", "set" if is_set else "list"), ("Map", "map")):
        if name.endswith(suffix):
            return [collection, _named(name.removesuffix(suffix), is_set=False)]
    return "dynamic"


def _wrapped(type_: Type, depth: int) -> Type:
    return ["list", _wrapped(type_, depth - 1)] if depth else type_
