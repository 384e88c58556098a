"""How the devices of a stage stand, from what the hub counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.azure.wire import COMPONENT, Word, parse_reported, parse_standing
from bridge.fleet import DeviceReport
from bridge.release.report import Outcome, Progress, Report
from bridge.tally import Tally

Row = Mapping[str, object]
"""One row of a query's answer; members that are not defined are absent or null."""
SECONDS_A_MINUTE = 60
_ENDS: Mapping[Word, Outcome] = {
    Word.REJECTED: Outcome.REJECTED,
    Word.FAILED: Outcome.FAILED,
    Word.FELL_BACK: Outcome.FELL_BACK,
}


_ENDED = frozenset(Word) - {Word.RUNNING}
TIMED_OUT = "timed-out"
"""How a device ended that was too slow, where another stage took it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Devices by word, those that have not begun, and those that were too slow and were then taken by another stage."""

    words: Mapping[Word, int]
    unbegun: int
    timed_out: int = 0

    @property
    def running(self) -> int:
        """Devices in the middle, late ones among them."""
        return self.words.get(Word.RUNNING, 0)

    @property
    def total(self) -> int:
        """Devices that still carry a tag of the stage's."""
        return sum(self.words.values()) + self.unbegun + self.timed_out


def counts(stage: str, rows: Iterable[Row], moved: Iterable[Row] = ()) -> Counts:
    """Devices by how they stand; what they say of other stages, or cannot have said, counts as not begun. `moved` are
    the rows of `queries.moved_on`: devices that have ended here and are in another stage now.
    """
    words: Counter[Word] = Counter()
    unbegun = 0
    for row in rows:
        standing, devices = parse_standing(row.get("standing")), number(row)
        if standing is not None and standing.stage == stage:
            words[standing.word] += devices
        else:
            unbegun += devices
    timed_out = 0
    for row in moved:
        if row.get("word") in _ENDED:
            words[Word(str(row["word"]))] += number(row)
        else:
            timed_out += number(row)
    return Counts(words, unbegun, timed_out)


def tally(seen: Counts, size: int, late: int, *, over: bool, joined: int | None = None) -> Tally:
    """The tally of an order of `size` devices, `joined` of which were put into its group (None: all), and `late` of
    which began too long ago. Devices that were not put there yet wait.

    Where the offer is `over`, who has not begun never will; until then it is open, as a deployment is also handed to
    devices that join the group later. Devices that no longer carry the tag left the hub, or were taken out of the stage
    by somebody.
    """
    late = min(late, seen.running)
    running = seen.running - late
    words = seen.words
    admitted = max(seen.total, size if joined is None else joined)
    unbegun = seen.unbegun + max(0, size - admitted)
    withdrawn = words.get(Word.WITHDRAWN, 0) + admitted - seen.total + (unbegun if over else 0)
    waiting = 0 if over else unbegun
    return Tally(
        waiting=waiting,
        running=running,
        installed=words.get(Word.INSTALLED, 0),
        failed=words.get(Word.FAILED, 0) + words.get(Word.FELL_BACK, 0),
        rejected=words.get(Word.REJECTED, 0),
        timed_out=late + seen.timed_out,
        withdrawn=withdrawn,
        open=not over,
        cancelled=over,
    )


def number(row: Row) -> int:
    """The `devices` of a row of counts."""
    value = row.get("devices")
    return value if isinstance(value, int) else 0


def bytes_saved(row: Row) -> float:
    """The `saved` of a row of sums, which lacks it where nothing was added up."""
    value = row.get("saved")
    return value if isinstance(value, int | float) else 0


def deadline(now: float, timeout_minutes: int) -> str:
    """When a device that is late by now must have begun, as the twin's metadata tells time."""
    moment = datetime.fromtimestamp(now - timeout_minutes * SECONDS_A_MINUTE, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def bad_report(stage: str, row: Row) -> DeviceReport | None:
    """How a device of `queries.bad_devices` ended; None where it says something else by now."""
    standing, said = parse_reported({COMPONENT: row.get("otabridge")})
    if standing is None or standing.stage != stage or standing.word not in _ENDS:
        return None
    device, outcome = str(row.get("deviceId")), _ENDS[standing.word]
    if isinstance(said, Report) and said.outcome is outcome:
        return DeviceReport(device, said.outcome, said.code, said.detail, said.slot, said.artifact, said.saved)
    return DeviceReport(device, outcome, None, f"the device reported {standing.word} and not why")


def late_report(row: Row, timeout_minutes: int) -> DeviceReport:
    """How a device of `queries.late_devices` stands."""
    _, said = parse_reported({COMPONENT: row.get("otabridge")})
    where = f" while {said.words}" if isinstance(said, Progress) else ""
    detail = f"not ended {timeout_minutes} minutes after it began{where}"
    return DeviceReport(str(row.get("deviceId")), None, None, detail)
