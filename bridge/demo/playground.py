"""A simulated fleet for people to play with: ready settings and, where there is an image, devices that run the agent.

Each start begins anew, as the simulated cloud does: what an earlier one left in the folder is removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.demo.board import Board, Tell
from bridge.demo.boards import BROKEN, HARDWARE, MODEL, Stock, device_names, make_boards
from bridge.demo.settings import channel_tables, otabridge_toml, shell_exports
from bridge.errors import UsageError
from bridge.files import read_bounded
from bridge.release.trust import MAX_ROOT_BYTES, Trust
from bridge.simulated import SimulatedCloud

FLEET = "simulated"
VERSION = "1.0.0"
ENVIRONMENT, CONFIG, CLOUD, DEVICES = "otabridge-sim.env", "otabridge.toml", "cloud", "devices"
STORE = "otabridge.db"
SLOT_SHARE = 2
"""A slot is so many times as long as the image, and sparse: later images may be larger."""


@dataclass(frozen=True, slots=True)
class Playground:
    """A folder of its own, named as the person named it, with the settings of `cloud`."""

    folder: Path
    cloud: SimulatedCloud

    @property
    def environment(self) -> Path:
        """The file that a shell reads to find all of it."""
        return self.folder / ENVIRONMENT

    def write(self, trust: Path) -> None:
        """Write the configuration and the environment. Raises: OSError."""
        config = self.folder.resolve() / CONFIG
        note = "# Made by `otabridge sim`, anew at each start. `.` the file otabridge-sim.env to use it.\n"
        config.write_text(note + otabridge_toml({FLEET: self.cloud}, str(trust.resolve())))
        self.environment.write_text(shell_exports({"OTABRIDGE_CONFIG": str(config), **self.cloud.environment()}))

    def register(self, count: int) -> tuple[str, ...]:
        """Devices without agents, each with its certificate and a `channel.toml`; their names. Raises: OSError."""
        names = device_names(count)
        for name in names:
            folder = self.folder.resolve() / DEVICES / name
            folder.mkdir(parents=True)
            settings = self.cloud.add_device(name, folder)
            (folder / "channel.toml").write_text(channel_tables(self.cloud.cloud, settings))
        return names

    def equip(self, count: int, image: Path, root: Path, tell: Tell) -> tuple[Board, ...]:
        """Devices with `image` in slot a that trust `root`, to be switched on. Raises: UsageError, OSError."""
        stock = Stock(image, VERSION, SLOT_SHARE * image.stat().st_size, root.resolve())
        return make_boards(self.cloud, device_names(count), self.folder.resolve() / DEVICES, stock, tell)

    def explain_boards(self, boards: tuple[Board, ...]) -> list[str]:
        """What to do with devices that run the agent."""
        first = self.folder / DEVICES / boards[0].name
        return [
            f"{len(boards)} devices run the agent: {MODEL}, hardware {HARDWARE}, version {VERSION}.",
            f"  otabridge-agent --config {first}/agent.toml status",
            f"  tail -f {first}/agent.log",
            "Their health check fails where a slot holds the line",
            f'  "{BROKEN.decode().strip()}"',
        ]

    def explain(self) -> list[str]:
        """How to use it from another terminal."""
        return [
            f"A simulated {self.cloud.cloud} runs here until Ctrl-C. In other terminals:",
            f"  . {self.environment}",
            f"  otabridge fleet devices {FLEET}",
        ]


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """`folder`, new, empty or of an earlier playground, belongs to this process alone, and nothing old is in it.

    Raises:
        UsageError: it holds something else, another playground runs in it, or it cannot be written.
    """
    try:
        descriptor = _mark(folder)
    except OSError as error:
        raise UsageError(f"--directory {folder}: {error.strerror}") from error
    try:
        _lock(descriptor, folder)
        _clear(folder)
        yield
    finally:
        os.close(descriptor)


def require_usable(image: Path, root: Path) -> None:
    """Whether boards could be made of them. Raises: UsageError, UntrustedRoot."""
    if not image.is_file() or not image.stat().st_size:
        raise UsageError(f"--image {image}: must be a file with the image that devices start with")
    if not root.is_file():
        raise UsageError(f"--root {root}: no such file; devices must trust a root: `otabridge root init` makes one")
    Trust.pin(read_bounded(root, MAX_ROOT_BYTES, "root"))


def _mark(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / ENVIRONMENT
    if not marker.exists() and any(folder.iterdir()):
        raise UsageError(
            f"--directory {folder} holds other files: name a new or empty folder, or one that `otabridge sim` made"
        )
    return os.open(marker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(f"--directory {folder}: another otabridge sim runs there; end it or name another") from error


def _clear(folder: Path) -> None:
    """What an earlier one left: devices and certificates, and the store with the files beside it."""
    for name in (CLOUD, DEVICES):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    for path in folder.glob(f"{STORE}*"):
        path.unlink()
