"""Holds a document against the model, in words for people: which fields there are, and what each takes. Pure.

The model is asked by `msgspec.inspect`, so that a new field is known here, in the schema and in the reference at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from msgspec import inspect

from bridge.rollout.mistake import Mistake, Trail, nearest, shown
from bridge.rollout.model import Rollout

_TAKES: Mapping[type[inspect.Type], tuple[type, ...]] = {
    inspect.StructType: (dict,),
    inspect.DictType: (dict,),
    inspect.VarTupleType: (list,),
    inspect.StrType: (str,),
    inspect.EnumType: (str,),
    inspect.IntType: (int,),
    inspect.FloatType: (int, float),
    inspect.BoolType: (bool,),
    inspect.NoneType: (type(None),),
}
_SORTS: Mapping[type[inspect.Type], str] = {
    inspect.StructType: "a mapping",
    inspect.DictType: "a mapping",
    inspect.VarTupleType: "a list",
    inspect.StrType: "text",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
}


@cache
def rollout_type() -> inspect.StructType:
    """The model as it describes itself."""
    kind = inspect.type_info(Rollout)
    assert isinstance(kind, inspect.StructType)  # noqa: S101 - for the type checker: Rollout is a Struct
    return kind


def misfits(value: object, wanted: inspect.Type, trail: Trail = ()) -> Iterator[Mistake]:
    """Where the plain `value`, which lies at `trail`, does not fit the type `wanted`; nothing where it fits."""
    kind = next((kind for kind in kinds(wanted) if _is_a(value, kind)), None)
    match kind:
        case None:
            yield Mistake(trail, f"must be {in_words(wanted)}, not {shown(value)}{_advice(value, wanted)}")
        case inspect.StructType() if isinstance(value, dict):
            yield from _fields(value, kind, trail)
        case inspect.DictType() if isinstance(value, dict):
            yield from _lengths(value, kind, trail)
            for key, item in value.items():
                yield from misfits(item, kind.value_type, (*trail, key))
        case inspect.VarTupleType() if isinstance(value, list):
            yield from _lengths(value, kind, trail)
            for index, item in enumerate(value):
                yield from misfits(item, kind.item_type, (*trail, index))
        case _:
            if not _within(value, kind):
                yield Mistake(trail, f"must be {in_words(wanted)}, not {shown(value)}{_choice(value, kind)}")


def kinds(wanted: inspect.Type) -> tuple[inspect.Type, ...]:
    """The types that `wanted` may be, without what is said about them."""
    bare = wanted.type if isinstance(wanted, inspect.Metadata) else wanted
    if isinstance(bare, inspect.UnionType):
        return tuple(kind for each in bare.types for kind in kinds(each))
    return (bare,)


def described(field: inspect.Field) -> str:
    """The description of a field."""
    about = field.type.extra_json_schema if isinstance(field.type, inspect.Metadata) else None
    return str((about or {}).get("description", ""))


def example(field: inspect.Field) -> object:
    """A plain value that the field might have: its own example, its type's, or one made of its parts'."""
    return _example(field.type)


def _example(wanted: inspect.Type) -> object:
    if isinstance(wanted, inspect.Metadata):
        own = (wanted.extra_json_schema or {}).get("examples")
        return own[0] if own else _example(wanted.type)
    match wanted:
        case inspect.UnionType(types=types):
            return _example(types[0])
        case inspect.VarTupleType():
            return [_example(wanted.item_type)]
        case inspect.StructType():
            return {field.encode_name: example(field) for field in wanted.fields}
    raise NotImplementedError(f"a field of the model has no example: {wanted}")


def in_words(wanted: inspect.Type) -> str:
    """What a type takes: `a number above 0 and at most 100`, `text or a mapping`. Absence is not told."""
    if isinstance(wanted, inspect.Metadata):
        return str((wanted.extra or {}).get("words") or in_words(wanted.type))
    match wanted:
        case inspect.UnionType(types=types):
            return " or ".join(in_words(each) for each in types if not isinstance(each, inspect.NoneType))
        case inspect.StrType() | inspect.VarTupleType():
            unit = "character" if isinstance(wanted, inspect.StrType) else "item"
            return f"{_SORTS[type(wanted)]}{_span(wanted.min_length, wanted.max_length, unit)}"
        case inspect.IntType() | inspect.FloatType():
            return f"{_SORTS[type(wanted)]}{_limits(wanted)}"
        case inspect.EnumType():
            *words, last = _words(wanted)
            return f"{', '.join(words)} or {last}"
    return _SORTS[type(wanted)]


def _words(kind: inspect.EnumType) -> list[str]:
    return [str(member.value) for member in kind.cls]


def _span(least: int | None, most: int | None, unit: str) -> str:
    if most is None:
        return f" of at least {least} {unit}" if least else ""
    return f" of {least} to {most:,} {unit}s" if least else f" of at most {most:,} {unit}s"


def _limits(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge:.15g} to {kind.le:,.15g}"
    named = {"at least": kind.ge, "above": kind.gt, "at most": kind.le, "below": kind.lt}
    limits = [f"{word} {limit:,.15g}" for word, limit in named.items() if limit is not None]
    return f" {' and '.join(limits)}" if limits else ""


def _is_a(value: object, kind: inspect.Type) -> bool:
    """Whether `value` is of the sort that `kind` takes, whatever its limits. In Python a truth is a number, too."""
    return isinstance(value, _TAKES[type(kind)]) and isinstance(value, bool) == isinstance(kind, inspect.BoolType)


def _within(value: object, kind: inspect.Type) -> bool:
    """Whether a plain value keeps the limits of `kind`."""
    match kind:
        case inspect.StrType() if isinstance(value, str):
            most = len(value) if kind.max_length is None else kind.max_length
            return (kind.min_length or 0) <= len(value) <= most and bool(re.search(kind.pattern or "", value))
        case inspect.IntType() | inspect.FloatType() if isinstance(value, int | float):
            return _in_range(value, kind)
        case inspect.EnumType():
            return value in _words(kind)
    return True


def _in_range(value: float, kind: inspect.IntType | inspect.FloatType) -> bool:
    least = (kind.ge is None or value >= kind.ge) and (kind.gt is None or value > kind.gt)
    return least and (kind.le is None or value <= kind.le) and (kind.lt is None or value < kind.lt)


def _lengths(
    value: Sequence[object] | Mapping[str, object], kind: inspect.VarTupleType | inspect.DictType, trail: Trail
) -> Iterator[Mistake]:
    if len(value) < (kind.min_length or 0):
        yield Mistake(trail, "must not be empty")
    if kind.max_length is not None and len(value) > kind.max_length:
        yield Mistake(trail, f"must have at most {kind.max_length:,} items, not {len(value):,}")


def _fields(value: Mapping[str, object], kind: inspect.StructType, trail: Trail) -> Iterator[Mistake]:
    known = {field.encode_name: field for field in kind.fields}
    for name in value:
        if name not in known:
            what = f"no such field; {nearest(name, known)}known here are {', '.join(known)}"
            yield Mistake((*trail, name), what)
    for name, field in known.items():
        if name in value:
            yield from misfits(value[name], field.type, (*trail, name))
        elif field.required:
            yield Mistake((*trail, name), f"is missing: {described(field)}")


def _choice(value: object, kind: inspect.Type) -> str:
    """A hint at the word that was meant."""
    hint = nearest(str(value), _words(kind)) if isinstance(kind, inspect.EnumType) else ""
    return f"; {hint}".rstrip(" ;")


def _advice(value: object, wanted: inspect.Type) -> str:
    """What to write instead of a value of another sort, where that can be told."""
    kind = next(iter(kinds(wanted)))
    if value is None:
        return "; write a value, or leave the field out"
    if isinstance(kind, inspect.VarTupleType):
        return "; put a dash before each item" if isinstance(value, dict) else f"; write [{str(value)[:40]}]"
    if isinstance(value, str) and isinstance(kind, inspect.IntType | inspect.FloatType):
        number = re.fullmatch(r"\s*([0-9]{1,9}(\.[0-9]{1,9})?)\s*%?\s*", value)
        return f"; write {number[1]}" if number else ""
    if isinstance(kind, inspect.StrType) and kind.pattern is None and not isinstance(value, dict | list):
        return "; put it in quotes"
    return ""
