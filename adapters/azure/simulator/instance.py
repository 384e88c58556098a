"""One instance of Device Update put together with the storage account and the content hosts that it works with."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from werkzeug.routing import Map, Submount

from adapters.azure.simulator import deployment_routes, device_routes, diagnostics, update_routes
from adapters.azure.simulator.blob_access import BlobAccess
from adapters.azure.simulator.blob_routes import BlobRoutes
from adapters.azure.simulator.blob_sas import Delegation
from adapters.azure.simulator.blob_store import BlobStore
from adapters.azure.simulator.content import ContentHost
from adapters.azure.simulator.delivery import Switches
from adapters.azure.simulator.device_update import Delays, DeviceUpdate
from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.identity import Identity
from adapters.azure.simulator.importing import Importer
from adapters.azure.simulator.instance_routes import InstanceRoutes
from adapters.azure.simulator.signing import service_keys
from adapters.azure.simulator.throttle import Throttle
from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Faults


@dataclass(frozen=True, slots=True)
class Names:
    """What the resources are called."""

    account: str = "otabridgesim"
    instance: str = "simulated"
    storage_account: str = "otabridgestore"
    container: str = "otabridge"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What everything here stands on."""

    directory: Path
    hub: Hub
    clock: VirtualClock
    faults: Faults
    identity: Identity


class Instance:
    """Device Update, storage and content, not yet served. `wake` asks for a `service.catch_up` soon."""

    def __init__(
        self, at: Surroundings, names: Names, *, delays: Delays, switches: Switches, wake: Callable[[], None]
    ) -> None:
        self.throttle = Throttle(at.clock.now)
        self.store = BlobStore(at.directory / "blobs", at.clock.now)
        self.store.create(names.container)
        self.store.create(diagnostics.CONTAINER)
        delegation = Delegation(names.storage_account, secrets.token_bytes(32))
        access = BlobAccess(names.storage_account, self.store, delegation, at.identity, at.clock.now)
        self.content = ContentHost(f"{names.instance}--{names.account}", at.directory / "content", at.faults)
        self.service = DeviceUpdate(
            at.hub, self.content, service_keys(), clock=at.clock, delays=delays, switches=switches, wake=wake
        )
        self.logs = diagnostics.LogCollections(self.service, access)
        self.blob_routes = BlobRoutes(self.store, access, at.identity, at.faults)
        self.routes = self._routes(at, names, Importer(access, self.content, self.service.updates))

    def _routes(self, at: Surroundings, names: Names, importer: Importer) -> InstanceRoutes:
        base = f"/deviceUpdate/{names.instance}"
        return InstanceRoutes(
            self.service,
            at.identity,
            at.faults,
            throttle=self.throttle,
            rules=_rules_below(base),
            parts=[
                update_routes.UpdateRoutes(self.service, importer, base),
                deployment_routes.DeploymentRoutes(self.service, at.clock.now),
                device_routes.DeviceRoutes(self.service),
                self.logs,
            ],
        )


@cache
def _rules_below(base: str) -> Map:
    """Made once for each place: to compile the rules takes longer than to answer many requests."""
    rules = [*update_routes.RULES, *deployment_routes.RULES, *device_routes.RULES, *diagnostics.RULES]
    return Map([Submount(base, [rule.empty() for rule in rules])])
