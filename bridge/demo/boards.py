"""The demo's devices: set up once with the old image, then switched on together."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.bootloaders.file import create
from agent.disk import SystemDisk
from bridge.demo.board import Board, BoardFiles
from bridge.simulated import SimulatedCloud

MODEL = "demo-board"
HARDWARE = "rev-a"
CHUNK = 1 << 20
ROOM = 1 << 20
"""Bytes by which a slot is larger than the largest image."""

_HEALTHY = "import os, sys; sys.exit(open(os.environ['OTABRIDGE_SLOT_DEVICE'], 'rb').read().find({marker!r}) >= 0)"

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

[channel]
cloud = {cloud}

[channel.{table}]
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


def make_boards(
    cloud: SimulatedCloud, count: int, folder: Path, *, root: Path, image: Path, room: int, version: str, marker: bytes
) -> tuple[Board, ...]:
    """`count` devices in folders below `folder`: `image` in slot a, slots of `room` bytes, `root` pinned."""
    boards = []
    for number in range(1, count + 1):
        name = f"device-{number:02d}"
        files = BoardFiles(folder / name)
        for needed in (files.slots, files.folder / "state"):
            needed.mkdir(parents=True)
        create(files.slots, SystemDisk(), room + ROOM, _chunks(image))
        settings = cloud.add_device(name, files.folder)
        files.config.write_text(_config(cloud.cloud, settings, root, version, marker))
        boards.append(Board(name, files))
    return tuple(boards)


def _config(cloud: str, settings: Mapping[str, object], root: Path, version: str, marker: bytes) -> str:
    check = [sys.executable, "-S", "-c", _HEALTHY.format(marker=marker)]
    return _CONFIG.format(
        model=_toml(MODEL),
        hardware=_toml(HARDWARE),
        version=_toml(version),
        root=_toml(str(root)),
        cloud=_toml(cloud),
        table=cloud,
        channel="\n".join(f"{name} = {_toml(value)}" for name, value in settings.items()),
        command=_toml(check),
    )


def _toml(value: object) -> str:
    """Strings, numbers, booleans and lists of them are written alike in JSON and TOML."""
    return json.dumps(value)


def _chunks(image: Path) -> Iterator[bytes]:
    with image.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
