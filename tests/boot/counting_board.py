"""The board with a U-Boot that counts boots itself: its environment is U-Boot's own, made by U-Boot at the first boot.

U-Boot has no environment on NVMe. The first 4 MiB of the disk, in which both copies are, are therefore shown to it as a
memory card as well; Linux and fw_setenv reach the same bytes through the disk.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from agent.slots import Slot
from tests.boot import counting, uboot
from tests.boot.board import Board
from tests.boot.machine import NotSeen, seen_by
from tests.boot.programs import ProgramFailed

CARD_BYTES = 4 << 20
CARD_SLOT = "0x10"
"""On the PCI bus."""
MEMORY_MIB = 192
BEGUN = "^otabridge: booting slot a"
LOST_CARD = f"pci write.w 0.{CARD_SLOT}.0 4 0"
"""Takes the card's controller off the bus, between the reading of the environment and the first writing of it."""


class CountingBoard(Board):
    """Like Board."""

    def create(self) -> None:
        """See Board. Raises: ProgramFailed."""
        self.compose()
        try:
            seen_by(self.line(MEMORY_MIB, direct=False), self.folder / "first.log", BEGUN)
        except NotSeen as error:
            raise ProgramFailed(f"the U-Boot that was built does not come to its boot script: {error}") from error
        self.agent_in(Slot.A).commit(Slot.A)

    def line(self, memory: int, *, direct: bool) -> list[str]:
        """See Board."""
        file = f"driver=file,node-name=file,filename={self.disk.path},cache.direct={'on' if direct else 'off'}"
        disk = "driver=raw,node-name=disk,file=file"
        card = f"driver=raw,node-name=card,file=disk,offset=0,size={CARD_BYTES}"
        nodes = [part for node in (file, disk, card) for part in ("-blockdev", node)]
        nvme = ["-device", "nvme,drive=disk,serial=disk,share-rw=on"]
        reader = ["-device", f"sdhci-pci,addr={CARD_SLOT}", "-device", "sd-card,drive=card"]
        return [*uboot.machine(counting.firmware(_tell), memory), *nodes, *nvme, *reader, "-nic", "none"]

    def configure(self, settings: Mapping[str, str]) -> None:
        """Settings of the boot script in U-Boot's environment, which is on the disk. Raises: ProgramFailed."""
        self.set_environment("".join(f"{name}={value}\n" for name, value in settings.items()))

    def refuse_writes(self) -> None:
        """From the next boot on U-Boot can read its environment, but not write it. Raises: ProgramFailed."""
        self.configure({"preboot": LOST_CARD})


def _tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
