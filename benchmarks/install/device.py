"""A device of the agent: two slots in files, and a first release that it has installed, proved and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from agent.bootloaders.file import boot, create, environment_paths, image_path, read_environment
from agent.disk import SystemDisk
from agent.slots import Slot
from benchmarks.install.programs import Unavailable, run, tail
from benchmarks.install.releasing import Releases
from benchmarks.install.slots import BLOCK_BYTES

CONFIG = """\
device = {{ model = "bench", hardware = "1" }}
slots = {{ boot_loader = "file", directory = "board" }}
trust = {{ root = "{root}" }}
state = {{ directory = "state" }}
channel = {{ cloud = "bench" }}
download = {{ allow_http = true, proxies = {{}} }}
reboot = {{ command = [] }}
"""
RESTARTS = os.EX_TEMPFAIL
"""How the agent ends when the image is in the slot and the machine is to restart."""


@dataclass(frozen=True, slots=True)
class Device:
    """All of it lies in `folder`."""

    folder: Path

    @property
    def config(self) -> Path:
        """The agent's."""
        return self.folder / "agent.toml"

    @property
    def target(self) -> Path:
        """The slot that does not run."""
        return image_path(self._board, Slot.A)

    @property
    def running(self) -> Path:
        """The slot that runs."""
        return image_path(self._board, Slot.B)

    @property
    def _board(self) -> Path:
        return self.folder / "board"

    def command(self, *line: str | Path) -> list[str]:
        """A command line of the agent on this device."""
        return [str(Path(sys.executable).with_name("otabridge-agent")), "--config", str(self.config), *map(str, line)]

    def forget(self) -> None:
        """Nothing but the first release was ever installed. What is in the slots stays."""
        for kept in (self.folder / "first").iterdir():
            target = self.folder / kept.name
            shutil.copytree(kept, target, dirs_exist_ok=True)

    def require_switched(self) -> None:
        """Raises: Unavailable unless the next boot tries the slot that was written."""
        environment = read_environment(self._board, SystemDisk())
        if environment is None or environment.trial is not Slot.A:
            raise Unavailable("the agent did not switch to the slot that it wrote")


def made_device(folder: Path, releases: Releases, slot_bytes: int) -> Device:
    """A new device in `folder`. Raises: Unavailable."""
    device, board = Device(folder), folder / "board"
    board.mkdir()
    device.config.write_text(CONFIG.format(root=releases.root))
    create(board, SystemDisk(), slot_bytes, [bytes(BLOCK_BYTES)])
    boot(board, SystemDisk())
    install_from(device, releases.first)
    boot(board, SystemDisk())
    run(device.command("commit"))
    _remember(device)
    return device


def install_from(device: Device, release: Path) -> None:
    """`otabridge-agent install` of a folder. Raises: Unavailable."""
    ended = subprocess.run(device.command("install", release), capture_output=True, text=True, check=False)
    if ended.returncode != RESTARTS:
        raise Unavailable(f"otabridge-agent ended with {ended.returncode}: {tail(ended.stderr)}")


def _remember(device: Device) -> None:
    first = device.folder / "first"
    (first / "board").mkdir(parents=True)
    for path in environment_paths(device.folder / "board"):
        shutil.copy(path, first / "board")
    shutil.copytree(device.folder / "state", first / "state")
