"""The `[slots]` table of the configuration: where the two slots are, and what chooses between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from agent.slots import Slot
from bridge.release.manifest import Text

RaucSlot = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+\.[0-9]+$", max_length=64)]


class UBootSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`config` tells libubootenv where the environment is."""

    config: Path = Path("/etc/fw_env.config")


class GrubSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`environment` is GRUB's environment block."""

    environment: Path = Path("/boot/grub/grubenv")


class SystemdBootSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`boot` is where the partition is mounted from which systemd-boot takes its entries."""

    boot: Path = Path("/boot")


class RaucSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`a` and `b` are RAUC's names of the slots; `trial` is a file of ours, which says that a trial is on."""

    a: RaucSlot = "rootfs.0"
    b: RaucSlot = "rootfs.1"
    trial: Path = Path("/var/lib/otabridge/rauc-trial")


DEVICES = ("uboot", "grub", "systemd-boot")
"""The boot loaders that have to be told where the slots are; RAUC knows, and a board of files has its folder."""
NEEDED = {"file": ("directory",), **dict.fromkeys(DEVICES, ("a", "b"))}
ALLOWED = {
    "file": ("directory",),
    **{name: ("a", "b", name) for name in DEVICES},
    "rauc": ("rauc",),
}


class SlotSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the two slots are, which boot loader chooses between them, and the table of that boot loader."""

    boot_loader: Text
    directory: Path | None = None
    a: Path | None = None
    b: Path | None = None
    uboot: UBootSettings | None = None
    grub: GrubSettings | None = None
    systemd_boot: SystemdBootSettings | None = msgspec.field(name="systemd-boot", default=None)
    rauc: RaucSettings | None = None

    def __post_init__(self) -> None:
        given = [field.encode_name for field in msgspec.structs.fields(self) if getattr(self, field.name) is not None]
        name = self.boot_loader
        missing = next((field for field in NEEDED.get(name, ()) if field not in given), None)
        if missing is not None:
            raise ValueError(f'{missing} is missing; boot_loader = "{name}" needs {" and ".join(NEEDED[name])}')
        surplus = next((field for field in given if field not in ("boot_loader", *ALLOWED.get(name, given))), None)
        if surplus is not None:
            raise ValueError(f'{surplus} is given; boot_loader = "{name}" takes {", ".join(ALLOWED[name])}')
        if self.a is not None and self.a == self.b:
            raise ValueError(f"a and b are both {self.a}; an update needs two slots")

    def devices(self) -> Mapping[Slot, Path]:
        """The device of each slot, where the configuration names them."""
        return {slot: path for slot, path in ((Slot.A, self.a), (Slot.B, self.b)) if path is not None}
