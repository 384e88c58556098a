"""Probes of Device Update as it was made: account, instance, and the hub that the instance belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from adapters.azure.probes.arm import Version
from adapters.azure.probes.made import Made
from adapters.azure.probes.reading import Reading, Subscription
from adapters.made import Faults, unless

DONE = "Succeeded"


class AccountProperties(msgspec.Struct, frozen=True, rename="camel"):
    """An account, as far as it is looked at."""

    host_name: str = ""
    provisioning_state: str = ""


class Account(msgspec.Struct, frozen=True):
    """Microsoft.DeviceUpdate/accounts."""

    properties: AccountProperties = AccountProperties()


class LinkedHub(msgspec.Struct, frozen=True, rename="camel"):
    """A hub whose devices an instance updates."""

    resource_id: str = ""


class InstanceProperties(msgspec.Struct, frozen=True, rename="camel"):
    """An instance, as far as it is looked at."""

    iot_hubs: tuple[LinkedHub, ...] = ()
    provisioning_state: str = ""


class Instance(msgspec.Struct, frozen=True):
    """Microsoft.DeviceUpdate/accounts/instances."""

    properties: InstanceProperties = InstanceProperties()


def updates(at: Subscription, made: Made) -> Iterator[Reading]:
    """Those that are named."""
    if made.device_update_account_id:
        id_ = made.device_update_account_id
        what, read = f"the Device Update account {_name(id_)}", partial(_account, at, id_)
        yield Reading(at, "device_update_account_id", what, id_, read, "device_update_account_name")
    if made.device_update_instance_id:
        id_ = made.device_update_instance_id
        what, read = f"the Device Update instance {_name(id_)}", partial(_instance, at, id_, made.hub_id)
        yield Reading(at, "device_update_instance_id", what, id_, read, "device_update_instance_name")


def _account(at: Subscription, id_: str) -> Faults:
    found, theirs = at.arm.read(id_, Version.DEVICE_UPDATE, Account).properties, at.settings.endpoint
    same = found.host_name.casefold() == theirs.casefold()
    yield from unless(holds=same, needs=f"endpoint of the fleet to be {found.host_name}; it is {theirs}")
    yield from _made(found.provisioning_state, id_)


def _instance(at: Subscription, id_: str, hub_id: str | None) -> Faults:
    found, theirs = at.arm.read(id_, Version.DEVICE_UPDATE, Instance).properties, at.settings.instance
    yield from unless(holds=_name(id_) == theirs, needs=f"instance of the fleet to be {_name(id_)}; it is {theirs}")
    yield from _made(found.provisioning_state, id_)
    linked = {each.resource_id.casefold() for each in found.iot_hubs}
    holds = hub_id is None or hub_id.casefold() in linked
    yield from unless(holds=holds, needs=f"the hub {hub_id} in the instance {_name(id_)}")


def _made(state: str, id_: str) -> Faults:
    yield from unless(holds=state == DONE, needs=f"{_name(id_)} to be {DONE}; it is {state or 'not said'}")


def _name(id_: str) -> str:
    return id_.rpartition("/")[2]
