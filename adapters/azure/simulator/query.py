"""What a query answers: rows of twins, columns of them, or counts of groups. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import mean

from adapters.azure.simulator.hub_errors import invalid
from adapters.azure.simulator.hub_shapes import twin_shape
from adapters.azure.simulator.query_language import parse_query
from adapters.azure.simulator.query_tree import (
    Aggregate,
    Attribute,
    Column,
    Comparison,
    Condition,
    IsDefined,
    Joined,
    Literal,
    Membership,
    Not,
    Operand,
    Query,
    Truth,
    kind_of,
)
from adapters.azure.simulator.twins import Json, TwinDevice

MAX_PAGE = 1000


class _Undefined:
    """What an attribute is that a twin does not have; also the truth of a comparison with it."""


UNDEFINED = _Undefined()
_COMPARE: Mapping[str, Callable[[object, object], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]  # both sides are of one orderable kind, see _compare
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
}


_FUNCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {"SUM": sum, "MIN": min, "MAX": max, "AVG": mean}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a query. `raw` rows are columns, others whole twins; `continuation` asks for the next page."""

    items: tuple[Json, ...]
    continuation: str | None
    raw: bool


def run(text: str, devices: Sequence[TwinDevice], *, size: int, continuation: str | None) -> Page:
    """One page of at most `size` rows.

    Raises:
        HubError: ARGUMENT_INVALID, the text is no query or the continuation belongs to another one.
    """
    query = parse_query(text)
    start = _position(text, continuation)
    twins = [twin_shape(each) for each in devices] if query.source == "devices" else []
    found = [each for each in twins if matches(query.condition, each)]
    rows = _groups(query, found) if query.aggregates else [_row(query, each) for each in found]
    rows = rows[: query.top]
    stop = start + min(max(size, 1), MAX_PAGE)
    more = _token(text, stop) if stop < len(rows) else None
    return Page(tuple(rows[start:stop]), more, bool(query.columns))


def matches(condition: Condition | None, twin: Json) -> bool:
    """Whether a twin meets a condition; what is undefined does not."""
    return condition is None or _truth(condition, twin) is True


def _truth(condition: Condition, twin: Json) -> object:
    """True, False or UNDEFINED."""
    match condition:
        case Comparison(left, sign, right):
            return _compare(_value(left, twin), sign, _value(right, twin))
        case Membership():
            return _membership(condition, twin)
        case IsDefined(attribute):
            return _value(attribute, twin) is not UNDEFINED
        case Truth(operand):
            value = _value(operand, twin)
            return value if isinstance(value, bool) else UNDEFINED
        case Not(inner):
            value = _truth(inner, twin)
            return UNDEFINED if value is UNDEFINED else not value
        case Joined(conditions, either):
            return _joined([_truth(each, twin) for each in conditions], decisive=either)


def _joined(truths: Sequence[object], *, decisive: bool) -> object:
    if decisive in [each for each in truths if each is not UNDEFINED]:
        return decisive
    return UNDEFINED if UNDEFINED in truths else not decisive


def _compare(left: object, sign: str, right: object) -> object:
    """Values of different kinds do not compare; objects and arrays never do."""
    kind = kind_of(left)
    if not kind or kind != kind_of(right) or (kind in ("null", "boolean") and sign not in ("=", "!=")):
        return UNDEFINED
    return _COMPARE[sign](left, right)


def _membership(condition: Membership, twin: Json) -> object:
    left = _value(condition.left, twin)
    if left is UNDEFINED:
        return UNDEFINED
    kind = kind_of(left)
    among = bool(kind) and (kind, left) in condition.constants
    found = among or any(_compare(left, "=", _value(each, twin)) is True for each in condition.attributes)
    return found is not condition.negated


def _value(operand: Operand, twin: Json) -> object:
    if isinstance(operand, Literal):
        return operand.value
    value: object = twin
    for name in operand.path:
        if not isinstance(value, Mapping) or name not in value:
            return UNDEFINED
        value = value[name]
    return value


def _row(query: Query, twin: Json) -> Json:
    if not query.columns:
        return twin
    return _defined((each, _of_group(each.value, (twin,))) for each in query.columns)


def _groups(query: Query, twins: Iterable[Json]) -> list[Json]:
    """A group for each value, and one for the devices without: its row lacks the member."""
    groups: dict[str, list[Json]] = {} if query.group else {"": []}
    for twin in twins:
        value = UNDEFINED if query.group is None else _value(query.group, twin)
        groups.setdefault("" if value is UNDEFINED else json.dumps(value, sort_keys=True), []).append(twin)
    return [_group_row(query.columns, group) for _, group in sorted(groups.items())]


def _group_row(columns: Sequence[Column], twins: Sequence[Json]) -> Json:
    return _defined((each, _of_group(each.value, twins)) for each in columns)


def _of_group(value: Attribute | Aggregate, twins: Sequence[Json]) -> object:
    if isinstance(value, Attribute):
        return _value(value, twins[0])
    if value.attribute is None:
        return len(twins)
    values = (_value(value.attribute, twin) for twin in twins)
    found = [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
    return _FUNCTIONS[value.function](found) if found else UNDEFINED


def _defined(columns: Iterable[tuple[Column, object]]) -> Json:
    named = ((column.name or f"${index}", value) for index, (column, value) in enumerate(columns, 1))
    return {name: value for name, value in named if value is not UNDEFINED}


def _token(text: str, position: int) -> str:
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return base64.b64encode(f"{digest}/{position}".encode()).decode()


def _position(text: str, token: str | None) -> int:
    if token is None:
        return 0
    try:
        position = base64.b64decode(token, validate=True).decode().rpartition("/")[2]
    except (binascii.Error, ValueError):
        position = ""
    if not position.isdecimal() or _token(text, int(position[:12])) != token:
        raise invalid("The continuation token does not belong to this query")
    return int(position)
