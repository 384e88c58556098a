"""A device on the bench: the real agent, its command line, engine and `file` boot loader, for one channel."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from agent import cli
from agent.bootloaders.file import FileBootLoader, boot, create, image_path
from agent.disk import SystemDisk
from agent.slots import Slot
from bridge.demo.settings import channel_tables, toml, toml_lines
from tests.releases import HARDWARE, MODEL, Package, ReleaseKit

FAR = datetime(2099, 1, 1, tzinfo=UTC)
OLD = b"old image" * 1000
SLOT_BYTES = 300_000
SECONDS = "1"
CONFIG = f"""
[device]
model = "{MODEL}"
hardware = "{HARDWARE}"
version = "1.0.0"

[slots]
boot_loader = "file"
directory = "board"

[trust]
root = "root.json"

[state]
directory = "state"

[download]
allow_http = true
faults = 1

[health]
settle_seconds = 0

[reboot]
command = []

"""
CHECK = """
[[health.checks]]
name = "well"
command = {command}
retries = 0

"""


@dataclass
class Bench:
    """One device with the old image in slot a, and its honest owner."""

    folder: Path
    owner: ReleaseKit = field(default_factory=lambda: ReleaseKit((1, 1), (1, 1), root_expires=FAR))

    @property
    def board(self) -> Path:
        """Where the slots lie."""
        return self.folder / "board"

    def build(self, cloud: str, settings: Mapping[str, object]) -> None:
        """Put everything into the folder, and boot. The health check fails once there is a file `sick`."""
        self._build(channel_tables(cloud, settings))

    def build_for(self, clouds: Mapping[str, Mapping[str, object]]) -> None:
        """The same for a device that several clouds may update: the settings for each by its name."""
        tables = [f"[channel.{cloud}]\n{toml_lines(settings)}\n" for cloud, settings in clouds.items()]
        self._build("\n".join([f"[channel]\nclouds = {toml(list(clouds))}\n", *tables]))

    def _build(self, channel: str) -> None:
        check = CHECK.format(command=toml(["test", "!", "-e", str(self.folder / "sick")]))
        (self.folder / "agent.toml").write_text(CONFIG + check + channel)
        (self.folder / "root.json").write_bytes(self.owner.pinned)
        self.board.mkdir()
        create(self.board, SystemDisk(), SLOT_BYTES, [OLD])
        self.boot()

    def package(self, sequence: int, *, kit: ReleaseKit | None = None, **changes) -> Package:
        """Release `sequence`.0.0, by the owner unless another kit is named."""
        image = random.Random(sequence).randbytes(200_000)
        named = {"version": f"{sequence}.0.0", "sequence": sequence, "expires": FAR, **changes}
        return (kit or self.owner).package(image, **named)

    def run(self) -> int:
        """The agent as it would run, for one step; its exit code."""
        return cli.main(["--config", str(self.folder / "agent.toml"), "once", "--timeout", SECONDS])

    def run_to_end(self, steps: int = 4) -> None:
        """Agent and firmware in turn, as long as an update takes."""
        for _ in range(steps):
            with contextlib.suppress(SystemExit):
                self.run()
            self.boot()

    def boot(self) -> Slot:
        """The firmware chooses a slot."""
        return boot(self.board, SystemDisk()).slot

    def content(self, slot: Slot) -> bytes:
        """The bytes of a slot."""
        return image_path(self.board, slot).read_bytes()

    @property
    def default(self) -> Slot:
        """The slot that boots from now on."""
        return FileBootLoader(self.board, SystemDisk()).default()

    def assert_old_slot_boots(self, slot: Slot) -> None:
        """Nothing else is default or on trial, also after a restart."""
        boots = FileBootLoader(self.board, SystemDisk())
        assert (boots.default(), boots.trial()) == (slot, None)
        assert self.boot() is slot
