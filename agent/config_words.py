"""What is wrong with a configuration, in words for the person who wrote it. Pure."""

from __future__ import annotations

import re

import msgspec

Table = dict[str, object]

_PLACED = re.compile(r"(?s)(?P<what>.*?)(?: - at `\$\.?(?P<place>[^`]*)`)?")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")


def explained(text: str, document: Table, kind: type[msgspec.Struct]) -> str:
    """`text`, msgspec's words about `document` that is no `kind`, as one sentence with field, value, and what would be
    right."""
    placed = _PLACED.fullmatch(text)
    what, place = (placed["what"], placed["place"] or "") if placed else (text, "")
    if unknown := _UNKNOWN.fullmatch(what):
        return f"{_dotted(place, unknown[1])} is no field; there are: {', '.join(_fields_at(place, kind))}"
    if missing := _MISSING.fullmatch(what):
        return f"{_dotted(place, missing[1])} is missing"
    value = _value_at(document, place)
    shown = "" if isinstance(value, dict | list) and value else f" is {value!r}"
    where = f"{place}{shown}: " if place else ""
    return f"{where}{what[:1].lower()}{what[1:]}".replace(" | null", "")


def _dotted(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _fields_at(place: str, kind: type[msgspec.Struct]) -> tuple[str, ...]:
    for name in filter(None, re.sub(r"\[.*?\]", "", place).split(".")):
        kind = _struct_in(kind, name)
    return kind.__struct_encode_fields__


def _struct_in(kind: type[msgspec.Struct], name: str) -> type[msgspec.Struct]:
    info = next(field.type for field in msgspec.structs.fields(kind) if field.encode_name == name)
    return _first_struct(msgspec.inspect.type_info(info))


def _first_struct(info: msgspec.inspect.Type) -> type[msgspec.Struct]:
    match info:
        case msgspec.inspect.StructType(cls=cls):
            return cls
        case msgspec.inspect.UnionType(types=types):
            return next(_first_struct(kind) for kind in types if isinstance(kind, msgspec.inspect.StructType))
        case msgspec.inspect.VarTupleType(item_type=item):
            return _first_struct(item)
    raise RuntimeError(f"a table that is neither a structure nor a list of them: {info}")


def _value_at(document: Table, place: str) -> object:
    value: object = document
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", place):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and index:
            value = value[int(index)]
    return value
