"""Fleets in memory, and the ways in which they and the store can break.

A `FakeFleet` implements the port `bridge.fleet.Fleet` in full. Its devices move one step with each `tick`: a waiting
device takes the offer, a running one ends as `outcomes` says. `hook` is called before and after every call with the
call's name; what it raises happens to the caller, so a test can throttle a fleet or kill the process between any two
lines. A `FaultyStore` has the same hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bridge.fleet import DeviceReport, FleetError, LimitError, Sent, StageOrder
from bridge.release.errors import FailureCode
from bridge.release.manifest import Artifact
from bridge.release.report import Outcome
from bridge.store import Store
from bridge.tally import Tally

Hook = Callable[[str], None]
CODES = {
    Outcome.FAILED: FailureCode.SLOT_WRITE,
    Outcome.REJECTED: FailureCode.INCOMPATIBLE,
    Outcome.FELL_BACK: FailureCode.UNHEALTHY,
}


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
    """One stage order: where each of its devices is."""

    order: StageOrder
    waiting: list[str]
    running: list[str] = field(default_factory=list)
    ended: dict[str, Outcome] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    stopped: bool = False

    @property
    def open(self) -> bool:
        """Whether a device may still be handed the offer."""
        return bool(self.waiting or self.running) and not self.stopped


@dataclass(slots=True)
class FakeFleet:
    """A fleet of devices `ids`. `outcomes` says how a device ends, INSTALLED unless given; `silent` ones never start.

    `offered` lists every device that took an offer, in order; `puts` every artifact that was really sent. With
    `eager`, devices move whenever a tally is asked. `limit` is one that every order breaks.
    """

    name: str
    ids: Sequence[str]
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    eager: bool = False
    limit: str = ""
    hook: Hook = nothing
    orders: dict[str, FakeOrder] = field(default_factory=dict)
    offered: list[str] = field(default_factory=list)
    puts: list[str] = field(default_factory=list)

    def devices(self, group: str | None) -> Iterator[str]:
        """All ids; of a group, those that begin with its name."""
        with self._call("devices"):
            return iter([device for device in self.ids if group is None or device.startswith(group)])

    def put_artifact(self, artifact: Artifact, source: Path, sent: Sent) -> None:  # noqa: ARG002 - nothing is read
        """Keep the artifact's hash, once."""
        with self._call("put_artifact"):
            if artifact.sha256 not in self.puts:
                self.puts.append(artifact.sha256)
                sent(artifact.length)

    def check(self, order: StageOrder) -> None:
        """Refuse by `limit`."""
        assert order.devices
        if self.limit:
            raise LimitError(f"fleet {self.name}: {self.limit}")

    def start(self, order: StageOrder) -> None:
        """Offer the release to the order's devices; an order that is there already stays as it is."""
        with self._call("start"):
            if order.key not in self.orders:
                self.orders[order.key] = FakeOrder(order, list(order.devices))

    def tally(self, key: str) -> Tally | None:
        """Counts of the order."""
        with self._call("tally"):
            if self.eager:
                self.tick()
            return self._tally(self.orders[key]) if key in self.orders else None

    def reports(self, key: str) -> Iterator[DeviceReport]:
        """Of the devices that ended badly."""
        with self._call("reports"):
            ended = self.orders[key].ended.items()
            bad = [(device, outcome) for device, outcome in ended if outcome is not Outcome.INSTALLED]
            return iter([DeviceReport(each, outcome, CODES[outcome], f"{each} says so") for each, outcome in bad])

    def stop(self, key: str, reason: str) -> None:  # noqa: ARG002 - a fake has no log
        """Withdraw the offer from the devices that wait."""
        with self._call("stop"):
            if key in self.orders:
                order = self.orders[key]
                order.stopped = True
                order.withdrawn += order.waiting
                order.waiting = []

    def tick(self) -> None:
        """Move every device one step."""
        for order in self.orders.values():
            order.ended |= {device: self.outcomes.get(device, Outcome.INSTALLED) for device in order.running}
            order.running = [device for device in order.waiting if device not in self.silent]
            order.waiting = [device for device in order.waiting if device in self.silent]
            self.offered += order.running

    def _tally(self, order: FakeOrder) -> Tally:
        ended = list(order.ended.values())
        return Tally(
            waiting=len(order.waiting),
            running=len(order.running),
            installed=ended.count(Outcome.INSTALLED),
            failed=ended.count(Outcome.FAILED) + ended.count(Outcome.FELL_BACK),
            rejected=ended.count(Outcome.REJECTED),
            withdrawn=len(order.withdrawn),
            open=order.open,
            cancelled=order.stopped,
        )

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        try:
            self.hook(f"{name} begins")
            yield
            self.hook(f"{name} ends")
        except FleetError as error:
            raise FleetError(f"fleet {self.name}: {error}", retryable=error.retryable) from error


class FaultyStore(Store):
    """The real store on a real file, with a hook around each call that the controller makes."""

    def __init__(self, path: Path, hook: Hook = nothing) -> None:
        self._hook = hook
        super().__init__(path)

    def create(self, record, entry):
        """As `Store.create`."""
        return self._hooked("create", lambda: super(FaultyStore, self).create(record, entry))

    def save(self, record, entries=()):
        """As `Store.save`."""
        return self._hooked("save", lambda: super(FaultyStore, self).save(record, entries))

    def load(self, name):
        """As `Store.load`."""
        return self._hooked("load", lambda: super(FaultyStore, self).load(name))

    def state(self, name):
        """As `Store.state`."""
        return self._hooked("state", lambda: super(FaultyStore, self).state(name))

    def _hooked(self, name, call):
        self._hook(f"{name} begins")
        result = call()
        self._hook(f"{name} ends")
        return result
