"""The two clouds as a thief of the account has them: the real channels of the device over lines that say anything."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Self

from adapters.aws.device import AwsChannel
from adapters.aws.jobs import Execution, State
from adapters.aws.mqtt import AwsSettings
from adapters.azure.channel.acceptance import Acceptance
from adapters.azure.channel.files import FileRefused, Files
from adapters.azure.channel.key_store import RootKeys
from adapters.azure.channel.line import Twin
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.device import AzureChannel
from adapters.azure.wire import HANDLER, parse_reported, render_roots
from agent.cloud.channel import Channel, Offer
from agent.download.answer import place
from bridge.release.details import parse_details
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState
from tests.adapters.azure.formats.jws import root, signature
from tests.adapters.azure.formats.twin import merged
from tests.releases import Package

JOB = "attack"
BLOBS = "https://blobs.example/"


class JobsLine:
    """adapters.aws.jobs.JobsLine with one job, whatever its document is."""

    linked = True

    def __init__(self, document: object) -> None:
        self._document = document
        self._status = "IN_PROGRESS"
        self.said: Mapping[str, str] = {}

    def open(self) -> None:
        """See JobsLine."""

    def close(self) -> None:
        """See JobsLine."""

    def await_link(self, seconds: float) -> None:
        """See JobsLine."""

    def forget_news(self) -> None:
        """See JobsLine."""

    def start_next(self) -> Execution | None:
        """See JobsLine: the job, until it has ended."""
        return self._execution() if self._status == "IN_PROGRESS" else None

    def describe(self, job_id: str, number: int | None) -> Execution:  # noqa: ARG002 - there is one job
        """See JobsLine."""
        return self._execution()

    def update(self, job_id: str, status: str, details: Mapping[str, str], **_: object) -> State:  # noqa: ARG002
        """See JobsLine."""
        self._status, self.said = status, dict(details)
        return State(status, 1, dict(details))

    def describe_thing(self, reported: Mapping[str, object]) -> None:
        """See JobsLine."""

    @property
    def heard(self) -> Progress | Report | None:
        """What the device has said last."""
        return parse_details(self.said)

    def _execution(self) -> Execution:
        return Execution(JOB, self._status, 1, job_document=self._document)


class TwinLine:
    """adapters.azure.channel.line.HubLine with a twin whose desired properties are whatever the service says."""

    linked, lost, broken, device = True, False, False, "gateway-0017"

    def __init__(self, desired: Mapping[str, object]) -> None:
        self._desired = desired
        self._reported: dict[str, object] = {}

    def twin(self, seconds: float | None = None) -> Twin:  # noqa: ARG002 - see HubLine
        """See HubLine."""
        return Twin(self._desired, self._reported)

    def patch(self, reported: dict[str, object], seconds: float | None = None) -> None:  # noqa: ARG002
        """See HubLine."""
        self._reported = merged(self._reported, reported)

    def forget_news(self) -> None:
        """See HubLine."""

    def await_news(self, seconds: float) -> bool:  # noqa: ARG002
        """See HubLine."""
        return False

    def close(self) -> None:
        """See HubLine."""

    @property
    def heard(self) -> Progress | Report | None:
        """What the device has said last."""
        return parse_reported(self._reported)[1]


class Blobs(Files):
    """Files of an update, out of memory; each is held against its signed hash by the real code."""

    def __init__(self, settings: AzureSettings, blobs: Mapping[str, bytes]) -> None:
        super().__init__(settings)
        self._blobs = blobs

    def _get(self, url: str, most: int, deadline: float) -> bytes:  # noqa: ARG002 - no link to wait for
        if url not in self._blobs:
            raise FileRefused(f"{place(url)}: the server answered 404")
        return self._blobs[url]


class PinnedKeys(RootKeys):
    """One pinned root, which is not read from a file."""

    def _read_pinned(self) -> dict:
        return {"root-1": root("root-1")}


class Hearing:
    """A channel without patience that keeps what its cloud has heard at the end."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.offer: Offer | None = None  # what a person hands over; a cloud's own comes by `next_offer`

    @property
    def heard(self) -> Report | None:
        """The end that the cloud was told of."""
        said = self._channel._line.heard
        return said if isinstance(said, Report) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next_offer(self, timeout: float = 0.0) -> Offer | None:
        """See Channel."""
        return self._channel.next_offer(timeout)

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        return self._channel.renew(offer_id)

    def progress(self, offer_id: str, progress: Progress) -> None:
        """See Channel."""
        self._channel.progress(offer_id, progress)

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel."""
        self._channel.conclude(offer_id, report)

    def state(self, state: DeviceState) -> None:
        """See Channel."""
        self._channel.state(state)

    def close(self) -> None:
        """See Channel."""
        self._channel.close()


def job(packed: Package, **changes: object) -> dict[str, object]:
    """The document of an honest job, with `changes`."""
    urls = {artifact.name: f"https://store.example/{artifact.name}" for artifact in packed.release.artifacts}
    return {
        "schema": "otabridge/1",
        "operation": "ota",
        "release": {"name": packed.release.name, "version": packed.release.version},
        "metadata": base64.b64encode(packed.document).decode(),
        "roots": [],
        "artifacts": urls,
        **changes,
    }


def aws(document: object) -> AwsChannel:
    """The real channel of a thing whose queue holds a job with this document."""
    channel = AwsChannel(AwsSettings(endpoint="iot.example", thing="gateway-0017", certificate_file="c", key_file="k"))
    channel._line = JobsLine(document)
    return channel


class Deployment:
    """An honest deployment of `packed` and its parts, to be changed before `channel` is asked for."""

    def __init__(self, packed: Package, roots: tuple[bytes, ...] = ()) -> None:
        files = {"release.json": packed.document, **({"roots.json": render_roots(roots)} if roots else {})}
        self.blobs = {f"{BLOBS}{name}": data for name, data in files.items()}
        artifacts = {artifact.name: packed.files[artifact.name] for artifact in packed.release.artifacts}
        self.files = {name: _described(name, data) for name, data in {**files, **artifacts}.items()}
        self.steps: list[dict[str, object]] = [{"type": "inline", "handler": HANDLER, "files": list(self.files)}]
        self.service: dict[str, object] = {"workflow": {"action": 3, "id": JOB}}
        self.urls = {name: f"{BLOBS}{name}" for name in self.files}
        self.signature: str | None = None
        self.version: object = "4"

    @property
    def manifest(self) -> dict[str, object]:
        """The update manifest."""
        return {
            "manifestVersion": self.version,
            "updateId": {"provider": "acme", "name": "gateway-os", "version": "2.0"},
            "compatibility": [{"manufacturer": "acme", "model": "gateway-3"}],
            "instructions": {"steps": self.steps},
            "files": self.files,
        }

    @property
    def desired(self) -> dict[str, object]:
        """Desired properties as the service writes them: it signs whatever it is told to."""
        text = json.dumps(self.manifest)
        signed = {
            "updateManifest": text,
            "updateManifestSignature": self.signature or signature(text),
            "fileUrls": self.urls,
        }
        return {"deviceUpdate": {"__t": "c", "service": {**signed, **self.service}}, "$version": 3}

    def channel(self, desired: Mapping[str, object] | None = None) -> AzureChannel:
        """The real channel of a device that is deployed this, or whatever `desired` says."""
        settings = AzureSettings(
            host="hub.example",
            device="gateway-0017",
            certificate_file="c",
            key_file="k",
            manufacturer="acme",
            model="gateway-3",
            root_keys_file="none",
            attempts=1,
        )
        channel = AzureChannel(settings)
        files = Blobs(settings, self.blobs)
        channel._line = TwinLine(self.desired if desired is None else desired)
        channel._acceptance = Acceptance(files, PinnedKeys(settings, files))
        return channel


def _described(name: str, data: bytes) -> dict[str, object]:
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    return {"fileName": name, "sizeInBytes": len(data), "hashes": {"sha256": digest}}
