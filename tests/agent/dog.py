"""A hardware watchdog in memory, with the rules of the kernel's watchdog core; the test moves its clock."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field
from pathlib import Path

from agent.proof.watchdog_device import GET_SUPPORT, GET_TIMEOUT, KEEP_ALIVE, MAGIC_CLOSE, SET_TIMEOUT, SETTABLE

PATH = Path("/dev/watchdog0")
DESCRIPTOR = 77


@dataclass
class SimulatedWatchdog:
    """The device, as system calls see it. `now` is the time in seconds; `bites_at` when it restarts the machine, None
    while it does not run. `most` is the longest time that its driver takes."""

    now: float = 1000.0
    most: int = 600
    seconds: int = 30
    options: int = MAGIC_CLOSE | SETTABLE
    stoppable: bool = True
    taken: bool = False
    """Whether somebody has it open."""
    bites_at: float | None = None
    armed_for: list[int] = field(default_factory=list)
    fed: list[float] = field(default_factory=list)
    magic: bool = False

    def open(self, path: Path) -> int:
        """See Calls."""
        if path != PATH:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        if self.taken:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.taken, self.magic = True, False
        self._feed()
        return DESCRIPTOR

    def ioctl(self, descriptor: int, request: int, argument: bytes) -> bytes:
        """See Calls."""
        self._require_open(descriptor)
        match request:
            case 0x80285700:
                return struct.pack("II32s", self.options, 7, b"dog of the test")
            case 0x80045705:
                self._feed()
                return argument
            case 0xC0045706:
                return self._set(argument)
            case 0x80045707:
                return struct.pack("i", self.seconds)
        raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    def write(self, descriptor: int, data: bytes) -> None:
        """See Calls."""
        self._require_open(descriptor)
        self.magic = data.endswith(b"V")
        self._feed()

    def close(self, descriptor: int) -> None:
        """See Calls."""
        self._require_open(descriptor)
        self.taken = False
        if self.stoppable and (self.magic or not self.options & MAGIC_CLOSE):
            self.bites_at = None

    def die(self) -> None:
        """The process that has it open is killed: the kernel closes it."""
        if self.taken:
            self.magic = False
            self.close(DESCRIPTOR)

    @property
    def bitten(self) -> bool:
        """Whether the machine has been restarted by now."""
        return self.bites_at is not None and self.now >= self.bites_at

    def _set(self, argument: bytes) -> bytes:
        (seconds,) = struct.unpack("i", argument)
        if not self.options & SETTABLE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        if seconds > self.most:
            raise OSError(errno.EINVAL, "Invalid argument")
        self.seconds = seconds
        self.armed_for.append(seconds)
        self._feed()
        return argument

    def _feed(self) -> None:
        assert not self.bitten, "the machine was restarted before"
        self.fed.append(self.now)
        self.bites_at = self.now + self.seconds

    def _require_open(self, descriptor: int) -> None:
        if not self.taken or descriptor != DESCRIPTOR:
            raise OSError(errno.EBADF, "Bad file descriptor")


NUMBERS = {
    "WDIOC_GETSUPPORT": GET_SUPPORT,
    "WDIOC_KEEPALIVE": KEEP_ALIVE,
    "WDIOC_SETTIMEOUT": SET_TIMEOUT,
    "WDIOC_GETTIMEOUT": GET_TIMEOUT,
}
"""What the agent calls the requests, by their names in linux/watchdog.h."""
