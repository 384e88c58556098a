"""Probes of the hub as it was made: its tier, its routes, and what takes their events."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from adapters.azure.probes.arm import Version
from adapters.azure.probes.made import Made
from adapters.azure.probes.reading import Reading, Subscription
from adapters.made import Faults, unless

SOURCES = ("TwinChangeEvents", "DeviceLifecycleEvents", "DeviceConnectionStateEvents")
"""Of the module's three routes."""
TIERS = ("S1", "S2", "S3", "F1")
"""With which Device Update works."""


class Sku(msgspec.Struct, frozen=True):
    """Its tier."""

    name: str = ""


class Route(msgspec.Struct, frozen=True, rename="camel"):
    """Events of one source, to endpoints."""

    source: str
    endpoint_names: tuple[str, ...] = ()
    is_enabled: bool = False


class Endpoint(msgspec.Struct, frozen=True, rename="camel"):
    """An event hub to which routes lead."""

    name: str
    entity_path: str = ""
    endpoint_uri: str = ""


class Endpoints(msgspec.Struct, frozen=True, rename="camel"):
    """Those of a hub."""

    event_hubs: tuple[Endpoint, ...] = ()


class Routing(msgspec.Struct, frozen=True):
    """Where a hub's events go."""

    routes: tuple[Route, ...] = ()
    endpoints: Endpoints = Endpoints()


class HubProperties(msgspec.Struct, frozen=True, rename="camel"):
    """A hub, as far as it is looked at."""

    state: str = ""
    host_name: str = ""
    routing: Routing = Routing()


class Assigned(msgspec.Struct, frozen=True, rename="camel"):
    """The identity that Azure gave it."""

    principal_id: str = ""


class Hub(msgspec.Struct, frozen=True):
    """Microsoft.Devices/IotHubs."""

    sku: Sku = Sku()
    properties: HubProperties = HubProperties()
    identity: Assigned = Assigned()


def hub(at: Subscription, made: Made) -> Iterator[Reading]:
    """The hub, and what stands behind its routes, as far as they are named."""
    if not made.hub_id:
        return
    name = made.hub_id.rpartition("/")[2]
    yield Reading(at, "hub_id", f"the hub {name}", made.hub_id, partial(_hub, at, made.hub_id), "hub_name")
    if made.event_hub and made.event_hub_namespace:
        routes = partial(_routes, at, made.hub_id, made.event_hub_namespace, made.event_hub)
        yield Reading(at, "event_hub routes", f"the routes of the hub {name}", made.hub_id, routes)
        yield from _events(at, made, event_hub_id(made))


def event_hub_id(made: Made) -> str:
    """The event hub's, which is in the hub's group."""
    namespace = f"providers/Microsoft.EventHub/namespaces/{made.event_hub_namespace}"
    return f"{group_id(made)}/{namespace}/eventhubs/{made.event_hub}"


def group_id(made: Made) -> str:
    """That of the group that all is in."""
    return (made.hub_id or "").partition("/providers/")[0]


def _events(at: Subscription, made: Made, id_: str) -> Iterator[Reading]:
    yield Reading(at, "event_hub", f"the event hub {made.event_hub}", id_, partial(_there, at, id_))
    if made.event_consumer_group:
        group = f"{id_}/consumergroups/{made.event_consumer_group}"
        what = f"the consumer group {made.event_consumer_group}"
        yield Reading(at, "event_consumer_group", what, group, partial(_there, at, group))


def read_hub(at: Subscription, id_: str) -> Hub:
    """Raises: what Arm does."""
    return at.arm.read(id_, Version.HUB, Hub)


def _hub(at: Subscription, id_: str) -> Faults:
    found, theirs = read_hub(at, id_), at.settings.hub
    host = found.properties.host_name
    yield from unless(
        holds=host.casefold() == theirs.casefold(), needs=f"hub of the fleet to be {host}; it is {theirs}"
    )
    state = found.properties.state
    yield from unless(holds=state == "Active", needs=f"the hub to be Active; it is {state or 'not said'}")
    tier = found.sku.name
    yield from unless(holds=tier in TIERS, needs=f"a standard tier of the hub; it is {tier}", variable="hub_sku")


def _routes(at: Subscription, id_: str, namespace: str, event_hub: str) -> Faults:
    routing = read_hub(at, id_).properties.routing
    ends = {each.name for each in routing.endpoints.event_hubs if _leads(each, namespace, event_hub)}
    yield from unless(holds=bool(ends), needs=f"an endpoint of the hub at the event hub {event_hub} of {namespace}")
    routed = {each.source for each in routing.routes if each.is_enabled and ends.intersection(each.endpoint_names)}
    lacks = [source for source in SOURCES if source not in routed]
    yield from unless(holds=not lacks, needs=f"an enabled route of {', '.join(lacks)} to the event hub {event_hub}")


def _leads(endpoint: Endpoint, namespace: str, event_hub: str) -> bool:
    host = endpoint.endpoint_uri.removeprefix("sb://").partition(".")[0]
    return (host.casefold(), endpoint.entity_path) == (namespace.casefold(), event_hub)


def _there(at: Subscription, id_: str) -> Faults:
    at.arm.read(id_, Version.EVENT_HUB, dict[str, msgspec.Raw])
    return ()
