"""Probes of storage as it was made: an account that nobody reaches by a shared key, a container that is private."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from adapters.azure.probes.arm import Version
from adapters.azure.probes.made import Made
from adapters.azure.probes.reading import Reading, Subscription
from adapters.made import Faults, unless

TLS = ("TLS1_2", "TLS1_3")


class Endpoints(msgspec.Struct, frozen=True):
    """Addresses of an account."""

    blob: str = ""


class AccountProperties(msgspec.Struct, frozen=True, rename="camel"):
    """An account, as far as it is looked at; what Azure leaves out is as it was before there was a choice."""

    primary_endpoints: Endpoints = Endpoints()
    allow_blob_public_access: bool = True
    allow_shared_key_access: bool | None = None
    https_only: bool = msgspec.field(name="supportsHttpsTrafficOnly", default=False)
    minimum_tls_version: str = "TLS1_0"


class Account(msgspec.Struct, frozen=True):
    """Microsoft.Storage/storageAccounts."""

    properties: AccountProperties = AccountProperties()


class BlobProperties(msgspec.Struct, frozen=True, rename="camel"):
    """What holds for all blobs of an account."""

    is_versioning_enabled: bool | None = None


class Blobs(msgspec.Struct, frozen=True):
    """Microsoft.Storage/storageAccounts/blobServices."""

    properties: BlobProperties = BlobProperties()


class ContainerProperties(msgspec.Struct, frozen=True, rename="camel"):
    """A container, as far as it is looked at."""

    public_access: str | None = None


class Container(msgspec.Struct, frozen=True):
    """Microsoft.Storage/storageAccounts/blobServices/containers."""

    properties: ContainerProperties = ContainerProperties()


def storage(at: Subscription, made: Made) -> Iterator[Reading]:
    """Those that are named."""
    if made.storage_account_id:
        id_ = made.storage_account_id
        what, read = f"the storage account {_name(id_)}", partial(_account, at, id_)
        yield Reading(at, "storage_account_id", what, id_, read, "storage_account_name")
    if made.container_id:
        id_ = made.container_id
        what, read = f"the container {_name(id_)}", partial(_container, at, id_)
        yield Reading(at, "container_id", what, id_, read, "artifact_container_name")


def _account(at: Subscription, id_: str) -> Faults:
    found, theirs = at.arm.read(id_, Version.STORAGE, Account).properties, at.settings.storage_url
    url = found.primary_endpoints.blob.rstrip("/")
    yield from unless(holds=url == theirs.rstrip("/"), needs=f"storage_url of the fleet to be {url}; it is {theirs}")
    yield from unless(holds=not found.allow_blob_public_access, needs=f"no public access to blobs of {_name(id_)}")
    yield from unless(holds=found.allow_shared_key_access is False, needs=f"no shared keys of {_name(id_)}")
    safe = found.https_only and found.minimum_tls_version in TLS
    yield from unless(holds=safe, needs=f"https alone, of TLS 1.2, to {_name(id_)}")
    blobs = at.arm.read(f"{id_}/blobServices/default", Version.STORAGE, Blobs).properties
    yield from unless(holds=bool(blobs.is_versioning_enabled), needs=f"versions of the blobs of {_name(id_)}")


def _container(at: Subscription, id_: str) -> Faults:
    theirs = at.settings.container
    yield from unless(holds=_name(id_) == theirs, needs=f"container of the fleet to be {_name(id_)}; it is {theirs}")
    access = at.arm.read(id_, Version.STORAGE, Container).properties.public_access
    yield from unless(holds=access in (None, "None"), needs=f"no public access to {_name(id_)}; it is {access}")


def _name(id_: str) -> str:
    return id_.rpartition("/")[2]
