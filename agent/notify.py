"""Tells systemd how the agent is: sd_notify(3), a datagram on the socket that systemd names."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

MAX_STATUS = 256
SEND_SECONDS = 1.0


class Notifier:
    """Sends states to the service manager; says nothing where there is none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """The service is up."""
        self._send("READY=1")

    def stopping(self) -> None:
        """The service goes down on purpose."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """The service works."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + " ".join(text.split())[:MAX_STATUS])

    def _send(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # A manager that does not listen must not end an update; if it misses our pings it will restart us.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.settimeout(SEND_SECONDS)  # a manager whose queue is full must not hold us up
            line.sendto(state.encode(), address)


def watchdog_seconds(environment: Mapping[str, str] = os.environ, process: int | None = None) -> float | None:
    """How often systemd wants to hear of us, in seconds; None when it does not (sd_watchdog_enabled(3))."""
    meant = environment.get("WATCHDOG_PID", "")
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if meant and meant != str(process or os.getpid()):
        return None
    return int(microseconds) / 1_000_000
