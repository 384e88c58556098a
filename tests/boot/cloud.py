"""The simulated AWS as a guest reaches it: TLS everywhere, and names that mean this machine there as well as here.

In the guest `localhost` is QEMU's own address of this machine (`guest/init.sh`); here it is loopback, which is all that
the simulator listens on. So the certificates, the presigned URLs and boto3 on this side need nothing special.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from adapters.aws.cloud import AwsFleet
from adapters.aws.settings import read_settings
from adapters.aws.simulated import SimulatedAws
from adapters.aws.simulator.simulator import AwsSimulator
from adapters.aws.simulator.views import ExecutionView
from bridge.fleet import StageOrder
from bridge.images import Encoding, artifact_name, build_artifact, unwatched
from bridge.names import stage_name
from bridge.release.details import parse_details
from bridge.release.manifest import Artifact
from bridge.release.report import Phase, Progress
from tests.boot.cache import digest, made_once
from tests.releases import ReleaseKit, new_release

FAR = datetime(2099, 1, 1, tzinfo=UTC)
NAME = "gateway-os"
DEVICE = "device-01"
DESCRIPTION = "artifact.json"
ORDER = tuple(Phase)
ENCODING = Encoding(level=1)
"""The guest unpacks in the same time whatever the level."""


class NamedSimulator(AwsSimulator):
    """An AwsSimulator whose URLs name it `localhost`, over TLS."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, tls=True)

    @property
    def endpoint_url(self) -> str:
        """See AwsSimulator."""
        return super().endpoint_url.replace("//127.0.0.1:", "//localhost:")


@dataclass(frozen=True, slots=True)
class Offered:
    """A release that was offered: its version, the id of its job, and the length of its artifact in bytes."""

    version: str
    job: str
    length: int


class GuestCloud:
    """One device's cloud: releases are signed, published and ordered by the control plane's own code."""

    def __init__(self, folder: Path) -> None:
        self.owner = ReleaseKit(root_expires=FAR)
        self._folder = folder
        self._simulator = NamedSimulator(folder / "cloud").start()
        self._aws = SimulatedAws(self._simulator)
        settings = {**self._aws.fleet(), "endpoint_url": self._simulator.endpoint_url}
        self._fleet = AwsFleet("factory", read_settings("factory", settings))
        self._sequence = 1

    def add_device(self, folder: Path) -> Mapping[str, object]:
        """Register the device, with its credentials in `folder`; its settings for `[channel.aws]`."""
        return self._aws.add_device(DEVICE, folder)

    def environment(self) -> Mapping[str, str]:
        """Variables that point AWS's SDK here, with the CA that it must trust."""
        return self._simulator.environment()

    @property
    def ca_file(self) -> Path:
        """PEM of the authority behind every certificate of this cloud."""
        return self._simulator.ca_file

    def offer(self, image: Path, version: str) -> Offered:
        """Sign a release of `image`, publish it and order it for the device. Raises: FleetError."""
        self._sequence += 1
        artifact, file = full_artifact(image, version)
        release = new_release(version=version, sequence=self._sequence, expires=FAR, artifacts=(artifact,))
        key = f"boot-{self._sequence}"
        self._fleet.put_artifact(artifact, file, lambda _: None)
        document = self.owner.sign(release)
        self._fleet.start(StageOrder(key, document, self.owner.later_roots, (DEVICE,), timeout_minutes=60))
        return Offered(version, stage_name(key), artifact.length)

    def wait_for_end(self, offered: Offered, seconds: float) -> ExecutionView | None:
        """The job's execution once it has ended; None when it does not."""
        if self._simulator.wait_until(lambda: self._ended(offered) is not None, seconds):
            return self._ended(offered)
        return None

    def execution(self, offered: Offered) -> ExecutionView | None:
        """The job's execution, once there is one."""
        return next(iter(self._simulator.executions(offered.job)), None)

    def wait_for_progress(self, offered: Offered, phase: Phase, percent: int, seconds: float) -> bool:
        """Wait until the device has told of `percent` of `phase`, or of a later one; False if it never does."""
        wanted = (ORDER.index(phase), percent)
        return self._simulator.wait_until(lambda: self._progress(offered) >= wanted, seconds)

    def bytes_sent(self) -> int:
        """Bytes of artifacts that the device was ever sent."""
        return self._simulator.bytes_sent

    def stop(self) -> None:
        """Hang up."""
        self._simulator.stop()

    def _progress(self, offered: Offered) -> tuple[int, int]:
        found = self.execution(offered)
        said = None if found is None else parse_details(found.details)
        return (ORDER.index(said.phase), said.percent) if isinstance(said, Progress) else (-1, 0)

    def _ended(self, offered: Offered) -> ExecutionView | None:
        found = self.execution(offered)
        return found if found is not None and found.status.terminal else None


def full_artifact(image: Path, version: str) -> tuple[Artifact, Path]:
    """The full artifact of `image`, which is of `version`, made once, and its file."""
    name = artifact_name(NAME, version)
    kept = f"artifact-of-{image.name.rpartition('-')[0]}"
    folder = made_once(kept, digest([image.name, name]), lambda made: _build(image, made, name))
    return msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=Artifact), folder / name


def _build(image: Path, folder: Path, name: str) -> None:
    folder.mkdir()
    artifact = build_artifact(image, folder / name, unwatched, ENCODING)
    (folder / DESCRIPTION).write_bytes(msgspec.json.encode(artifact))
