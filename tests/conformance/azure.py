"""Azure for the conformance suite: the simulator of this project, with Azure's own libraries on both sides."""

from __future__ import annotations

import hashlib
import itertools
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import msgspec
import pytest
import requests

from adapters.azure.cloud import AzureFleet
from adapters.azure.device import AzureChannel, open_channel
from adapters.azure.fleet.settings import AzureFleetSettings
from adapters.azure.formats.import_manifest import File, ImportManifest, Step, render
from adapters.azure.simulator.simulator import AzureSimulator
from adapters.azure.wire import HANDLER, RELEASE_FILE, ROOTS_FILE, UpdateId, render_roots
from adapters.simulation.faults import Effect
from adapters.simulation.http import QuietHandler
from bridge.fleet import Fleet
from tests.conformance.cloud import End, Trouble
from tests.releases import MODEL, Package

PROVIDER = "Contoso"
MANUFACTURER = "contoso"
MODEL_ID = "dtmi:azure:iot:deviceUpdateModel;3"
CONTRACT = "dtmi:azure:iot:deviceUpdateContractModel;3"
LONG_AGO = "2020-01-01T00:00:00Z"
APT = b'{"name": "tree", "version": "1.0", "packages": [{"name": "tree"}]}'
TROUBLES = {
    Trouble.OFFER_LOST: ("twin_get", Effect.LOSE_REPLY),
    Trouble.OFFER_DROPPED: ("twin_get", Effect.DISCONNECT),
    Trouble.OFFER_THROTTLED: ("twin_get", Effect.THROTTLE),
    Trouble.OFFER_TWICE: ("desired", Effect.DUPLICATE),
    Trouble.REPORT_UNHEARD: ("twin_patch", Effect.LOSE_REQUEST),
    Trouble.REPORT_LOST: ("twin_patch", Effect.LOSE_REPLY),
    Trouble.REPORT_DROPPED: ("twin_patch", Effect.DISCONNECT),
    Trouble.REPORT_THROTTLED: ("twin_patch", Effect.THROTTLE),
    Trouble.ANY_DROPPED: ("twin_*", Effect.DISCONNECT),
    Trouble.DOWNLOAD_CUT: ("content", Effect.CUT_BODY),
    Trouble.DOWNLOAD_CORRUPT: ("content", Effect.CORRUPT_BODY),
    Trouble.DOWNLOAD_EXPIRED: ("content", Effect.EXPIRED),
    Trouble.DOWNLOAD_REFUSED: ("content", Effect.SERVER_ERROR),
}
"""Operations of the simulator, and what happens to them."""
ARTIFACTS = "*.full"
LOOKS = ("GET /jobs/v2/", "GET /deviceUpdate/")
"""Calls that ask whether Azure has come so far."""
SPOILED_AT = 1000


class AzureSimulatorCloud:
    """One hub with its Device Update instance; also an account whose holder means harm."""

    name = "azure"
    differences: Mapping[str, str] = {
        "test_offers_come_one_after_the_other": (
            "a device is in one group, so that the second order waits in `start` until the first lets go of it"
        ),
    }

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.simulator = AzureSimulator(folder / "simulator").start()
        self.simulator.throttle.per_minute.clear()  # a suite is busier than an operator
        now = self.simulator.clock.now
        monkeypatch.setattr(QuietHandler, "date_time_string", lambda *_: formatdate(now(), usegmt=True))
        for name, value in self.simulator.environment().items():
            monkeypatch.setenv(name, value)
        self._fleet = AzureFleet("factory", self._fleet_settings())
        self.fleet: Fleet = self._fleet
        self.by_bucket: Fleet = AzureFleet("factory", msgspec.structs.replace(self._fleet_settings(), by_bucket=True))
        self.identities: dict[str, dict[str, object]] = {}
        self.folder = folder
        self.numbers = itertools.count(1)

    def add_device(self, device: str) -> None:
        """Register a device that has been online once: Device Update knows no other."""
        identity = self.simulator.add_device(device)
        self.identities[device] = {
            "host": identity.host,
            "device": device,
            "certificate_file": str(identity.cert_file),
            "key_file": str(identity.key_file),
            "ca_file": str(identity.ca_file),
            "manufacturer": MANUFACTURER,
            "model": MODEL,
            "root_keys_file": str(self.simulator.root_keys_file),
            "root_key_package_file": str(self.folder / f"{device}-root-keys.json"),
            "allow_http": True,
        }
        self._come_online(device, {})

    def populate(self, reported: Mapping[str, Mapping[str, object]]) -> None:
        for device, state in reported.items():
            self.simulator.hub.add_device(device, certificate_cn=device)
            self._come_online(device, {"otabridge": dict(state)})

    def condition(self, field: str, value: str) -> str:
        return f"properties.reported.otabridge.{field} = '{value}'"

    @contextmanager
    def calls(self) -> Iterator[list[str]]:
        made: list[str] = []
        really = requests.Session.request

        def counted(session, method, url, **options):
            made.append(f"{method} {urlsplit(url).path}")
            return really(session, method, url, **options)

        with patch.object(requests.Session, "request", counted):
            yield made
        made[:] = [call for call in made if not call.startswith(LOOKS) and not call.endswith("/token")]

    def pass_minute(self) -> None:
        self.simulator.clock.advance(61)

    def fetched(self, package: Package) -> int:
        return self.simulator.bytes_sent_by_name().get(package.artifact.name, 0)

    def native(self, offer: str) -> str:
        return f"{offer}/{offer}"

    def _come_online(self, device: str, own: Mapping[str, object]) -> None:
        """As an agent that connects for the first time, and hangs up."""
        about = {"manufacturer": MANUFACTURER, "model": MODEL, "contractModelId": CONTRACT, "aduVer": "DU;agent/0"}
        agent = {"deviceProperties": about, "compatPropertyNames": "manufacturer,model"}
        self.simulator.hub.set_connected(device, connected=True, model_id=MODEL_ID)
        self.simulator.hub.report(device, {"deviceUpdate": {"__t": "c", "agent": agent}, **own})
        self.simulator.hub.set_connected(device, connected=False)

    def add_group(self, group: str, devices: tuple[str, ...]) -> None:
        for device in devices:
            self._tag(device, group)

    def settings(self, device: str) -> dict[str, object]:
        patience = {"reply_seconds": 2.0, "progress_seconds": 1.0, "reconnect_seconds": 1, "backoff_seconds": 0.05}
        return {**self.identities[device], **patience}

    def channel(self, device: str) -> AzureChannel:
        return open_channel(self.settings(device))

    def offer_foreign(self, device: str) -> None:
        files = {"apt-manifest.json": APT}
        self._deploy(device, files, "foreign-apt", {"installedCriteria": "tree-1.0"}, handler="microsoft/apt:1")

    def take_back(self, device: str, offer_id: str) -> None:  # noqa: ARG002 - a device has one deployment at a time
        self._tag(device, None)

    def disturb(self, trouble: Trouble, device: str, *, skip: int = 0, times: int = 1) -> None:
        operation, effect = TROUBLES[trouble]
        subject = ARTIFACTS if operation == "content" else device
        self.simulator.faults.plan(operation, effect, subject, skip=skip, times=times, body_bytes=SPOILED_AT)

    def troubles(self) -> int:
        return len(self.simulator.faults.hits())

    def heal(self) -> None:
        self.simulator.faults.clear()

    def offer(self, device: str, package: Package, *, roots: Sequence[bytes] = (), body: bytes | None = None) -> str:
        artifact = package.artifact
        files = {RELEASE_FILE: package.document, artifact.name: body or package.files[artifact.name]}
        if roots:
            files[ROOTS_FILE] = render_roots(roots)
        return self._deploy(device, files, package.release.name, {"releaseSha256": "", "rootsSha256": ""})

    def end(self, device: str, offer: str) -> End:  # noqa: ARG002 - the newest deployment is the one that counts
        wanted = self.simulator.workflows(device)[-1]
        reported = self.simulator.hub.reported(device)
        agent = reported.get("deviceUpdate", {}).get("agent", {})
        if agent.get("workflow", {}).get("id") != wanted:
            return End("", "")
        said = reported.get("otabridge", {}).get("said", {})
        return End(said.get("outcome", ""), said.get("code", ""))

    def stop(self) -> None:
        self.simulator.stop()

    def _fleet_settings(self) -> AzureFleetSettings:
        simulator = self.simulator
        return AzureFleetSettings(
            hub=simulator.hub_name,
            endpoint=simulator.endpoint,
            instance=simulator.instance,
            storage_url=simulator.storage_url,
            container=simulator.container,
            adu_url=simulator.adu_url,
            provider=PROVIDER,
            manufacturer=MANUFACTURER,
            download_security="http",
            patience_seconds=20,
            poll_seconds=0.02,
            queries_per_minute=100_000,
            reads_per_minute=100_000,
            creates_per_minute=100_000,
        )

    def _tag(self, device: str, group: str | None) -> None:
        self.simulator.hub.patch_twin(device, {"tags": {"ADUGroup": group}})

    def _deploy(
        self, device: str, files: Mapping[str, bytes], name: str, properties: dict[str, str], *, handler: str = HANDLER
    ) -> str:
        """What an owner of the account does by hand: import, tag, deploy; the deployment's id."""
        number = next(self.numbers)
        update = UpdateId(PROVIDER, name, f"900.{number}")
        self._import(update, files, properties, handler)
        group = deployment = f"by-hand-{number}"
        self._tag(device, group)
        body: dict[str, Any] = {
            "deploymentId": deployment,
            "groupId": group,
            "startDateTime": LONG_AGO,
            "update": {"updateId": {"provider": PROVIDER, "name": name, "version": update.version}},
            "downloadSecurity": "http",
        }
        self._client.device_management.create_or_update_deployment(group, deployment, body)
        return deployment

    def _import(self, update: UpdateId, files: Mapping[str, bytes], properties: dict[str, str], handler: str) -> None:
        described = tuple(File(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items())
        model = MODEL if handler == HANDLER else "a-model-of-others"
        manifest = render(
            ImportManifest(
                version="4.0",
                update_id=update,
                compatibility=({"manufacturer": MANUFACTURER, "model": model},),
                steps=(Step(handler, tuple(files), properties),),
                files=described,
                created=datetime.now(UTC),
            )
        )
        item = {
            "importManifest": {
                "url": self._link("by-hand.importmanifest.json", manifest),
                "sizeInBytes": len(manifest),
                "hashes": {"sha256": b64encode(hashlib.sha256(manifest).digest()).decode()},
            },
            "files": [{"filename": name, "url": self._link(name, data)} for name, data in files.items()],
        }
        self._client.device_update.begin_import_update([item], polling_interval=0.02).result()

    @property
    def _client(self):
        """Device Update with the account's own rights."""
        return self._fleet._services._client

    def _link(self, name: str, data: bytes) -> str:
        storage = self._fleet._services.storage
        return storage.link(storage.put_octets(name, data), 1)
