"""Whether a slot may be written at all: held against what the machine does with the device. Pure.

A wrong path in a boot loader's settings would otherwise be found out by what it overwrote. All is looked at before the
first write, and again for each update: what is mounted changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from bridge.release.errors import SlotError

if TYPE_CHECKING:
    from pathlib import Path

ADVICE = "correct the slots in the agent's configuration"


class UnfitSlot(SlotError):
    """A device that no image may be written to. Its message names the path, and says what to do."""


class Kind(StrEnum):
    """What lies at a path."""

    BLOCK = "a block device"
    FILE = "a regular file"
    FOLDER = "a folder"
    OTHER = "neither a block device nor a regular file"


@dataclass(frozen=True, slots=True)
class Place:
    """What lies at `path`, symlinks followed: `id` is the same for every name of it. `busy` and `read_only` are what
    the kernel said when it was opened for writing: in use by itself, or not to be written."""

    path: Path
    kind: Kind
    id: str
    busy: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Uses:
    """What uses the bytes of a place: `mounts` are folders by the id of the device that is mounted there; `names` give
    the device's path by its id, for each device that shares bytes with the place, itself included."""

    names: Mapping[str, Path] = field(default_factory=dict)
    mounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def require_fit(target: Place, running: Place, uses: Uses, *, files: bool) -> None:
    """Whether the slot at `target` may be written while the one at `running` runs. `files`: a slot may be a file.

    Raises: UnfitSlot.
    """
    _require_kind(target, files=files)
    _require_apart(target, running, uses)
    _require_unmounted(target, uses)
    if target.read_only:
        raise UnfitSlot(
            f"{target.path} is read-only; make it writable (blockdev --setrw, the medium's switch, a remount of its "
            f"file system), or {ADVICE}"
        )
    if target.busy:
        raise UnfitSlot(
            f"{target.path} is in use: mounted out of the agent's sight, swap, part of a RAID or a device mapper, or "
            f"written by another agent right now; let go of it (lsblk shows by whom), or {ADVICE}"
        )


def _require_kind(target: Place, *, files: bool) -> None:
    if target.kind is Kind.BLOCK or (files and target.kind is Kind.FILE):
        return
    only = 'only with slots.boot_loader = "file" is a slot a regular file; ' if target.kind is Kind.FILE else ""
    raise UnfitSlot(f"{target.path} is {target.kind}, a slot is a block device; {only}{ADVICE}")


def _require_apart(target: Place, running: Place, uses: Uses) -> None:
    if target.id == running.id:
        raise UnfitSlot(
            f"{target.path} and {running.path}, the slot that runs, are the same device; each has its own: {ADVICE}"
        )
    if running.id in uses.names:
        raise UnfitSlot(f"{target.path} shares its bytes with {running.path}, the slot that runs; {ADVICE}")


def _require_unmounted(target: Place, uses: Uses) -> None:
    for each in _itself_first(target.id, uses.names):
        folders, way = uses.mounts.get(each, ()), _way(each, target, uses)
        if "/" in folders:
            raise UnfitSlot(f"{target.path} holds the root file system that runs{way}; {ADVICE}")
        if folders:
            raise UnfitSlot(
                f"{target.path} is mounted at {', '.join(sorted(folders))}{way}; unmount it and keep "
                f"it out of fstab and from automounters, or {ADVICE}"
            )


def _itself_first(own: str, names: Iterable[str]) -> list[str]:
    return [own, *sorted(each for each in names if each != own)]


def _way(each: str, target: Place, uses: Uses) -> str:
    """Of what else the mount is, where it is not of the target itself."""
    return "" if each == target.id or each not in uses.names else f" by way of {uses.names[each]}"
