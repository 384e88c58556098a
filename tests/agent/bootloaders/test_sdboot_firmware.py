"""The real systemd-boot, started by OVMF in QEMU, reads and renames the entries that the agent has named on a FAT disk.

What each entry starts is a small program that says which one it is, and switches the machine off.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import agent.bootloaders
from agent.bootloaders.partitions import Partitions
from agent.bootloaders.sdboot import ENTRIES, SystemdBoot
from agent.slots import Slot
from tests.agent.bootloaders.rigs import DEVICES, require

LOADER = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
CODE, VARIABLES = Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
GRUB_EFI = Path("/usr/lib/grub/x86_64-efi")
SHIPPED = Path(agent.bootloaders.__file__).parent / "systemd-boot"
BOOT_SECONDS = 120
PAYLOAD = 'serial\nterminal_output serial\necho "runs: {slot}"\nhalt\n'
MODULES = "echo halt serial terminal normal"
QEMU = "qemu-system-x86_64 -M q35,accel=tcg -m 256 -nodefaults -display none -no-reboot -serial stdio -net none"


def run(*command: object) -> str:
    """What a program says."""
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


class FatFolder:
    """agent.bootloaders.sdboot.Folder on a FAT disk that nothing has mounted, by mtools."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk

    def names(self) -> Sequence[str]:
        """See Folder."""
        return [line.rpartition("/")[2] for line in run("mdir", "-b", "-i", self.disk, f"::{ENTRIES}").splitlines()]

    def rename(self, old: str, new: str) -> None:
        """See Folder."""
        run("mren", "-i", self.disk, f"::{ENTRIES}/{old}", f"::{ENTRIES}/{new}")


class OvmfBoard:
    """A board with systemd-boot and the shipped entries."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.disk = folder, folder / "esp.img"
        (folder / "cmdline").write_text("otabridge.slot=a")
        self.entries = FatFolder(self.disk)
        self.loader = SystemdBoot(Partitions(DEVICES, folder / "cmdline"), self.entries, Path("/boot") / ENTRIES)
        (folder / "vars.fd").write_bytes(VARIABLES.read_bytes())
        with self.disk.open("wb") as file:
            file.truncate(64 << 20)
        run("mformat", "-i", self.disk, "-F", "::")
        for name in ("EFI", "EFI/BOOT", "loader", str(ENTRIES)):
            run("mmd", "-i", self.disk, f"::{name}")
        self._put(LOADER, "EFI/BOOT/BOOTX64.EFI")
        self._put(SHIPPED / "loader.conf", "loader/loader.conf")
        for slot in Slot:
            self._payload(slot)
        for entry in ("otabridge-2-a.conf", "otabridge-1-b.unbootable"):
            self._entry(entry)

    def power_up(self) -> Slot:
        """The slot whose program was started."""
        drives = [
            f"if=pflash,format=raw,readonly=on,file={CODE}",
            f"if=pflash,format=raw,file={self.folder}/vars.fd",
            f"if=none,id=disk,format=raw,file={self.disk}",
        ]
        command = [*QEMU.split(), *(word for drive in drives for word in ("-drive", drive))]
        command += ["-device", "nvme,drive=disk,serial=1"]
        said = subprocess.run(
            command, check=True, capture_output=True, timeout=BOOT_SECONDS, stdin=subprocess.DEVNULL
        ).stdout.decode(errors="replace")
        found = re.findall(r"runs: ([ab])", said)
        assert found, said[-2000:]
        (self.folder / "cmdline").write_text(f"otabridge.slot={found[0]}")
        return Slot(found[0])

    def _payload(self, slot: Slot) -> None:
        script = self.folder / "payload.cfg"
        script.write_text(PAYLOAD.format(slot=slot))
        line = f"-O x86_64-efi -d {GRUB_EFI} -p / -o {self.folder}/payload.efi -c {script} {MODULES}"
        run("grub-mkimage", *line.split())
        self._put(self.folder / "payload.efi", f"{slot}.efi")

    def _entry(self, name: str) -> None:
        """The shipped entry, whose kernel is our program."""
        text = (SHIPPED / name).read_text()
        slot = name.rpartition("-")[2][0]
        text = re.sub(r"(?m)^linux .*$", f"efi /{slot}.efi", re.sub(r"(?m)^initrd .*\n", "", text))
        (self.folder / name).write_text(text)
        self._put(self.folder / name, f"{ENTRIES}/{name}")

    def _put(self, source: Path, name: str) -> None:
        run("mcopy", "-i", self.disk, source, f"::{name}")


@pytest.fixture
def board(tmp_path: Path) -> OvmfBoard:
    """Slot a is the default, slot b has no entry that systemd-boot sees."""
    require("qemu-system-x86_64", "mcopy", "grub-mkimage")
    for path in (LOADER, CODE, VARIABLES, GRUB_EFI):
        if not path.exists():
            pytest.skip(f"{path} is not installed")
    return OvmfBoard(tmp_path)


@pytest.mark.timeout(600)  # OVMF takes five seconds to come up, and many more where others work
def test_a_trial_in_the_real_systemd_boot(board: OvmfBoard):
    """The last boot of three, again after a restart that was asked for, then the default: all in the entry's name."""
    board.loader.try_slot(Slot.B)
    board.entries.rename("otabridge-3-b+3.conf", "otabridge-3-b+1-2.conf")

    assert board.power_up() is Slot.B
    assert sorted(board.entries.names()) == ["otabridge-2-a.conf", "otabridge-3-b+0-3.conf"]
    board.loader.excuse_restart()
    assert board.power_up() is Slot.B
    assert (board.loader.default(), board.loader.trial()) == (Slot.A, Slot.B)
    assert board.power_up() is Slot.A
    assert (board.loader.default(), board.loader.trial()) == (Slot.A, None)
