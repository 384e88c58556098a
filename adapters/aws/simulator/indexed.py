"""Things as fleet indexing sees them: registry, shadows and connections of what moto keeps, behind field names."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from moto.iot.models import FakeThing
from moto.iotdata.models import FakeShadow

from adapters.aws.simulator.index_requests import ThingIndexing

Node = Mapping[str, object]
"""One JSON object."""


@dataclass(frozen=True)
class Scope:
    """What the index holds beside the things themselves. `groups` names a thing's groups by the thing's ARN."""

    config: ThingIndexing
    groups: Callable[[str], Collection[str]]
    connected: frozenset[str]

    @property
    def classic(self) -> bool:
        """Whether the shadow without a name is indexed."""
        return self.config.thing_indexing_mode == "REGISTRY_AND_SHADOW"

    def names(self, shadow: str) -> bool:
        """Whether the named shadow is indexed."""
        on = self.config.named_shadow_indexing_mode == "ON"
        return on and shadow in self.config.filter.named_shadow_names


class IndexedThing:
    """One thing; `adapters.aws.simulator.query.Fields`."""

    __slots__ = ("_scope", "_thing")

    def __init__(self, thing: FakeThing, scope: Scope) -> None:
        self._thing = thing
        self._scope = scope

    def values(self, field: str) -> Iterable[object]:
        """What the field holds: nothing, one value, or each element of a list."""
        path = steps(field)
        match path[0]:
            case "attributes":
                return _flat(self._thing.attributes.get(".".join(path[1:])))
            case "shadow":
                return _flat(self._of_shadow(path[1:]))
            case "connectivity":
                return _flat(self._connectivity().get(path[1]))
            case "registry":
                return (self._thing.version,) if path[1] == "version" else self._of_registry(path[1])
        return self._of_registry(path[0])

    def everything(self) -> Iterable[object]:
        """The values of the registry's fields."""
        yield from self._of_registry("thingName")
        yield from self._of_registry("thingTypeName")
        yield from self._of_registry("thingGroupNames")
        yield from self._thing.attributes.values()

    def shown(self) -> dict[str, object]:
        """The thing as SearchIndex answers it, without what the index does not hold."""
        thing = self._thing.to_dict(include_thing_id=True)
        keep = ("thingName", "thingId", "thingTypeName", "attributes")
        shown: dict[str, object] = {name: thing[name] for name in keep if name in thing}
        late = {"shadow": self._shadows(), "connectivity": self._connectivity()}
        shown["thingGroupNames"] = sorted(self._scope.groups(self._thing.arn))
        return {**shown, **{name: value for name, value in late.items() if value}}

    def _of_registry(self, field: str) -> Iterable[object]:
        thing = self._thing
        match field:
            case "thingName":
                return (thing.thing_name,)
            case "thingId":
                return (thing.thing_id,)
            case "thingTypeName":
                return (thing.thing_type.thing_type_name,) if thing.thing_type else ()
            case "thingGroupNames":
                return self._scope.groups(thing.arn)
        return ()

    def _of_shadow(self, path: tuple[str, ...]) -> object:
        named = path[0] == "name"
        if not (self._scope.names(path[1]) if named else self._scope.classic):
            return None
        shadow = self._thing.thing_shadows.get(path[1] if named else None)
        if shadow is None or shadow.deleted:
            return None
        part, *below = path[2:] if named else path
        if part == "hasDelta":
            return "delta" in shadow.to_dict()["state"]
        held = {"reported": shadow.reported, "desired": shadow.desired}.get(part)
        return _below(held if held is not None else _late(shadow.to_dict(), part), below)

    def _shadows(self) -> str:
        """The indexed shadows as text, as the service gives them; "" where there are none."""
        held = {name: _shown(each) for name, each in self._thing.thing_shadows.items() if not each.deleted}
        named = {name: each for name, each in held.items() if name is not None and self._scope.names(name)}
        classic = held.get(None, {}) if self._scope.classic else {}
        document = {**classic, **({"name": named} if named else {})}
        return json.dumps(document) if document else ""

    def _connectivity(self) -> Node:
        if self._scope.config.thing_connectivity_indexing_mode == "OFF":
            return {}
        return {"connected": self._thing.thing_name in self._scope.connected}


@functools.lru_cache(maxsize=256)
def steps(field: str) -> tuple[str, ...]:
    """A field's path."""
    return tuple(field.split("."))


def _shown(shadow: FakeShadow) -> Node:
    document = shadow.to_dict()
    state = {part: value for part, value in document["state"].items() if part != "delta"}
    rest = {"metadata": document["metadata"], "version": document["version"]}
    return {**state, **rest, "hasDelta": "delta" in document["state"]}


def _late(document: Node, part: str) -> object:
    """Members that are worked out only when somebody asks."""
    state = document.get("state")
    return document.get("metadata") if part == "metadata" else _below(state, [part])


def _below(node: object, path: list[str]) -> object:
    for step in path:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _flat(value: object) -> Iterable[object]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)
