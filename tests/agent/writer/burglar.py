"""Code that runs in the agent's place, with its rights: tries what it may not, and says a line about each.

Arguments: the board's folder, the writer's socket, a block device or nothing.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from agent.pace import Timing
from agent.slots import Slot
from agent.writer import protocol as ask
from agent.writer.client import SlotWriter

BOARD, SOCKET = Path(sys.argv[1]), Path(sys.argv[2])
DEVICES = sys.argv[3:]


def reopened() -> None:
    """The descriptor for reading that the writer sends, as one for writing."""
    descriptor = SlotWriter(SOCKET, Timing()).descriptor(ask.Look(Slot.A))
    os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)


def mounted() -> None:
    """A file system over the board."""
    call = ctypes.CDLL(None, use_errno=True)
    if call.mount(b"none", b"/mnt", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


ATTEMPTS: dict[str, Callable[[], object]] = {
    "write the slot that runs": lambda: os.open(BOARD / "a.img", os.O_RDWR),
    "write the other slot": lambda: os.open(BOARD / "b.img", os.O_RDWR),
    "read a slot by its name": lambda: os.open(BOARD / "a.img", os.O_RDONLY),
    "write the boot environment": lambda: os.open(BOARD / "boot.env.0", os.O_RDWR),
    "replace the boot environment": lambda: Path("/proc/self/exe").rename(BOARD / "boot.env.0"),
    "write by a descriptor for reading": reopened,
    "make a device of its own": lambda: os.mknod("/tmp/device", 0o60600, os.makedev(254, 0)),
    "mount": mounted,
    "listen to the network's packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "become root": lambda: os.setuid(0),
    "take the writer's socket away": SOCKET.unlink,
    **{f"open {device}": lambda device=device: os.open(device, os.O_RDONLY) for device in DEVICES},
}

if __name__ == "__main__":
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
        except PermissionError:
            sys.stdout.write(f"refused: {name}\n")
        except OSError as error:
            sys.stdout.write(f"{error}: {name}\n")
        else:
            sys.stdout.write(f"done: {name}\n")
