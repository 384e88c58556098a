"""The smallest kernel that U-Boot starts on the board: it says on the console which slot it is of, and rests."""

from __future__ import annotations

import struct

PL011 = 0x0900
"""Upper half of the address of the board's serial port."""
CODE = (
    0xD2A00000 | PL011 << 5,  # movz x0, #PL011, lsl 16
    0x100000E1,  # adr x1, text
    0x38401422,  # next: ldrb w2, [x1], #1
    0x34000062,  # cbz w2, rest
    0x39000002,  # strb w2, [x0]
    0x17FFFFFD,  # b next
    0xD503207F,  # rest: wfi
    0x17FFFFFF,  # b rest
)
BRANCH = 0x14000010
"""b, over the header."""
FLAGS = 0b1010
"""Little-endian, pages of 4 KiB, placed anywhere."""
SIZE = 4096


def kernel(text: str) -> bytes:
    """An arm64 Image (Linux, Documentation/arm64/booting.rst) that prints a line with `text`."""
    header = struct.pack("<II6Q4sI", BRANCH, 0, 0, SIZE, FLAGS, 0, 0, 0, b"ARM\x64", 0)
    image = header + struct.pack(f"<{len(CODE)}I", *CODE) + f"{text}\r\n\0".encode()
    return image.ljust(SIZE, b"\0")
