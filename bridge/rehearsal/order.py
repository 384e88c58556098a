"""One order of a rehearsed fleet: when each of its devices takes the offer and ends, and so its tally at any time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bridge.rehearsal.columns import Columns, Fate, Rows, Times
from bridge.tally import Tally

NEVER = np.inf
MINUTE = 60.0
ANSWER = 5.0
"""Seconds that a device needs which has the release already."""


@dataclass(slots=True)
class RehearsedOrder:
    """`rows` in the order of admission, offered from `began` on. Times are seconds since the rehearsal began."""

    columns: Columns
    rows: Rows
    began: float
    timeout: float
    pace: int | None
    back: bool
    stopped: float = NEVER
    offered: Times = field(init=False)
    takes: Times = field(init=False)
    ends: Times = field(init=False)
    fate: npt.NDArray[np.int8] = field(init=False)
    fetches: npt.NDArray[np.bool_] = field(init=False)
    _sorted: tuple[Times, dict[Fate, Times]] | None = field(init=False, default=None)
    _admitted: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.offered = np.full(len(self.rows), NEVER)
        self.takes = self.offered
        self.ends = self.offered
        has_it = self.columns.installed[self.rows]
        self.fetches = has_it if self.back else ~has_it
        self.fate = np.where(self.fetches & (not self.back), self.columns.fate[self.rows], Fate.INSTALLS).astype(
            np.int8
        )

    def admit(self, count: int, now: float) -> None:
        """Offer it to the first `count` devices by now; with a pace of the cloud's own, one after the other."""
        count = min(count, len(self.rows))
        if count <= self._admitted:
            return
        fresh = slice(self._admitted, count)
        turn = np.arange(count - self._admitted) * (MINUTE / self.pace) if self.pace else 0.0
        self.offered[fresh] = now + turn
        self._admitted = count
        self._settle()

    def _settle(self) -> None:
        self.takes = np.maximum(self.offered, self.columns.there[self.rows])
        self.takes = np.where(self.takes > self.stopped, NEVER, self.takes)
        lasts = np.where(self.fetches, self.columns.takes[self.rows], ANSWER)
        lasts = np.minimum(np.where(self.fate == Fate.FALLS_SILENT, self.timeout, lasts), self.timeout)
        self.ends = self.takes + lasts
        self._sorted = None

    def stop(self, now: float) -> None:
        """Withdraw it from those that have not begun."""
        if self.stopped == NEVER:
            self.stopped = now
            self._settle()

    def conclude(self, now: float) -> None:
        """Remember who has the release by now."""
        done = (self.ends <= now) & (self.fate == Fate.INSTALLS)
        self.columns.installed[self.rows[done]] = not self.back

    def begun(self, now: float) -> int:
        """Devices that have taken the offer by now."""
        return int(np.searchsorted(self._by_time()[0], now, side="right"))

    def tally(self, now: float) -> Tally:
        """The counts at `now`, as a cloud would give them."""
        taken = self.begun(now)
        ends = {fate: int(np.searchsorted(times, now, side="right")) for fate, times in self._by_time()[1].items()}
        left = len(self.rows) - taken
        stopped = now >= self.stopped
        ended = sum(ends.values())
        return Tally(
            waiting=0 if stopped else left,
            running=taken - ended,
            installed=ends[Fate.INSTALLS],
            failed=ends[Fate.FAILS] + ends[Fate.FALLS_BACK],
            timed_out=ends[Fate.FALLS_SILENT],
            withdrawn=left if stopped else 0,
            open=not stopped and ended < len(self.rows),
            cancelled=stopped and ended < len(self.rows),
        )

    def _by_time(self) -> tuple[Times, dict[Fate, Times]]:
        """Sorted once for each change of the order, so that a tally costs a few binary searches."""
        if self._sorted is None:
            self._sorted = (np.sort(self.takes), {fate: np.sort(self.ends[self.fate == fate]) for fate in Fate})
        return self._sorted

    def bad(self, now: float) -> tuple[Rows, npt.NDArray[np.int8]]:
        """The rows that ended badly by now, and how."""
        found = (self.ends <= now) & (self.fate != Fate.INSTALLS)
        return self.rows[found], self.fate[found]
