"""Keeps devices that are offered one release in the same minute from fetching it in the same minute. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_PARTS = 2**64


@dataclass(frozen=True, slots=True)
class Spread:
    """Cuts time into windows of `seconds`; in each, `device` has one moment of its own for each release.

    The moment follows from the device and the release alone. So nothing has to be remembered: a device that was
    restarted while it waited waits for the same moment, and the first device of one release is not that of the next.
    """

    device: str = ""
    seconds: float = 0.0

    def wait(self, release: bytes, now: float) -> float:
        """Seconds from `now`, a time of day in seconds, to this device's next moment: at least 0, below `seconds`."""
        if self.seconds <= 0:
            return 0.0
        return (self._moment(release) - now) % self.seconds

    def _moment(self, release: bytes) -> float:
        drawn = hashlib.sha256(b"%b\0%b" % (self.device.encode(errors="replace"), hashlib.sha256(release).digest()))
        return self.seconds * int.from_bytes(drawn.digest()[:8], "big") / _PARTS
