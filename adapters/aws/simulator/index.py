"""The fleet index of one account and region: its configuration, searches and counts over what moto keeps.

It is always up to date here; the service's own lags some seconds behind.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from itertools import islice

from moto.iot.models import FakeThing, FakeThingGroup

from adapters.aws.simulator.errors import Refusal, ServiceError, invalid, not_found
from adapters.aws.simulator.index_requests import (
    INDEX,
    Aggregation,
    IndexField,
    Search,
    ThingIndexing,
)
from adapters.aws.simulator.indexed import IndexedThing, Scope
from adapters.aws.simulator.query import Query, number, parse
from adapters.aws.simulator.registry import Registry
from adapters.aws.simulator.shapes import Json

MANAGED = {
    "thingId": "String",
    "thingName": "String",
    "registry.version": "Number",
    "registry.thingTypeName": "String",
    "registry.thingGroupNames": "String",
    "shadow.version": "Number",
    "shadow.hasDelta": "Boolean",
    "connectivity.connected": "Boolean",
}
"""Fields whose types the service knows itself."""
OFF = ThingIndexing("OFF")


class FleetIndex:
    """`connected` names the things with a connection. Every method raises ServiceError as the service refuses."""

    def __init__(self, registry: Registry, connected: Callable[[], frozenset[str]]) -> None:
        self._registry = registry
        self._connected = connected
        self.config = OFF

    def configure(self, config: ThingIndexing) -> None:
        """UpdateIndexingConfiguration. Custom fields must be of what the mode indexes."""
        if config.thing_indexing_mode == "OFF" and any(map(is_dynamic, self._registry.groups())):
            raise invalid("Indexing cannot be turned off while there are dynamic thing groups")
        for field in config.custom_fields:
            _check_custom(field, config)
        self.config = config

    def require(self, index: str = INDEX) -> None:
        """Refuses while there is no index."""
        if index != INDEX or self.config.thing_indexing_mode == "OFF":
            raise not_found(f"Index {index} does not exist")

    def search(self, wish: Search) -> Json:
        """SearchIndex, a page of things."""
        self.require(wish.index_name)
        start = _offset(wish.next_token)
        with self._registry.lock:
            found = list(islice(self.matching(parse(wish.query_string)), start, start + wish.max_results + 1))
            things = [each.shown() for each in found[: wish.max_results]]
        more = len(found) > wish.max_results
        return {"things": things, **({"nextToken": str(start + wish.max_results)} if more else {})}

    def statistics(self, wish: Aggregation) -> Json:
        """GetStatistics: for numbers all of them, for other types the count alone."""
        kind, values, _ = self._aggregated(wish)
        if kind != "Number" or not values:
            return {"statistics": {"count": len(values)}}
        numbers = [float(str(value)) for value in values]
        mean = sum(numbers) / len(numbers)
        variance = sum((each - mean) ** 2 for each in numbers) / len(numbers)
        spread: Json = {"variance": variance, "stdDeviation": variance**0.5}
        ends: Json = {"minimum": min(numbers), "maximum": max(numbers), "average": mean, "sum": sum(numbers)}
        squares = sum(each * each for each in numbers)
        return {"statistics": {"count": len(numbers), "sumOfSquares": squares, **ends, **spread}}

    def cardinality(self, wish: Aggregation) -> Json:
        """GetCardinality, exact here."""
        return {"cardinality": len(set(self._aggregated(wish)[1]))}

    def buckets(self, wish: Aggregation) -> Json:
        """GetBucketsAggregation: the most frequent values, and how many things match at all."""
        _, values, total = self._aggregated(wish)
        counts = Counter(map(str, values)).most_common(wish.buckets_aggregation_type.terms_aggregation.max_buckets)
        return {"totalCount": total, "buckets": [{"keyValue": value, "count": count} for value, count in counts]}

    def matching(self, query: Query, *, of_static: bool = False) -> Iterator[IndexedThing]:
        """The things that match, in the order of the registry; `of_static` sees no membership of dynamic groups.

        Called with the registry's lock held.
        """
        scope = self._scope(of_static=of_static)
        return (each for each in (IndexedThing(thing, scope) for thing in self._registry.all()) if query.matches(each))

    def members(self, query: Query) -> Iterator[FakeThing]:
        """What a dynamic group with this query holds. Called with the registry's lock held."""
        scope = self._scope(of_static=True)
        return (thing for thing in self._registry.all() if query.matches(IndexedThing(thing, scope)))

    def _scope(self, *, of_static: bool) -> Scope:
        return Scope(self.config, _Memberships(self._registry, of_static=of_static), self._connected())

    def _aggregated(self, wish: Aggregation) -> tuple[str, list[object], int]:
        """The field's type, its values in the things that match, others passed over, and how many those are."""
        self.require(wish.index_name)
        field = wish.aggregation_field
        kind = {**MANAGED, **{each.name: each.type for each in self.config.custom_fields}}.get(field)
        if kind is None:
            raise ServiceError(Refusal.INVALID_AGGREGATION, f"Aggregation field {field} is no managed or custom field")
        with self._registry.lock:
            found = list(self.matching(parse(wish.query_string)))
            values = (value for each in found for value in each.values(field))
            return kind, [value for value in values if _fits(value, kind)], len(found)


class _Memberships:
    """Groups by thing, worked out when first asked for: most queries never do."""

    def __init__(self, registry: Registry, *, of_static: bool) -> None:
        self._registry = registry
        self._of_static = of_static
        self._known: dict[str, list[str]] | None = None

    def __call__(self, arn: str) -> Collection[str]:
        if self._known is None:
            self._known = defaultdict(list)
            for group in self._registry.groups():
                if not (self._of_static and is_dynamic(group)):
                    for member in group.things:
                        self._known[member].append(group.thing_group_name)
        return self._known.get(arn, ())


def is_dynamic(group: FakeThingGroup) -> bool:
    """Whether a query says who is in the group."""
    return hasattr(group, "query")


def _check_custom(field: IndexField, config: ThingIndexing) -> None:
    shadows = config.thing_indexing_mode == "REGISTRY_AND_SHADOW"
    if field.name in MANAGED:
        raise invalid(f"Custom field {field.name} is a managed field")
    if field.name.startswith("shadow.name."):
        named = config.named_shadow_indexing_mode == "ON"
        if not named or field.name.split(".")[2] not in config.filter.named_shadow_names:
            raise invalid(f"Custom field {field.name} is of a named shadow that is not indexed")
    elif field.name.startswith("shadow.") and not shadows:
        raise invalid(f"Custom field {field.name} needs REGISTRY_AND_SHADOW")


def _fits(value: object, kind: str) -> bool:
    if kind == "Number":
        return number(value) is not None
    return isinstance(value, bool) if kind == "Boolean" else isinstance(value, str)


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdecimal():
        raise invalid("nextToken is not valid")
    return int(token)
