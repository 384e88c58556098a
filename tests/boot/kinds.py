"""Everything that can be run, by name, and the programs of others that each needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.boot import programs
from tests.boot.efi import EfiHardware
from tests.boot.hardware import CountingHardware, Hardware, UBootHardware
from tests.boot.pc import GrubHardware
from tests.boot.scenarios import OF_COUNTING, OF_GRUB, OF_SYSTEMD_BOOT, OF_UBOOT, Scenario

UBOOT, COUNTING, GRUB, REPLAYS = "uboot-decisions", "uboot-counting", "grub-decisions", "replays"


@dataclass(frozen=True)
class Kind:
    """The lives of devices of one kind; `needed` are programs, with the Debian packages that have them."""

    make: type[Hardware]
    scenarios: Sequence[Scenario]
    needed: Mapping[str, str]

    def name_of(self, scenario: Scenario) -> str:
        """By which a scenario on such a device is chosen."""
        return f"{self.make.name}{scenario.name}"

    def chosen(self, names: Sequence[str]) -> list[Scenario]:
        """Those of its scenarios that are among `names`."""
        return [each for each in self.scenarios if self.name_of(each) in names]


UBOOT_LIFE = Kind(UBootHardware, OF_UBOOT, {**programs.DECIDING, **programs.BOOTING})
KINDS = (
    UBOOT_LIFE,
    Kind(CountingHardware, OF_COUNTING, {**programs.COUNTING, **programs.BOOTING}),
    Kind(GrubHardware, OF_GRUB, {**programs.GRUB, **programs.BOOTING}),
    Kind(EfiHardware, OF_SYSTEMD_BOOT, {**programs.SYSTEMD_BOOT, **programs.BOOTING}),
)
NEEDED: Mapping[str, Mapping[str, str]] = {
    UBOOT: programs.DECIDING,
    COUNTING: programs.COUNTING,
    GRUB: programs.GRUB,
    **{kind.name_of(each): kind.needed for kind in KINDS for each in kind.scenarios},
    REPLAYS: UBOOT_LIFE.needed,
}
"""By the name of each test."""


def absent(name: str) -> list[str]:
    """The Debian packages to install for the test `name`; none where all is there."""
    return programs.missing(NEEDED[name])
