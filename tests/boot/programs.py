"""The programs of others that the boot tests run, and which of them are missing here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ADMINISTRATION = "/usr/sbin:/sbin"
"""Where Debian keeps mke2fs and sfdisk, which an ordinary user's PATH lacks."""
UBOOT = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
"""As Debian's package u-boot-qemu has it, unchanged."""
GRUB_IMAGES = Path("/usr/lib/grub/i386-pc")
"""The same of grub-pc-bin."""
DISKS = {"mke2fs": "e2fsprogs", "debugfs": "e2fsprogs", "sfdisk": "fdisk"}
"""To compose disks: programs, and the Debian packages that have them."""
BOARD = {
    **DISKS,
    "qemu-system-aarch64": "qemu-system-arm",
    "fw_setenv": "libubootenv-tool",
    "mkimage": "u-boot-tools",
}
"""For the board with a U-Boot, whichever."""
DECIDING = {**BOARD, "mkenvimage": "u-boot-tools", str(UBOOT): "u-boot-qemu"}
"""For boots that stop at the decision of Debian's U-Boot; files count as programs here."""
APT_HELPER = Path("/usr/lib/apt/apt-helper")
COUNTING = {
    **BOARD,
    str(APT_HELPER): "apt",
    "apt-get": "apt",
    "tar": "tar",
    "xz": "xz-utils",
    "make": "make",
    "gcc": "gcc",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "bison": "bison",
    "flex": "flex",
    "bc": "bc",
    "/usr/include/openssl/evp.h": "libssl-dev",
}
"""The same of a U-Boot that counts boots itself, which is built here."""
GRUB = {
    **DISKS,
    "qemu-system-x86_64": "qemu-system-x86",
    "grub-mkimage": "grub-common",
    "grub-editenv": "grub-common",
    str(GRUB_IMAGES / "boot.img"): "grub-pc-bin",
}
"""For boots that stop at GRUB's."""
FIRMWARE = (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd"))
"""UEFI for QEMU's PC as Debian's package ovmf has it: its code, and its variables as they are at first."""
SYSTEMD_BOOT_IMAGE = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
SYSTEMD_BOOT = {
    **DISKS,
    "qemu-system-x86_64": "qemu-system-x86",
    "mformat": "mtools",
    str(FIRMWARE[0]): "ovmf",
    str(SYSTEMD_BOOT_IMAGE): "systemd-boot-efi",
}
"""For boots by systemd-boot."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""The keys that Debian's packages are signed with."""
BOOTING = {"apt-get": "apt", "dpkg-deb": "dpkg", str(KEYRING): "debian-archive-keyring"}
"""For boots of a whole system, besides its boot loader's."""


class ProgramFailed(Exception):
    """A program of others ended badly."""


def search_path() -> str:
    """Folders of programs, those of the administrator's among them."""
    return f"{os.environ.get('PATH', '')}:{ADMINISTRATION}"


def path_of(program: str) -> str | None:
    """Where `program` is."""
    return shutil.which(program, path=search_path())


def missing(programs: Mapping[str, str]) -> list[str]:
    """The Debian packages to install for `programs`, sorted; none where all is there."""
    return sorted({package for name, package in programs.items() if path_of(name) is None and not Path(name).exists()})


def run(program: str, *arguments: str | Path, given: str = "", environment: dict[str, str] | None = None) -> str:
    """What `program` prints; `given` is its input. Raises: ProgramFailed, with the end of what it said."""
    command: Sequence[str] = [path_of(program) or program, *map(str, arguments)]
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(command, input=given, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProgramFailed(f"{' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
    return done.stdout
