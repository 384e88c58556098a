"""Which slot runs, by the kernel's arguments; and the kernel's own name of the boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.bootloaders.boot_id import boot_id
from agent.bootloaders.partitions import Partitions
from agent.slots import BootEnvironmentError, Slot


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with two partitions, known by several names."""
    (tmp_path / "p2").touch()
    (tmp_path / "p3").touch()
    for folder in ("by-partuuid", "by-partlabel", "by-label"):
        (tmp_path / "disk" / folder).mkdir(parents=True)
        (tmp_path / "disk" / folder / "one").symlink_to(tmp_path / "p2")
        (tmp_path / "disk" / folder / "two").symlink_to(tmp_path / "p3")
    return tmp_path


def partitions(machine: Path, line: str) -> Partitions:
    """As the configuration names them, on a kernel with these arguments."""
    (machine / "cmdline").write_text(line.format(folder=machine) + "\n")
    devices = {Slot.A: machine / "disk/by-partlabel/one", Slot.B: machine / "p3"}
    return Partitions(devices, machine / "cmdline", machine / "disk")


@pytest.mark.parametrize(
    ("line", "slot"),
    [
        ("quiet otabridge.slot=b ro", Slot.B),
        ("root=/dev/dm-0 otabridge.slot=A", Slot.A),
        ("root={folder}/p3 ro", Slot.B),
        ("root={folder}/p2 ro", Slot.A),
        ("root=PARTUUID=two", Slot.B),
        ("root=PARTLABEL=one", Slot.A),
        ("root=LABEL=two otabridge.slot=b", Slot.B),
        ("root={folder}/p2 root={folder}/p3", Slot.B),
        ("otabridge.slot=a otabridge.slot=a root={folder}/p2", Slot.A),
    ],
)
def test_the_slot_that_runs(machine: Path, line: str, slot: Slot):
    """Said by the boot script, or seen by the root file system, whatever name it goes by; the last root= counts."""
    assert partitions(machine, line).booted() is slot


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("quiet", "does not tell which slot runs: no otabridge.slot=, and there is no root=; mend the boot script"),
        ("root=/dev/sda9", "no otabridge.slot=, and root=/dev/sda9 is neither slots.a = .*one nor slots.b = .*p3"),
        ("otabridge.slot=c", "has otabridge.slot=c; the slots are a and b: mend the boot script"),
        ("otabridge.slot=a root={folder}/p3", "contradicts itself: otabridge.slot=a, but root is .*p3"),
        ("otabridge.slot=a otabridge.slot=b", "contradicts itself: otabridge.slot=a and b, but root is nowhere known"),
    ],
)
def test_arguments_that_do_not_tell(machine: Path, line: str, message: str):
    """An agent that guessed might overwrite the slot that runs."""
    with pytest.raises(BootEnvironmentError, match=message):
        partitions(machine, line).booted()


def test_arguments_that_cannot_be_read(tmp_path: Path):
    """The file is named."""
    with pytest.raises(BootEnvironmentError, match="none cannot be read: No such file or directory"):
        Partitions({}, tmp_path / "none").booted()


def test_boot_id(tmp_path: Path):
    """The kernel's, the same throughout a boot."""
    path = tmp_path / "boot_id"
    path.write_text("0d4f0dc5-3b8c-4c2c-9a6e-0d1c2f6f8f1b\n")

    assert boot_id(path) == "0d4f0dc5-3b8c-4c2c-9a6e-0d1c2f6f8f1b"
    assert boot_id() == boot_id()


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "does not hold the name of a boot"), (b"\xff" * 36, "does not hold the name of a boot")],
)
def test_boot_id_that_is_none(tmp_path: Path, data: bytes, message: str):
    """Two boots that seem to be one would be counted as one."""
    path = tmp_path / "boot_id"
    path.write_bytes(data)

    with pytest.raises(BootEnvironmentError, match=message):
        boot_id(path)
    with pytest.raises(BootEnvironmentError, match="none cannot be read: No such file or directory; is /proc mounted"):
        boot_id(tmp_path / "none")
