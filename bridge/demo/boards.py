"""Simulated devices: set up once with an image, then switched on together."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.bootloaders.file import create
from agent.disk import SystemDisk
from bridge.demo.board import Board, BoardFiles, Tell, ignore
from bridge.demo.settings import channel_tables, toml
from bridge.errors import UsageError
from bridge.simulated import SimulatedCloud

MODEL = "demo-board"
HARDWARE = "rev-a"
BROKEN = b"otabridge demo: the program in this image does not start\n"
"""What the boards' health check looks for in the slot that booted. The line's end keeps this file itself from
matching, should it be part of an image."""
CHUNK = 1 << 20

_HEALTHY = (
    "import os, sys; "
    "sys.exit(open(os.environ['OTABRIDGE_SLOT_DEVICE'], 'rb').read().find({marker!r}) >= 0 and {words!r})"
)

_CONFIG = """\
[device]
model = {model}
hardware = {hardware}
version = {version}

[slots]
boot_loader = "file"
directory = "slots"

[trust]
root = {root}

[state]
directory = "state"

{channel}
[download]
allow_http = true

[health]
settle_seconds = 0.2
deadline_seconds = 60

[[health.checks]]
name = "starts"
command = {command}
retries = 1
interval_seconds = 0.1

[reboot]
command = []
"""


@dataclass(frozen=True, slots=True)
class Stock:
    """What a board leaves the factory with: `image` of `version` in slot a, slots of `room` bytes, `root` pinned.

    The program that a broken image lacks is one that only boards with `needs_program` use.
    """

    image: Path
    version: str
    room: int
    root: Path
    needs_program: bool = True


def device_names(count: int) -> tuple[str, ...]:
    """`device-01` and so on; all of one length."""
    digits = max(2, len(str(count)))
    return tuple(f"device-{number:0{digits}d}" for number in range(1, count + 1))


def make_boards(
    cloud: SimulatedCloud, names: Sequence[str], folder: Path, stock: Stock, tell: Tell = ignore
) -> tuple[Board, ...]:
    """Devices of `cloud` in folders below `folder`, not yet switched on; `tell` hears what each does.

    Raises:
        UsageError: there is too little room for their slots.
    """
    require_room(folder, len(names), stock.room)
    return tuple(_make_board(cloud, Board(name, BoardFiles(folder / name), tell), stock) for name in names)


def require_room(folder: Path, boards: int, slot_bytes: int) -> None:
    """Whether both slots of each board can be filled. Raises: UsageError."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free, needed = shutil.disk_usage(existing).free, 2 * boards * slot_bytes
    if free < needed:
        raise UsageError(
            f"{boards} devices with slots of {slot_bytes / 1e6:.0f} MB may take {needed / 1e9:.2f} GB, "
            f"{existing} has {free / 1e9:.2f} GB free: choose fewer --devices, or another folder"
        )


@contextmanager
def switched_on(boards: Sequence[Board]) -> Iterator[None]:
    """All of them run until the end of the block, and no process of theirs outlives it."""
    try:
        for board in boards:
            board.start()
        yield
    finally:
        with ThreadPoolExecutor(max(1, len(boards))) as pool:
            list(pool.map(Board.stop, boards))


def _make_board(cloud: SimulatedCloud, board: Board, stock: Stock) -> Board:
    files = board.files
    for needed in (files.slots, files.folder / "state"):
        needed.mkdir(parents=True)
    create(files.slots, SystemDisk(), stock.room, _chunks(stock.image))
    files.config.write_text(_config(cloud.cloud, cloud.add_device(board.name, files.folder), stock))
    return board


def _config(cloud: str, settings: Mapping[str, object], stock: Stock) -> str:
    return _CONFIG.format(
        model=toml(MODEL),
        hardware=toml(HARDWARE),
        version=toml(stock.version),
        root=toml(stock.root),
        channel=channel_tables(cloud, settings),
        command=toml([sys.executable, "-S", "-c", _check(stock)]),
    )


def _check(stock: Stock) -> str:
    if not stock.needs_program:
        return "pass"
    return _HEALTHY.format(marker=BROKEN, words=BROKEN.decode().strip())


def _chunks(image: Path) -> Iterator[bytes]:
    with image.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
