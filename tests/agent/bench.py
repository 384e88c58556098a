"""A device on the bench: a board of files, the agent's configuration, and a cloud that is a list of offers."""

from __future__ import annotations

import http.server
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from agent import cli
from agent.bootloaders.file import boot, image_path
from agent.cloud.channel import Offer
from agent.disk import SystemDisk
from agent.slots import Slot
from bridge.release.errors import ChannelError
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState
from tests.releases import HARDWARE, MODEL, Package, ReleaseKit

ARTIFACT = "rootfs.full"
OLD = b"old image" * 1000
NEW = random.Random(3).randbytes(300_000)
FAR = datetime(2099, 1, 1, tzinfo=UTC)

CONFIG = """
[device]
model = {model}
hardware = {hardware}
version = "1.0.0"

[slots]
boot_loader = "file"
directory = "board"

[trust]
root = "root.json"

[state]
directory = "state"

[channel]
cloud = "aws"

[channel.aws]
endpoint = "127.0.0.1"
port = 1
thing = "device-1"
certificate_file = "device.pem"
key_file = "device.key"

[health]
settle_seconds = 0

[[health.checks]]
name = "image"
command = ["sh", "-c", "grep -q -a {healthy} $OTABRIDGE_SLOT_DEVICE"]
retries = 0

[reboot]
command = []
"""


@dataclass
class Device:
    """A device in a folder."""

    folder: Path
    kit: ReleaseKit

    def configure(self, *, model: str = MODEL, healthy: str = "''", more: str = "") -> None:
        text = CONFIG.format(model=json.dumps(model), hardware=json.dumps(HARDWARE), healthy=healthy)
        (self.folder / "agent.toml").write_text(text + more)

    def arguments(self, *words: str) -> list[str]:
        return ["--config", str(self.folder / "agent.toml"), *words]

    def run(self, *words: str) -> int:
        return cli.main(self.arguments(*words))

    def restart(self) -> Slot:
        return boot(self.folder / "board", SystemDisk()).slot

    def slot(self, slot: Slot) -> bytes:
        return image_path(self.folder / "board", slot).read_bytes()

    def publish(self, package: Package) -> Path:
        """A release folder with `package`."""
        folder = self.folder / f"release-{package.release.version}"
        (folder / "roots").mkdir(parents=True)
        (folder / "release.json").write_bytes(package.document)
        for name, data in package.files.items():
            (folder / name).write_bytes(data)
        for version, root in enumerate(self.kit.roots, start=1):
            (folder / "roots" / f"{version}.root.json").write_bytes(root)
        return folder


@dataclass
class Cloud:
    """A channel with a list of offers; an error in it is raised."""

    offers: list[Offer | ChannelError] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    states: list[DeviceState] = field(default_factory=list)
    progresses: list[Progress] = field(default_factory=list)

    reached: int = 0
    silent: bool = False

    def next_offer(self, timeout: float) -> Offer | None:
        assert timeout <= 600
        offer = self.offers.pop(0) if self.offers else None
        if isinstance(offer, ChannelError):
            raise offer
        return offer

    def reach(self, timeout: float) -> None:
        assert timeout > 0
        if self.silent:
            raise ChannelError("no route to the broker")
        self.reached += 1

    def renew(self, offer_id: str) -> Offer:
        raise ChannelError(f"{offer_id} cannot be renewed here")

    def progress(self, offer_id: str, progress: Progress) -> None:
        assert offer_id
        assert 0 <= progress.percent <= 100
        self.progresses.append(progress)

    def conclude(self, offer_id: str, report: Report) -> None:
        assert offer_id
        self.reports.append(report)

    def state(self, state: DeviceState) -> None:
        self.states.append(state)

    def close(self) -> None:
        """Nothing to hang up."""


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, quietly and without ranges."""

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def offer_of(folder: Path, store: str) -> Offer:
    """The release in `folder` as a cloud would offer it."""
    return Offer("job-1", (folder / "release.json").read_bytes(), (), {ARTIFACT: f"{store}/{ARTIFACT}"})
