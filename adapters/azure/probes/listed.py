"""The probes of a fleet in Azure, in the order in which a person would look."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.azure.fleet.pacing import SystemClock
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.settings import parse_settings
from adapters.azure.probes.calls import AzureCall
from adapters.azure.probes.container import ACCOUNT, container, container_name
from adapters.azure.probes.device_update import device_update
from adapters.azure.probes.hub import HUB
from adapters.azure.probes.identity import Identity
from bridge.probing import Probe


def probes(name: str, settings: Mapping[str, object]) -> tuple[Probe, ...]:
    """What proves the fleet `name`; nothing is called yet. Raises: UsageError naming the field."""
    read = parse_settings(name, settings)
    services = Services(read, SystemClock())
    scopes = (
        (container(services), container_name(services)),
        (ACCOUNT, f"storage account {read.storage_url}"),
        (HUB, f"IoT hub {read.hub}"),
        (device_update(services), f"Device Update account {read.endpoint}"),
    )
    calls = (AzureCall(name, services, call, scope) for part, scope in scopes for call in part)
    return (Identity(name), *calls)
