"""A whole disk of a device as one sparse file: composed without loop devices, mounts or root.

 1 MiB  the boot loader's environment, 16 KiB, and its second copy right behind
 2 MiB  partition 1: the boot script
10 MiB  partition 2: slot a
        partition 3: slot b
        partition 4: what both slots share, the agent's state above all
"""

from __future__ import annotations

from pathlib import Path

from tests.boot.programs import run

MIB = 1 << 20
SECTOR = 512
ENVIRONMENT_OFFSETS = (MIB, MIB + 16 * 1024)
ENVIRONMENT_BYTES = 16 * 1024
BOOT_MIB = 8
DATA_MIB = 64
NAMES = ("boot", "slot-a", "slot-b", "data")
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


class DiskImage:
    """The file at `path`, with slots of `slot_mib` MiB each."""

    def __init__(self, path: Path, slot_mib: int, boot_mib: int = BOOT_MIB, boot_type: str = LINUX) -> None:
        self.path = path
        self._boot_type = boot_type
        self._sizes = (boot_mib, slot_mib, slot_mib, DATA_MIB)

    def create(self) -> None:
        """Blank, with a partition table. Raises: ProgramFailed."""
        with self.path.open("wb") as file:
            file.truncate((3 + sum(self._sizes)) * MIB)
        table = "".join(self._row(number) for number in range(1, len(NAMES) + 1))
        run("sfdisk", "--quiet", self.path, given=f"label: gpt\n{table}")

    def _row(self, number: int) -> str:
        """A partition, counted from 1, as sfdisk has it."""
        where = f"start={self.start(number) // SECTOR}, size={self._sizes[number - 1] * MIB // SECTOR}"
        kind = self._boot_type if number == 1 else LINUX
        return f"{where}, type={kind}, name={NAMES[number - 1]}\n"

    def start(self, partition: int) -> int:
        """The first byte of a partition, counted from 1."""
        return (2 + sum(self._sizes[: partition - 1])) * MIB

    def fill(self, partition: int, image: Path) -> None:
        """Put `image` into a partition; what is zero in it stays a hole of a blank one."""
        with self.path.open("r+b") as disk, image.open("rb") as source:
            for offset in range(0, image.stat().st_size, MIB):
                block = source.read(MIB)
                if any(block):
                    disk.seek(self.start(partition) + offset)
                    disk.write(block)

    def write(self, offset: int, data: bytes) -> None:
        """Change bytes of the disk."""
        with self.path.open("r+b") as disk:
            disk.seek(offset)
            disk.write(data)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the disk."""
        with self.path.open("rb") as disk:
            disk.seek(offset)
            return disk.read(length)
