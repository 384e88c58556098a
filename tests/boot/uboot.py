"""Debian's own U-Boot for QEMU's arm64 board, unchanged: it finds our boot script on the disk; nothing else is ours.

Its built-in environment lies in the board's second flash, which no Linux of Debian can write; there stands only the
command that loads the script. All that an update changes is on the disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.boot.disk import BOOT_MIB
from tests.boot.images import file_system
from tests.boot.programs import UBOOT, run

FLASH_BYTES = 64 << 20
BUILT_IN_BYTES = "0x40000"
BUILT_IN = {
    "bootdelay": "0",
    "fdt_addr": "0x40000000",
    "fdt_high": "0xffffffff",
    "scriptaddr": "0x40200000",
    "kernel_addr_r": "0x40400000",
    "bootcmd": "nvme scan; load nvme 0:1 ${scriptaddr} boot.scr; source ${scriptaddr}; reset",
    "otabridge_args": "ro rootwait rootfstype=ext4 init=/init.sh panic=1 console=ttyAMA0 loglevel=5 "
    "nokaslr mitigations=off",
}
"""What an integrator sets: how the script is found, and the kernel's arguments. Page tables of its own for the kernel,
which random addresses bring with them, make an emulated machine slower by a fifth."""
MEMORY_MIB = 512
CORES = 1


def write_flash(path: Path, settings: Mapping[str, str] = MappingProxyType({})) -> None:
    """The flash with U-Boot's built-in environment, and `settings` of the boot script in it. Raises: ProgramFailed."""
    lines = "".join(f"{name}={value}\n" for name, value in {**BUILT_IN, **settings}.items())
    run("mkenvimage", "-s", BUILT_IN_BYTES, "-o", path, "-", given=lines)
    with path.open("r+b") as flash:
        flash.truncate(FLASH_BYTES)


def write_boot_partition(image: Path, script: Path) -> None:
    """Partition 1: `script`, a text of U-Boot commands, in U-Boot's own wrapping. Raises: ProgramFailed."""
    with tempfile.TemporaryDirectory() as folder:
        wrapped = Path(folder, "boot.scr")
        run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", script, wrapped)
        file_system(image, BOOT_MIB, Path(folder))


def command(disk: Path, flash: Path, memory: int, drive: str) -> list[str]:
    """QEMU's command line, always emulated, without a network: `memory` in MiB, `drive` as QEMU has it."""
    built_in = ["-drive", f"if=pflash,unit=1,format=raw,readonly=on,file={flash}"]
    nvme = ["-drive", f"file={disk},if=none,id=d0,format=raw,{drive}", "-device", "nvme,drive=d0,serial=disk"]
    return [*machine(UBOOT, memory), *built_in, *nvme, "-nic", "none"]


def machine(firmware: Path, memory: int) -> list[str]:
    """The part of the command line that is the same whatever the board has: `firmware` is a U-Boot, `memory` in MiB."""
    board = ["-M", "virt,gic-version=2", "-accel", "tcg,thread=multi", "-cpu", "cortex-a53", "-m", str(memory)]
    return ["qemu-system-aarch64", *board, "-bios", str(firmware)]


def networked(line: list[str]) -> list[str]:
    """The command line with a network on which 10.0.2.2 is this machine's loopback, and with cores for threads."""
    card = ["-netdev", "user,id=n0,ipv6=off", "-device", "virtio-net-pci,netdev=n0,romfile="]
    return [*line[:-2], "-smp", str(CORES), *card]
