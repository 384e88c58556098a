"""Probes of the roles that Azure's own services have on each other, by which updates reach devices and events leave."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from adapters.azure.probes.arm import Version
from adapters.azure.probes.made import Made
from adapters.azure.probes.made_hub import event_hub_id, read_hub
from adapters.azure.probes.reading import Reading, Subscription
from adapters.made import Faults, unless
from bridge.probing import Finding, Found, Probe, Stated

HUB_CONTRIBUTOR = ("IoT Hub Data Contributor", "4fc6c259-987e-4a07-842e-c321cc9d413f")
EVENT_SENDER = ("Azure Event Hubs Data Sender", "2b629674-e913-4c01-ae53-ef4638d8f975")
"""Built-in roles and the ids of their definitions, the same in every tenant (Azure built-in roles)."""
ON_HUB, ON_EVENTS = "device_update_principal_id", "event_hub sender"
VARIABLE = "device_update_principal_id"


class AssignmentProperties(msgspec.Struct, frozen=True, rename="camel"):
    """Who has which role."""

    role_definition_id: str = ""
    principal_id: str = ""


class Assignment(msgspec.Struct, frozen=True):
    """Microsoft.Authorization/roleAssignments."""

    properties: AssignmentProperties = AssignmentProperties()


def grants(at: Subscription, made: Made) -> Iterator[Probe]:
    """That of Device Update on the hub, and that of the hub on the event hub."""
    if not made.hub_id:
        return
    yield _on_hub(at, made.hub_id, made.device_update_principal_id)
    if made.event_hub and made.event_hub_namespace:
        scope = event_hub_id(made)
        read = partial(_of_hub, at, made.hub_id, scope)
        yield Reading(at, ON_EVENTS, f"the roles on the event hub {made.event_hub}", scope, read)


def _on_hub(at: Subscription, hub_id: str, principal: str | None) -> Probe:
    if principal is None:
        said = f"whose role on the hub is Device Update's is not known while {VARIABLE} is null"
        return Stated(ON_HUB, "read the roles on the hub", Finding(Found.SKIPPED, said))
    read = partial(_has, at, hub_id, principal, HUB_CONTRIBUTOR, VARIABLE)
    return Reading(at, ON_HUB, "the roles on the hub, for Device Update's", hub_id, read)


def _of_hub(at: Subscription, hub_id: str, scope: str) -> Faults:
    return _has(at, scope, read_hub(at, hub_id).identity.principal_id, EVENT_SENDER, "")


def _has(at: Subscription, scope: str, principal: str, role: tuple[str, str], variable: str) -> Faults:
    name, definition = role
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
    query = {"$filter": "atScope()"}
    found = at.arm.read_all(path, Version.AUTHORIZATION, Assignment, **query)
    holds = any(_is(each.properties, principal, definition) for each in found)
    yield from unless(holds=holds, needs=f"role {name} on {scope} for {principal}", variable=variable)


def _is(given: AssignmentProperties, principal: str, definition: str) -> bool:
    """Of the definition's id only the last part is the same in every subscription."""
    role = given.role_definition_id.rpartition("/")[2]
    return (given.principal_id.casefold(), role.casefold()) == (principal.casefold(), definition)
