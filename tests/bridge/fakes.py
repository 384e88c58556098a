"""Fleets in memory, and the ways in which they and the store can break.

A `FakeFleet` implements the port `bridge.fleet.Fleet` in full. Its devices move one step with each `tick`: a waiting
device takes the offer, a running one ends as `outcomes` says; one that runs the release already answers at once. `hook`
is called before and after every call with the call's name; what it raises happens to the caller, so a test can throttle
a fleet or kill the process between any two lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bridge.fleet import (
    Adopted,
    Census,
    Device,
    DeviceReport,
    FleetError,
    HealthCount,
    LimitError,
    Savings,
    Sent,
    StageOrder,
)
from bridge.planning.planned import Facts
from bridge.release.bucket import Buckets, bucket
from bridge.release.errors import FailureCode
from bridge.release.manifest import Artifact, Release
from bridge.release.report import Outcome
from bridge.rollout.model import FleetPart
from bridge.tally import Tally

Hook = Callable[[str], None]
SILENT = None
"""How a device ends that took the offer and was never heard of again."""
Ending = Outcome | None | tuple[Outcome | None, ...]
CODES = {
    Outcome.FAILED: FailureCode.DOWNLOAD,
    Outcome.REJECTED: FailureCode.INCOMPATIBLE,
    Outcome.FELL_BACK: FailureCode.UNHEALTHY,
}
PREVIOUS = b"previous release.json"
"""The release that every device runs at first, and to which it can go back."""


class Crash(BaseException):
    """The process died here. Not an Exception: no handler of ours may survive its own death."""


def nothing(_: str) -> None:
    """A hook for fair weather."""


@dataclass(slots=True)
class CrashAt:
    """A hook that kills the process at the call number `at`, counting from 1; `count` is how many there were."""

    at: int = 0
    count: int = 0

    def __call__(self, call: str) -> None:
        self.count += 1
        if self.count == self.at:
            raise Crash(call)


@dataclass(slots=True)
class Refuse:
    """A hook that refuses the calls that begin with one of `calls`, while `on`."""

    calls: tuple[str, ...]
    retryable: bool = True
    on: bool = True

    def __call__(self, call: str) -> None:
        if self.on and call.startswith(self.calls):
            raise FleetError("throttled" if self.retryable else "access denied", retryable=self.retryable)


@dataclass(slots=True)
class FakeOrder:
    """One stage order: where each of its devices is. `borrowed`: it still holds what it took from the cloud."""

    order: StageOrder
    waiting: list[str]
    running: list[str] = field(default_factory=list)
    ended: dict[str, Outcome | None] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    stopped: bool = False
    borrowed: bool = True

    @property
    def open(self) -> bool:
        """Whether a device may still be handed the offer."""
        return bool(self.waiting or self.running) and not self.stopped

    @property
    def admitted(self) -> list[str]:
        """The waiting devices that may take the offer by now."""
        if self.order.admitted is None:
            return self.waiting
        begun = len(self.running) + len(self.ended)
        return self.waiting[: max(0, self.order.admitted - begun)]

    @property
    def installed(self) -> list[str]:
        """Devices that it has updated."""
        return [device for device, outcome in self.ended.items() if outcome is Outcome.INSTALLED]


@dataclass(slots=True)
class FakeFleet:
    """A fleet of devices `ids`. `outcomes` says how a device ends, INSTALLED unless given, a tuple for one try after
    the other; going back to PREVIOUS always succeeds. `silent` ones never start.

    `models` and `conditions` (the devices that meet one) are what its queries know, `resets` those that a watchdog has
    reset, `savings` the bytes that deltas saved some, `unplaced` those that report no bucket. `offered` lists every
    device that took an offer, in order; `puts` every artifact that was really sent. With `eager`, devices move whenever
    a tally is asked. `limit` is one that every order breaks; `foreign` are jobs that were made without otabridge.
    """

    name: str
    ids: Sequence[str]
    outcomes: Mapping[str, Ending] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    eager: bool = False
    limit: str = ""
    hook: Hook = nothing
    orders: dict[str, FakeOrder] = field(default_factory=dict)
    offered: list[str] = field(default_factory=list)
    puts: list[str] = field(default_factory=list)
    told: Facts = field(default_factory=lambda: Facts("fake"))
    models: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    resets: frozenset[str] = frozenset()
    savings: Mapping[str, int] = field(default_factory=dict)
    unplaced: frozenset[str] = frozenset()
    foreign: dict[str, FakeOrder] = field(default_factory=dict)
    runs: dict[str, bytes] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)

    def facts(self) -> Facts:
        """As `told`."""
        with self._call("facts"):
            return self.told

    def census(self, part: FleetPart, buckets: tuple[Buckets, ...] = (), models: tuple[str, ...] = ()) -> Census:
        """Counts of devices that report a bucket, by model."""
        with self._call("census"):
            found = self._found(part, buckets, models)
            placed = Counter(self.models.get(device, "") for device in found if device not in self.unplaced)
            return Census(placed, sum(device in self.unplaced for device in found))

    def devices(self, part: FleetPart, buckets: tuple[Buckets, ...] = ()) -> Iterator[Device]:
        """All of the part; of a group, those whose ids begin with its name."""
        with self._call("devices"):
            return iter([Device(each, self.models.get(each, "")) for each in self._found(part, buckets, ())])

    def put_artifact(self, artifact: Artifact, source: Path, sent: Sent) -> None:  # noqa: ARG002 - nothing is read
        """Keep the artifact's hash, once."""
        with self._call("put_artifact"):
            if artifact.sha256 not in self.puts:
                self.puts.append(artifact.sha256)
                sent(artifact.length)

    def check(self, order: StageOrder) -> None:
        """Refuse by `limit`."""
        assert order.devices or order.buckets
        if self.limit:
            raise LimitError(f"fleet {self.name}: {self.limit}")

    def start(self, order: StageOrder) -> None:
        """Offer the release to the order's devices; of an order that is there already only `admitted` changes."""
        with self._call("start"):
            found = self.orders.get(order.key)
            if found is None:
                self.orders[order.key] = FakeOrder(order, self._chosen(order))
            else:
                found.order = replace(found.order, admitted=order.admitted)

    def tally(self, key: str) -> Tally | None:
        """Counts of the order."""
        with self._call("tally"):
            if self.eager:
                self.tick()
            return self._tally(self._known[key]) if key in self._known else None

    def reports(self, key: str) -> Iterator[DeviceReport]:
        """Of the devices that ended badly."""
        with self._call("reports"):
            ended = self._known[key].ended.items()
            return iter([self._report(each, outcome) for each, outcome in ended if outcome is not Outcome.INSTALLED])

    def health(self, keys: Sequence[str], condition: str) -> HealthCount:
        """Counts of the devices in `conditions`."""
        with self._call("health"):
            if condition not in self.conditions:
                raise LimitError(f"fleet {self.name} has no query {condition!r}")
            updated, bad = self._updated(keys), self.conditions[condition]
            reached = {device for key in keys for device in (*self._known[key].ended, *self._known[key].running)}
            others = set(self.ids) - reached
            return HealthCount(len(updated & bad), len(updated), len(others & bad), len(others))

    def watchdog_resets(self, keys: Sequence[str]) -> int:
        """How many updated devices are in `resets`."""
        with self._call("watchdog_resets"):
            return len(self._updated(keys) & self.resets)

    def saved(self, keys: Sequence[str], release: Release) -> Savings:  # noqa: ARG002 - devices have no other release
        """The `savings` of updated devices."""
        with self._call("saved"):
            found = [saved for device, saved in self.savings.items() if device in self._updated(keys)]
            return Savings(len(found), sum(found))

    def adopt(self, native: str) -> Adopted:
        """One of `foreign`."""
        with self._call("adopt"):
            if native not in self.foreign:
                raise FleetError(f"there is no job {native}")
            order = self.foreign[native]
            size = len(order.waiting) + len(order.running) + len(order.ended)
            return Adopted(f"native-{native}", native, size, "1.2.3", datetime(2026, 2, 1, tzinfo=UTC))

    def stop(self, key: str, reason: str) -> None:  # noqa: ARG002 - a fake has no log
        """Withdraw the offer from the devices that wait; what it took is given back once nobody is in the middle."""
        with self._call("stop"):
            order = self._known.get(key)
            if order is not None:
                order.stopped = True
                order.withdrawn += order.waiting
                order.waiting = []
                order.borrowed = bool(order.running)

    def tick(self) -> None:
        """Move every device one step; nobody takes two offers at once."""
        for order in self._known.values():
            order.ended |= {device: self._end(device, order.order.release) for device in order.running}
            order.running = []
        for order in self._known.values():
            self._take(order)

    def _take(self, order: FakeOrder) -> None:
        busy = {device for each in self._known.values() for device in each.running}
        takers = [device for device in order.admitted if device not in self.silent | busy]
        if self.told.paces and order.order.pace is not None:
            takers = takers[: order.order.pace]
        order.waiting = [device for device in order.waiting if device not in takers]
        ready = {device for device in takers if self.runs.get(device, PREVIOUS) == order.order.release}
        order.ended |= dict.fromkeys(sorted(ready), Outcome.INSTALLED)
        order.running = [device for device in takers if device not in ready]
        self.offered += order.running

    def _end(self, device: str, release: bytes) -> Outcome | None:
        ending = Outcome.INSTALLED if release == PREVIOUS else self.outcomes.get(device, Outcome.INSTALLED)
        if isinstance(ending, tuple):
            ending = ending[min(self.tries[device], len(ending) - 1)]
        self.tries[device] += 1
        if ending is Outcome.INSTALLED:
            self.runs[device] = release
        return ending

    @property
    def _known(self) -> dict[str, FakeOrder]:
        return self.orders | {f"native-{native}": order for native, order in self.foreign.items()}

    def _chosen(self, order: StageOrder) -> list[str]:
        if order.devices:
            return [device for device in order.devices if device in self.ids]
        found = self._found(order.part, order.buckets, order.models)
        return [device for device in found if device not in self.unplaced]

    def _found(self, part: FleetPart, buckets: tuple[Buckets, ...], models: tuple[str, ...]) -> list[str]:
        return [
            device
            for device in self.ids
            if part.devices is None or device in part.devices
            if part.group is None or device.startswith(part.group)
            if part.query is None or device in self.conditions[part.query]
            if not buckets or any(first <= bucket(device) <= last for first, last in buckets)
            if not models or self.models.get(device, "") in models
        ]

    def _updated(self, keys: Sequence[str]) -> set[str]:
        return {device for key in keys for device in self._known[key].installed}

    def _report(self, device: str, outcome: Outcome | None) -> DeviceReport:
        code = CODES[outcome] if outcome is not None else None
        return DeviceReport(device, outcome, code, f"{device} says so" if outcome else "silent past its deadline")

    def _tally(self, order: FakeOrder) -> Tally:
        ended = list(order.ended.values())
        return Tally(
            waiting=len(order.waiting),
            running=len(order.running),
            installed=ended.count(Outcome.INSTALLED),
            failed=ended.count(Outcome.FAILED) + ended.count(Outcome.FELL_BACK),
            rejected=ended.count(Outcome.REJECTED),
            timed_out=ended.count(SILENT),
            withdrawn=len(order.withdrawn),
            open=order.open,
            cancelled=order.stopped and bool(order.withdrawn),
        )

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        try:
            self.hook(f"{name} begins")
            yield
            self.hook(f"{name} ends")
        except LimitError:
            raise
        except FleetError as error:
            raise FleetError(f"fleet {self.name}: {error}", retryable=error.retryable) from error
