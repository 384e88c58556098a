"""Tells each device its goal: what its desired properties say of Device Update, whenever that should be otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.azure.simulator.content import ContentHost
from adapters.azure.simulator.deployments import Deployment, Participant
from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.signing import ServiceKeys, root_key_package, sign_manifest
from adapters.azure.simulator.updates import UpdateStore
from adapters.azure.simulator.wire_manifest import ManifestWriter

LONGEST_TEXT = 4096
"""What a string of a twin may have, in bytes; longer manifests are detached."""
PROCESS, CANCEL = 3, 255
NO_DEPLOYMENT = "nodeployment"
Json = dict[str, object]


@dataclass(eq=False)
class Switches:
    """How deliveries from now on depart from the usual; every one of them is something that happens to real devices.

    detached: manifests of more bytes than this are delivered as a file; 0 detaches all
    missing_root_key_package: the goal names no root key package
    tamper_manifest: the manifest is changed after it was signed
    idle_cancel: devices that never had a deployment are told so
    idle_first: before another deployment a device is told that it has none, for as long as a delivery takes
    """

    detached: int = LONGEST_TEXT
    missing_root_key_package: bool = False
    tamper_manifest: bool = False
    idle_cancel: bool = False
    idle_first: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """What tells goals apart: a workflow and the time of its retry; no workflow is idle."""

    workflow_id: str = ""
    retry: str | None = None


IDLE = Goal()


class Delivery:
    """Writes goals into twins and remembers them. Its owner locks."""

    def __init__(
        self, hub: Hub, updates: UpdateStore, content: ContentHost, keys: ServiceKeys, switches: Switches
    ) -> None:
        self._hub = hub
        self._content = content
        self._switches = switches
        self._writer = ManifestWriter(updates, content)
        self._keys = keys
        self._package = 1
        self._package_location = self._publish()
        self._told: dict[str, Goal] = {}
        self._workflows: dict[str, dict[str, None]] = {}
        self._signatures: dict[str, str] = {}

    def differs(self, device_id: str, goal: Goal) -> bool:
        """Whether a device has to be told."""
        if goal == IDLE and device_id not in self._told and not self._switches.idle_cancel:
            return False
        return self._told.get(device_id) != goal

    def clears_first(self, device_id: str, goal: Goal) -> bool:
        """Whether a device hears that it has no deployment before it hears of this one."""
        if not self._switches.idle_first or IDLE in (goal, self._told.get(device_id)):
            return False
        return goal.workflow_id not in self._workflows.get(device_id, {})

    def tell(self, device_id: str, goal: Goal, deployment: Deployment | None) -> None:
        """Write the goal. Raises: HubError, the twin cannot take it."""
        service = _idle() if deployment is None else self._service(deployment, goal)
        self._hub.patch_twin(device_id, {"properties": {"desired": {"deviceUpdate": self._patch(device_id, service)}}})
        self._told[device_id] = goal
        if deployment is not None:
            self._workflows.setdefault(device_id, {})[goal.workflow_id] = None

    def forget(self, device_id: str) -> None:
        """The device is gone, or whatever it was told is to be written again."""
        self._told.pop(device_id, None)

    def workflows(self, device_id: str) -> tuple[str, ...]:
        """Every workflow that a device was ever told to process, in order."""
        return tuple(self._workflows.get(device_id, ()))

    def renew_root_key_package(self, *, disable_signer: bool = False) -> None:
        """Publish the next version, which may forbid the signing key; that key goes on signing."""
        self._package += 1
        self._package_location = self._publish(*([self._keys.signer_hash()] if disable_signer else []))

    def _service(self, deployment: Deployment, goal: Goal) -> Json:
        manifest = self._writer.write(deployment.update, self._switches.detached)
        service: Json = {
            "workflow": _workflow(goal),
            "updateManifest": self._delivered(manifest.text),
            "updateManifestSignature": self._signature(manifest.text),
            "fileUrls": {
                name: self._content.url(location, secure=deployment.secure)
                for name, location in manifest.locations.items()
            },
        }
        if not self._switches.missing_root_key_package:
            service["rootKeyPackageUrl"] = self._content.url(self._package_location, secure=deployment.secure)
        return service

    def _delivered(self, text: str) -> str:
        """Tampered with, it still says the same, in other bytes than those that were signed."""
        return "{ " + text[1:] if self._switches.tamper_manifest else text

    def _signature(self, text: str) -> str:
        if text not in self._signatures:
            self._signatures[text] = sign_manifest(self._keys, text)
        return self._signatures[text]

    def _publish(self, *disabled_signers: str) -> str:
        package = root_key_package(self._keys, self._package, disabled_signers=disabled_signers)
        return self._content.publish_keys(f"rootkeypackage-{self._package}.json", package)

    def _patch(self, device_id: str, service: Json) -> Json:
        """The whole goal, and a null for whatever of an earlier one is not part of it."""
        component = self._hub.desired(device_id).get("deviceUpdate")
        old = component.get("service") if isinstance(component, Mapping) else None
        return {"__t": "c", "service": _replacing(old, service)}


def goal_of(deployment: Deployment | None, participant: Participant | None) -> Goal:
    """The goal of a device in a deployment."""
    if deployment is None:
        return IDLE
    return Goal(deployment.workflow_id, participant.retry if participant else None)


def _workflow(goal: Goal) -> Json:
    workflow: Json = {"action": PROCESS, "id": goal.workflow_id}
    return workflow if goal.retry is None else {**workflow, "retryTimestamp": goal.retry}


def _idle() -> Json:
    workflow = {"action": CANCEL, "id": NO_DEPLOYMENT}
    return {"workflow": workflow, "updateManifest": None, "updateManifestSignature": None, "fileUrls": None}


def _replacing(old: object, new: Json) -> Json:
    """A merge patch that makes `old` into `new` and repeats all of it."""
    if not isinstance(old, Mapping):
        return new
    patch: Json = {name: None for name in old if name not in new}
    for name, value in new.items():
        patch[name] = _replacing(old.get(name), value) if isinstance(value, dict) else value
    return patch
