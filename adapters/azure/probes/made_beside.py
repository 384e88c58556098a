"""Probes of what stands beside a fleet: how devices enrol, and what people watch by."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from adapters.azure.probes.arm import Version
from adapters.azure.probes.made import Made
from adapters.azure.probes.reading import Reading, Subscription
from adapters.made import Faults, unless

PROVISIONING = "enable_provisioning"


class LinkedHub(msgspec.Struct, frozen=True):
    """A hub to which devices are sent."""

    name: str = ""


class ProvisioningProperties(msgspec.Struct, frozen=True, rename="camel"):
    """A Device Provisioning Service, as far as it is looked at."""

    state: str = ""
    id_scope: str = ""
    device_provisioning_host_name: str = ""
    iot_hubs: tuple[LinkedHub, ...] = ()


class Provisioning(msgspec.Struct, frozen=True):
    """Microsoft.Devices/provisioningServices."""

    properties: ProvisioningProperties = ProvisioningProperties()


def beside(at: Subscription, made: Made) -> Iterator[Reading]:
    """Those that are named."""
    if made.provisioning_id:
        id_, read = made.provisioning_id, partial(_provisioning, at, made.provisioning_id, made)
        yield Reading(at, "provisioning_id", f"the provisioning service {_name(id_)}", id_, read, PROVISIONING)
    for field, what, other, version in (
        ("log_analytics_workspace_id", "the workspace", made.log_analytics_workspace_id, Version.WORKSPACE),
        ("workbook_id", "the workbook", made.workbook_id, Version.WORKBOOK),
    ):
        if other:
            yield Reading(at, field, f"{what} {_name(other)}", other, partial(_there, at, other, version))


def _provisioning(at: Subscription, id_: str, made: Made) -> Faults:
    found, name = at.arm.read(id_, Version.PROVISIONING, Provisioning).properties, _name(id_)
    yield from unless(holds=found.state == "Active", needs=f"{name} to be Active; it is {found.state or 'not said'}")
    for field, told, has in (
        ("provisioning_id_scope", made.provisioning_id_scope, found.id_scope),
        ("provisioning_host", made.provisioning_host, found.device_provisioning_host_name),
    ):
        yield from unless(holds=told in (None, has), needs=f"{field} to be {has}; Terraform's output says {told}")
    hub, linked = at.settings.hub, {each.name.casefold() for each in found.iot_hubs}
    yield from unless(holds=hub.casefold() in linked, needs=f"the hub {hub} linked to {name}", variable=PROVISIONING)


def _there(at: Subscription, id_: str, version: Version) -> Faults:
    at.arm.read(id_, version, dict[str, msgspec.Raw])
    return ()


def _name(id_: str) -> str:
    return id_.rpartition("/")[2]
