"""A hardware watchdog through the kernel's device: it restarts the machine unless it is fed in time.

Source: Linux, Documentation/watchdog/watchdog-api.rst and include/uapi/linux/watchdog.h. Opening the device starts it.
Closing it stops it only where the letter "V" was written last (magic close); a process that dies leaves it running.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
from pathlib import Path
from typing import Protocol

from agent.proof.watchdog import WATCHDOGS
from bridge.release.errors import SlotError

# The numbers as asm-generic/ioctl.h makes them of 'W', the size and the number: x86, Arm, RISC-V, not MIPS and PowerPC,
# where the kernel answers that it knows no such request.
GET_SUPPORT = 0x80285700
"""WDIOC_GETSUPPORT: struct watchdog_info, 40 bytes: options, firmware version, 32 bytes of identity."""
KEEP_ALIVE = 0x80045705
"""WDIOC_KEEPALIVE."""
SET_TIMEOUT = 0xC0045706
"""WDIOC_SETTIMEOUT: seconds in, seconds granted out."""
GET_TIMEOUT = 0x80045707
"""WDIOC_GETTIMEOUT: seconds."""
SETTABLE = 0x0080
"""WDIOF_SETTIMEOUT: its time can be set."""
MAGIC_CLOSE = 0x0100
"""WDIOF_MAGICCLOSE: it goes on when it is closed without the letter."""
LETTER = b"V"

_NUMBER = struct.Struct("@i")
_SUPPORT = struct.Struct("@II32s")

logger = logging.getLogger(__name__)


class WatchdogError(SlotError):
    """The watchdog cannot be used as configured."""


class Calls(Protocol):
    """The system calls on the device. Each raises OSError."""

    def open(self, path: Path) -> int:
        """A descriptor; the watchdog runs from now on. Raises: OSError with EBUSY where another has it open."""

    def ioctl(self, descriptor: int, request: int, argument: bytes) -> bytes:
        """What the kernel has made of `argument`."""

    def write(self, descriptor: int, data: bytes) -> None:
        """Feeds it; and tells whether it is to stop when it is closed."""

    def close(self, descriptor: int) -> None:
        """Let go of it."""


class SystemCalls:
    """Those of this machine."""

    def open(self, path: Path) -> int:
        """See Calls. No command that the agent starts inherits it."""
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC)

    def ioctl(self, descriptor: int, request: int, argument: bytes) -> bytes:
        """See Calls."""
        return fcntl.ioctl(descriptor, request, argument)

    def write(self, descriptor: int, data: bytes) -> None:
        """See Calls."""
        os.write(descriptor, data)

    def close(self, descriptor: int) -> None:
        """See Calls."""
        os.close(descriptor)


class WatchdogDevice:
    """One watchdog, open and running. `seconds` is how long it waits to be fed."""

    def __init__(self, path: Path, calls: Calls | None = None) -> None:
        """Open the device at `path`, which starts it with the time that it happens to have. Raises: WatchdogError."""
        self._path = path
        self._calls = calls or SystemCalls()
        try:
            self._descriptor = self._calls.open(path)
        except OSError as error:
            raise WatchdogError(_explained(path, error)) from error
        try:
            self._options, self.identity = self._support()
            self.seconds = self._granted()
        except OSError as error:
            self.hand_back()
            raise WatchdogError(f"watchdog.device {path} does not answer as a watchdog: {error.strerror}") from error
        if not self._options & MAGIC_CLOSE:
            logger.warning("the driver of %s (%s) stops it when the agent ends, however that is", path, self.identity)

    def set_seconds(self, seconds: int) -> None:
        """Have it wait `seconds`; what the driver makes of that is in `seconds` afterwards. Raises: WatchdogError."""
        if not self._options & SETTABLE:
            return
        try:
            self._calls.ioctl(self._descriptor, SET_TIMEOUT, _NUMBER.pack(seconds))
            self.seconds = self._granted()
        except OSError as error:
            raise WatchdogError(
                f"the driver of {self._path} ({self.identity}) takes no timeout of {seconds} s: {error.strerror}; "
                f"its bounds are in {entry(self._path)}, min_timeout and max_timeout"
            ) from error

    def feed(self) -> None:
        """From now on it waits its time anew. Raises: WatchdogError."""
        try:
            self._calls.ioctl(self._descriptor, KEEP_ALIVE, _NUMBER.pack(0))
        except OSError as error:
            raise WatchdogError(f"{self._path} cannot be fed: {error.strerror}") from error

    def hand_back(self) -> None:
        """Stop it and let go of it. What goes wrong is logged: the machine restarts then."""
        try:
            self._calls.write(self._descriptor, LETTER)
            self._calls.close(self._descriptor)
        except OSError:
            logger.exception("%s may still run, and restart the machine", self._path)

    def _support(self) -> tuple[int, str]:
        answer = self._calls.ioctl(self._descriptor, GET_SUPPORT, bytes(_SUPPORT.size))
        options, _, identity = _SUPPORT.unpack(answer)
        return int(options), bytes(identity).partition(b"\0")[0].decode(errors="replace")

    def _granted(self) -> int:
        answer = self._calls.ioctl(self._descriptor, GET_TIMEOUT, _NUMBER.pack(0))
        return int(_NUMBER.unpack(answer)[0])


def examined(path: Path, when: str, folder: Path = WATCHDOGS) -> str:
    """What there is to say of the watchdog at `path` without starting it. Raises: WatchdogError: it is of no use."""
    if not path.is_char_device():
        raise WatchdogError(f"watchdog.device {path} is no device: is its driver loaded?")
    if not os.access(path, os.W_OK):
        raise WatchdogError(f"watchdog.device {path} may not be opened by this user")
    if when == "trial":
        require_stoppable(path, folder)
    told = {name: _told(entry(path, folder) / name) for name in ("identity", "state", "max_timeout")}
    return ", ".join([str(path), *(f"{name} {value}" for name, value in told.items() if value)])


def require_stoppable(path: Path, folder: Path = WATCHDOGS) -> None:
    """Raises: WatchdogError when the kernel says that the watchdog at `path` cannot be stopped once it runs."""
    if _told(entry(path, folder) / "nowayout") == "1":
        raise WatchdogError(
            f"watchdog.device {path} cannot be stopped once it runs (nowayout): load its driver without that, or write "
            'watchdog.when = "always"'
        )


def entry(path: Path, folder: Path = WATCHDOGS) -> Path:
    """The folder in `folder` that tells of the watchdog at `path`; /dev/watchdog is the first one."""
    return folder / ("watchdog0" if path.name == "watchdog" else path.name)


def _told(path: Path) -> str:
    """A line of at most 64 characters; "" where it cannot be read: a kernel need not tell."""
    try:
        with path.open("rb") as file:
            return file.read(64).decode(errors="replace").strip()
    except OSError:
        return ""


def _explained(path: Path, error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return (
            f"watchdog.device {path} is in use: is it systemd's (RuntimeWatchdogSec in /etc/systemd/system.conf)? "
            'then write watchdog.owner = "systemd" in place of the device; or it is another daemon\'s'
        )
    return f"watchdog.device {path} cannot be opened: {error.strerror}; is its driver loaded, and the unit allowed to?"
