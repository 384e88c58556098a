"""The probes of a fleet in Azure, in the order in which a person would look."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from azure.identity import DefaultAzureCredential

from adapters.azure.fleet.pacing import SystemClock
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.settings import parse_settings
from adapters.azure.probes.arm import PUBLIC
from adapters.azure.probes.calls import AzureCall
from adapters.azure.probes.container import ACCOUNT, container, container_name
from adapters.azure.probes.device_update import device_update
from adapters.azure.probes.hub import HUB
from adapters.azure.probes.identity import Identity
from adapters.azure.probes.made import Made
from adapters.azure.probes.made_beside import beside
from adapters.azure.probes.made_grants import grants
from adapters.azure.probes.made_hub import hub
from adapters.azure.probes.made_keys import keys
from adapters.azure.probes.made_storage import storage
from adapters.azure.probes.made_updates import updates
from adapters.azure.probes.reading import Subscription
from adapters.made import named, unknown
from bridge.errors import UsageError
from bridge.probing import Probe

MANAGEMENT_URL = "OTABRIDGE_AZURE_MANAGEMENT_URL"
"""The variable with another address of Resource Manager, for Azure's other clouds and for simulators."""


def probes(name: str, settings: Mapping[str, object], resources: Mapping[str, object]) -> tuple[Probe, ...]:
    """What proves the fleet `name`, and the `resources` of its `tool_config`; nothing is called yet.

    Raises: UsageError naming the field.
    """
    read, made = parse_settings(name, settings), named(name, resources, Made)
    services = Services(read, SystemClock())
    scopes = (
        (container(services), container_name(services)),
        (ACCOUNT, f"storage account {read.storage_url}"),
        (HUB, f"IoT hub {read.hub}"),
        (device_update(services), f"Device Update account {read.endpoint}"),
    )
    calls = (AzureCall(name, services, call, scope) for part, scope in scopes for call in part)
    at = Subscription(name, read, _management_url(), DefaultAzureCredential)
    return (Identity(name), *calls, *made_probes(at, made), *unknown(resources, Made))


def made_probes(at: Subscription, made: Made) -> Iterator[Probe]:
    """What proves the resources alone, in the order in which one needs the other."""
    yield from (*storage(at, made), *hub(at, made), *updates(at, made), *grants(at, made))
    yield from (*keys(at, made), *beside(at, made))


def _management_url() -> str:
    """Raises: UsageError: a token goes there."""
    url = os.environ.get(MANAGEMENT_URL) or PUBLIC
    if not url.startswith("https://"):
        raise UsageError(f"{MANAGEMENT_URL} is {url!r}; it must begin with https://")
    return url
