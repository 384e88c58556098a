"""The two slots as partitions, and which of them runs, by the arguments that the kernel was started with.

`otabridge.slot=a` says it; the boot scripts of this project give it. Without it, `root=` is compared with the devices
of the configuration (Linux, init/do_mounts.c: a device's path, PARTUUID=, PARTLABEL=; UUID= and LABEL= are known to
most initial RAM disks).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.slots import BootEnvironmentError, Slot

COMMAND_LINE = Path("/proc/cmdline")
DISKS = Path("/dev/disk")
MAX_COMMAND_LINE_BYTES = 64 * 1024
ARGUMENT = "otabridge.slot"
LINKS = {"PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel", "UUID": "by-uuid", "LABEL": "by-label"}


@dataclass(frozen=True, slots=True)
class Partitions:
    """Where the slots are. `command_line` and `disks` are the kernel's, but in tests."""

    devices: Mapping[Slot, Path]
    command_line: Path = COMMAND_LINE
    disks: Path = DISKS

    def device(self, slot: Slot) -> Path:
        """The block device or file that is `slot`."""
        return self.devices[slot]

    def booted(self) -> Slot:
        """The slot that runs. Raises: BootEnvironmentError when the arguments do not tell, or contradict each other."""
        words = self._words()
        named = _values(words, ARGUMENT)
        mounted = self._mounted(_values(words, "root"))
        if not named and mounted is None:
            raise BootEnvironmentError(self._silent(words))
        found = {*(self._slot(name) for name in named), *([] if mounted is None else [mounted])}
        if len(found) > 1:
            raise BootEnvironmentError(
                f"{self.command_line} contradicts itself: {ARGUMENT}={' and '.join(named)}, but root is "
                f"{'nowhere known' if mounted is None else self.devices[mounted]}; mend the boot script"
            )
        return found.pop()

    def _words(self) -> list[str]:
        try:
            with self.command_line.open("rb") as file:
                return file.read(MAX_COMMAND_LINE_BYTES).decode(errors="replace").split()
        except OSError as error:
            raise BootEnvironmentError(f"{self.command_line} cannot be read: {error.strerror}") from error

    def _slot(self, name: str) -> Slot:
        try:
            return Slot(name.lower())
        except ValueError as error:
            raise BootEnvironmentError(
                f"{self.command_line} has {ARGUMENT}={name}; the slots are a and b: mend the boot script"
            ) from error

    def _mounted(self, roots: list[str]) -> Slot | None:
        """The slot that the last `root=` means, as the kernel takes the last; None when it means no slot."""
        if not roots:
            return None
        root = self._path(roots[-1])
        return next((slot for slot, device in self.devices.items() if _same(device, root)), None)

    def _path(self, root: str) -> Path:
        kind, _, name = root.partition("=")
        return self.disks / LINKS[kind] / name if name and kind in LINKS else Path(root)

    def _silent(self, words: list[str]) -> str:
        roots = [word for word in words if word.startswith("root=")]
        devices = " nor ".join(f"slots.{slot} = {device}" for slot, device in self.devices.items())
        seen = f"{roots[-1]} is neither {devices}" if roots else "there is no root="
        return f"{self.command_line} does not tell which slot runs: no {ARGUMENT}=, and {seen}; mend the boot script"


def _values(words: list[str], name: str) -> list[str]:
    return [value for key, sign, value in (word.partition("=") for word in words) if key == name and sign]


def _same(device: Path, other: Path) -> bool:
    """Links are followed: /dev/disk/by-partlabel/a is /dev/mmcblk0p2."""
    return device.resolve() == other.resolve()
