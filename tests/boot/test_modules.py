"""Kernel modules in the order of their needs, and the RAM disk that loads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boot.modules import modules_for, ramdisk

HEAD = 110
NEEDS = {"nvme": "nvme-core", "nvme-core": "t10-pi", "t10-pi": "", "ext4": "jbd2,crc16", "jbd2": "crc16", "crc16": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Modules as a kernel has them, as far as their needs go."""
    for name, needs in NEEDS.items():
        place = tmp_path / name[0]
        place.mkdir(exist_ok=True)
        (place / f"{name}.ko").write_bytes(b"\x7fELF\0license=GPL\0depends=" + needs.encode() + b"\0name=x\0")
    return tmp_path


def test_each_module_comes_after_those_that_it_needs_and_once(folder):
    """As insmod wants them; what has no file is built into the kernel."""
    found = [path.stem for path in modules_for(("nvme", "virtio_net", "ext4"), folder)]

    assert found == ["t10-pi", "nvme-core", "nvme", "crc16", "jbd2", "ext4"]


def test_the_ram_disk_is_an_archive_that_the_kernel_reads(folder):
    """Every member begins at a multiple of four, with its name, length and mode; the console is a device."""
    modules = modules_for(("ext4",), folder)

    members = {name: (mode, content) for name, mode, content in _members(ramdisk(modules[0], modules[0], modules))}

    assert members["modules/order"] == (0o100644, b"crc16.ko\njbd2.ko\next4.ko\n")
    assert members["modules/ext4.ko"][1] == modules[2].read_bytes()
    assert members["init"][0] == members["bin/busybox"][0] == 0o100755
    assert members["dev/console"] == (0o020600, b"")
    assert list(members)[-1] == "TRAILER!!!"


def _members(archive: bytes) -> Iterator[tuple[str, int, bytes]]:
    at = 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in range(13)]
        mode, length, name_length = numbers[1], numbers[6], numbers[11]
        name = archive[at + HEAD : at + HEAD + name_length - 1].decode()
        at = -(-(at + HEAD + name_length) // 4) * 4
        yield name, mode, archive[at : at + length]
        at += -(-length // 4) * 4
