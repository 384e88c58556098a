"""Probes of the storage container. Writing is proven by replacing a version that no blob has: storage refuses that for
its condition once it has allowed it, and nothing is written.
"""

from __future__ import annotations

from adapters.azure.fleet.refusals import NOT_FOUND, PRECONDITION, Waiting
from adapters.azure.fleet.services import Services
from adapters.azure.fleet.storage import NO_CONTAINER
from adapters.azure.probes.answers import Meaning
from adapters.azure.probes.calls import NOWHERE, Call
from bridge.probing import Duty

CONTRIBUTOR = "Storage Blob Data Contributor"
STORES = {Duty.CONTROLLER: CONTRIBUTOR, Duty.PUBLISHER: CONTRIBUTOR}
LOOKS = {**STORES, Duty.VIEWER: "Storage Blob Data Reader"}
SIGNS = {Duty.CONTROLLER: "Storage Blob Delegator"}
NO_VERSION = '"0x0"'
HOURS = 1


def _read(services: Services) -> object:
    return services.storage.read(services.storage.path(NOWHERE))


def _write(services: Services) -> None:
    try:
        services.storage.write(services.storage.path(NOWHERE), b"", NO_VERSION)
    except Waiting:
        """It was refused for its condition, which is looked at after the permission."""


def _sign(services: Services) -> object:
    return services.storage.link(services.storage.path(NOWHERE), HOURS)


def container(services: Services) -> tuple[Call, ...]:
    """The probes of one container."""
    here = Meaning((NOT_FOUND, PRECONDITION), (NO_CONTAINER,), container_name(services), "artifact_container_name")
    return (
        Call("blobs/read", "read a blob that is not there", _read, LOOKS, here),
        Call("blobs/write", "replace a version that no blob has", _write, STORES, here),
    )


def container_name(services: Services) -> str:
    """The container, for people."""
    return f"container {services.settings.container} of {services.settings.storage_url}"


ACCOUNT = (Call("generateUserDelegationKey", "ask for a key that signs links", _sign, SIGNS),)
"""The probe of the storage account."""
