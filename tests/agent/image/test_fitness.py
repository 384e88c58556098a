"""Which devices no image is written to, as a table: what a person reads, and what they are told to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.image.fitness import Kind, Place, UnfitSlot, Uses, require_fit

RUNNING = Place(Path("/dev/mmcblk0p2"), Kind.BLOCK, "179:2")
TARGET = Path("/dev/mmcblk0p3")


def place(kind: Kind = Kind.BLOCK, number: str = "179:3", **said: bool) -> Place:
    """The slot that does not run."""
    return Place(TARGET, kind, number, **said)


@dataclass(frozen=True, slots=True)
class Case:
    """What is there, and the message."""

    name: str
    message: str
    target: Place = field(default_factory=place)
    uses: Uses = field(default_factory=Uses)
    files: bool = False


ADVICE = "correct the slots in the agent's configuration"
NAMES = {"179:3": TARGET, "253:0": Path("/dev/dm-0")}
CASES = [
    Case(
        "a file where a device belongs",
        '/dev/mmcblk0p3 is a regular file, a slot is a block device; only with slots.boot_loader = "file" is a slot a '
        f"regular file; {ADVICE}",
        place(Kind.FILE),
    ),
    Case("a folder", f"/dev/mmcblk0p3 is a folder, a slot is a block device; {ADVICE}", place(Kind.FOLDER), files=True),
    Case(
        "a terminal",
        f"/dev/mmcblk0p3 is neither a block device nor a regular file, a slot is a block device; {ADVICE}",
        place(Kind.OTHER),
    ),
    Case(
        "both slots one device",
        "/dev/mmcblk0p3 and /dev/mmcblk0p2, the slot that runs, are the same device; each has its own: " + ADVICE,
        place(number="179:2"),
    ),
    Case(
        "the disk that holds the slot that runs",
        f"/dev/mmcblk0p3 shares its bytes with /dev/mmcblk0p2, the slot that runs; {ADVICE}",
        place(number="179:0"),
        Uses({"179:0": Path("/dev/mmcblk0"), "179:2": RUNNING.path}),
    ),
    Case(
        "the root that runs",
        f"/dev/mmcblk0p3 holds the root file system that runs; {ADVICE}",
        uses=Uses(NAMES, {"179:3": ("/", "/var")}),
    ),
    Case(
        "the root by way of a device mapper",
        f"/dev/mmcblk0p3 holds the root file system that runs by way of /dev/dm-0; {ADVICE}",
        uses=Uses(NAMES, {"253:0": ("/",)}),
    ),
    Case(
        "mounted by an automounter",
        "/dev/mmcblk0p3 is mounted at /media/rootfs, /mnt/b; unmount it and keep it out of fstab and from automounters"
        f", or {ADVICE}",
        uses=Uses(NAMES, {"179:3": ("/mnt/b", "/media/rootfs")}),
    ),
    Case(
        "read-only",
        "/dev/mmcblk0p3 is read-only; make it writable (blockdev --setrw, the medium's switch, a remount of its file "
        f"system), or {ADVICE}",
        place(read_only=True),
    ),
    Case(
        "swap, RAID, a mount elsewhere",
        "/dev/mmcblk0p3 is in use: mounted out of the agent's sight, swap, part of a RAID or a device mapper, or "
        f"written by another agent right now; let go of it (lsblk shows by whom), or {ADVICE}",
        place(busy=True),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_unfit_device_is_refused(case: Case):
    """The message names the path, what is wrong with it, and what to do."""
    with pytest.raises(UnfitSlot) as refusal:
        require_fit(case.target, RUNNING, case.uses, files=case.files)
    assert str(refusal.value) == case.message


@pytest.mark.parametrize("kind", [Kind.BLOCK, Kind.FILE])
def test_a_slot_of_its_own_is_fit(kind: Kind):
    """What is mounted elsewhere is no obstacle; on a board of files a slot is a file."""
    require_fit(place(kind), RUNNING, Uses(NAMES, {"179:2": ("/",), "0:24": ("/tmp",)}), files=True)
