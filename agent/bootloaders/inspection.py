"""What would be wrong with a boot loader's set-up at the first update, found before it: for `otabridge-agent check`.

Each function gives a word for people, or raises BootEnvironmentError. Nothing is changed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from agent.bootloaders.rauc import Rauc
from agent.bootloaders.sdboot import SystemdBoot
from agent.slots import BootEnvironmentError, Slot

MOUNTS = Path("/proc/self/mountinfo")
MAX_BYTES = 1024 * 1024
COPIES = 2
GRUB_WRITES = ("ext2", "ext3", "ext4", "vfat", "msdos")
"""File systems into whose blocks GRUB's save_env writes (GRUB manual, "Environment block"); the bare partition only."""
LAYERED = re.compile(r"/dev/(mapper/|dm-|md)")
POINT = 4
"""The field of a line in mountinfo that says where it is mounted."""
OCTAL = re.compile(r"\\([0-7]{3})")


def of_uboot(config: Path) -> str:
    """libubootenv is told of two copies of the environment (its README, "Configuration file")."""
    text = _text(config)
    lines = [line for line in (line.strip() for line in text.splitlines()) if line and not line.startswith("#")]
    if any(line.endswith(":") for line in lines):
        return f"the environment of {config}"  # the YAML format, in which fw_printenv sees what is missing
    if len(lines) != COPIES:
        raise BootEnvironmentError(
            f"{config} names {len(lines)} copies of the environment; it takes two, in a line each: a power cut while "
            "the only one is written would leave none"
        )
    return f"two copies of the environment, by {config}"


def of_grub(environment: Path, mounts: Path = MOUNTS) -> str:
    """GRUB can write to the file system of the block."""
    kind, source = _mount_of(environment.resolve(), _text(mounts))
    if kind not in GRUB_WRITES or LAYERED.match(source):
        raise BootEnvironmentError(
            f"{environment} is on {kind} of {source}, where GRUB cannot count boots; put it on a partition of its own "
            f"with one of {', '.join(GRUB_WRITES)}, without LVM, RAID or encryption"
        )
    return f"{environment} on {kind}"


def of_systemd_boot(boots: SystemdBoot, boot: Path, entries: Path) -> str:
    """Each entry starts its own slot from files that are there, and nothing overrules the order of the entries."""
    for slot in Slot:
        _require_entry(slot, entries / boots.entry_name(slot), boot)
    loader = boot / "loader/loader.conf"
    if loader.exists() and any(line.split()[:1] == ["default"] for line in _text(loader).splitlines()):
        raise BootEnvironmentError(f"{loader} has a default, which overrules the entries' order: remove that line")
    return f"entries in {entries}"


def of_rauc(boots: Rauc, trial: Path) -> str:
    """RAUC knows both slots, and there is a folder for the file that says that a trial is on."""
    slots = ", ".join(f"slot {slot} at {boots.device(slot)}" for slot in Slot)
    if not os.access(trial.parent, os.W_OK | os.X_OK):
        raise BootEnvironmentError(
            f"{trial.parent} is no folder that this user may write to; slots.rauc.trial is in it"
        )
    return f"RAUC has {slots}"


def _require_entry(slot: Slot, path: Path, boot: Path) -> None:
    words = [line.split() for line in _text(path).splitlines()]
    if not any(line[:1] == ["options"] and f"otabridge.slot={slot}" in line for line in words):
        raise BootEnvironmentError(f"{path} does not give the kernel otabridge.slot={slot}: add it to its options")
    for line in words:
        if line[:1] in (["linux"], ["initrd"], ["efi"]) and not (boot / line[-1].lstrip("/")).is_file():
            raise BootEnvironmentError(f"{path} names {line[-1]}, which is not on {boot}")


def _mount_of(path: Path, mountinfo: str) -> tuple[str, str]:
    """The kind and the source of the file system that holds `path` (Linux, proc_pid_mountinfo(5))."""
    mounts = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if len(fields) > POINT and len(rest) > 1 and path.is_relative_to(point := _unquoted(fields[POINT])):
            mounts.append((len(point), rest[0], rest[1]))
    if not mounts:
        raise BootEnvironmentError(f"no file system holds {path}")
    _, kind, source = max(enumerate(mounts), key=lambda each: (each[1][0], each[0]))[1]
    return kind, source


def _unquoted(point: str) -> str:
    return OCTAL.sub(lambda match: chr(int(match[1], 8)), point)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode(errors="replace")
    except OSError as error:
        raise BootEnvironmentError(f"{path} cannot be read: {error.strerror}") from error
