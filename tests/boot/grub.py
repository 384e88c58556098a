"""GRUB of Debian for PCs with a BIOS, unchanged: put onto a disk without grub-install, and started by SeaBIOS.

grub-install would need the disk as a block device; what it does to boot.img and core.img are these few numbers (GRUB,
grub-core/boot/i386/pc/boot.S and diskboot.S, util/setup.c).
"""

from __future__ import annotations

import struct
from pathlib import Path

from tests.boot.programs import GRUB_IMAGES, run

CORE_SECTOR = 2048
"""Where the disk has room for it: between the partition table and the first partition."""
SECTOR = 512
KERNEL_SECTOR = 0x5C
"""In boot.img: the sector at which core.img begins."""
BLOCK_LIST = 0x1F4
"""In core.img: where the rest of it lies, how many sectors, and the segment to load it at."""
SEGMENT = 0x820
BOOT_CODE_BYTES = 440
EARLY = """\
serial --unit=0 --speed=115200
terminal_output serial
set root=(hd0,gpt1)
set prefix=($root)/grub
{settings}"""
MODULES = (
    *("biosdisk", "part_gpt", "ext2", "normal", "configfile", "loadenv", "test", "echo", "linux", "reboot", "serial"),
    *("terminal", "minicmd", "true", "sleep", "datetime", "regexp", "boot"),
)
ENTRY = bytes.fromhex("e800000000 5e 83c614 66baf803 ac 84c0 7403 ee ebf8 fa f4 ebfd".replace(" ", ""))
"""call next; next: pop esi; add esi, text - next; mov dx, 0x3f8; more: lodsb; test al, al; jz rest; out dx, al;
jmp more; rest: cli; hlt; jmp rest"""
SETUP_SECTORS = 4
MEMORY_MIB = 128


def install(disk: Path, early: Path, settings: str = "") -> None:
    """GRUB's boot code and core onto `disk`; `settings` are commands before grub.cfg. Raises: ProgramFailed."""
    early.write_text(EARLY.format(settings=settings))
    core_file = early.with_suffix(".core")
    run("grub-mkimage", "-O", "i386-pc", "-p", "(hd0,gpt1)/grub", "-c", early, "-o", core_file, *MODULES)
    core = bytearray(core_file.read_bytes())
    sectors = -(-len(core) // SECTOR)
    struct.pack_into("<QHH", core, BLOCK_LIST, CORE_SECTOR + 1, sectors - 1, SEGMENT)
    code = bytearray((GRUB_IMAGES / "boot.img").read_bytes()[:BOOT_CODE_BYTES])
    struct.pack_into("<Q", code, KERNEL_SECTOR, CORE_SECTOR)
    with disk.open("r+b") as file:
        file.write(code)
        file.seek(CORE_SECTOR * SECTOR)
        file.write(core)


def kernel(text: str) -> bytes:
    """A bzImage (Linux, Documentation/x86/boot.rst, protocol 2.03) that prints a line with `text` and rests."""
    setup = bytearray(SECTOR * (SETUP_SECTORS + 1))
    setup[0x1F1] = SETUP_SECTORS
    struct.pack_into("<H", setup, 0x1FE, 0xAA55)
    setup[0x200:0x202] = b"\xeb\x3e"
    struct.pack_into("<4sH", setup, 0x202, b"HdrS", 0x0203)
    setup[0x211] = 1  # loaded high
    struct.pack_into("<I", setup, 0x214, 0x100000)
    struct.pack_into("<I", setup, 0x22C, 0x37FFFFFF)
    return bytes(setup) + (ENTRY + f"\r\n{text}\r\n\0".encode()).ljust(4096, b"\0")


def command(disk: Path, drive: str, *, memory: int = MEMORY_MIB) -> list[str]:
    """QEMU's command line of a PC, always emulated, without a network; `drive` are QEMU's options of the disk."""
    board = ["-M", "q35,accel=tcg", "-m", str(memory), "-vga", "none"]
    nvme = [
        "-drive",
        f"file={disk},if=none,id=d0,format=raw,{drive}",
        "-device",
        "nvme,drive=d0,serial=disk,bootindex=0",
    ]
    return ["qemu-system-x86_64", *board, *nvme, "-nic", "none"]


def living(line: list[str]) -> list[str]:
    """The command line of a PC with a network on which 10.0.2.2 is this machine's loopback, and with a watchdog."""
    card = ["-netdev", "user,id=n0,ipv6=off", "-device", "virtio-net-pci,netdev=n0,romfile="]
    return [*line[:-2], "-cpu", "max,la57=off", *card, "-device", "i6300esb", "-action", "watchdog=reset"]
