"""The tally: counts of how the devices of one stage stand. What the decision is made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of devices of one stage order, as the cloud holds them. They add up to the order's devices.

    `waiting` have not taken the offer, `running` have, the others ended: `failed` and `rejected` as the device said,
    `timed_out` by the cloud's clock, `withdrawn` because the stage was stopped. `open` says that the cloud may still
    hand the offer to devices, `cancelled` that the order was ended, by us or by others, before its devices had.
    """

    waiting: int = 0
    running: int = 0
    installed: int = 0
    failed: int = 0
    rejected: int = 0
    timed_out: int = 0
    withdrawn: int = 0
    open: bool = True
    cancelled: bool = False

    @property
    def bad(self) -> int:
        """Devices that spent budget: failed (fallbacks among them), rejected, timed out."""
        return self.failed + self.rejected + self.timed_out

    @property
    def total(self) -> int:
        """All devices that the cloud counts for the order."""
        return self.waiting + self.running + self.ended

    @property
    def ended(self) -> int:
        """Devices of which no more is expected."""
        return self.installed + self.bad + self.withdrawn
