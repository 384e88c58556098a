"""The controller: observe, decide, save, act, again and again, until the rollout has ended.

Nothing is remembered outside the store, so a pass can follow a crash at any line: what was decided is saved before it
is done, and what is done is done under names that depend on the plan alone. One process acts on a rollout at a time; an
abort is recorded without waiting for that process, which sees it before its next act.

Fleets that cannot be asked do not stop the others from being watched: their errors are collected, everything that can
still be decided and done is, and only then is an error raised that waiting cannot cure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol, assert_never

from bridge.decide import Advance, Complete, Decision, Evidence, Hold, Inconclusive, Sight, Stop, Unknown, decide
from bridge.errors import RolloutBusy, UsageError
from bridge.fleet import Fleet, FleetError
from bridge.ledger import Act, Entry, Fact
from bridge.places import begun_places, vanished, watched
from bridge.plan import Request, check_orders, differences, make_plan, stage_order
from bridge.record import Material, Record
from bridge.rollout import Place, Plan, State
from bridge.store import Outdated, Store

CONTROLLER = "controller"
"""Who decides, in the ledger, where no person did."""

OpenFleet = Callable[[str], Fleet]
"""The fleet of a name in the configuration; called often, so it opens each fleet once."""
Clock = Callable[[], datetime]
"""Now, aware."""
Wait = Callable[[], bool]
"""Waits for the next pass; False when there shall be none."""


class Publisher(Protocol):
    """PORT: the release in a folder, on its way into fleets."""

    def require(self, folder: Path) -> None:
        """Hold the release and its artifacts against the owner's trust. Raises: ReleaseError."""

    def publish(self, folder: Path, fleets: Sequence[Fleet]) -> None:
        """Put the artifacts into every fleet that lacks them. Raises: ReleaseError, nothing was put; FleetError."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass left behind. `decision` is None where none was to be made; `troubles` are what fleets refused."""

    record: Record
    decision: Decision | None = None
    troubles: tuple[FleetError, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether the rollout has ended and every fleet knows."""
        return self.record.state.is_final and not self.troubles

    @property
    def needs_person(self) -> bool:
        """Whether no further pass will change anything."""
        return isinstance(self.decision, Hold) and isinstance(self.decision.verdict, Inconclusive)


Watch = Callable[[Pass], None]


class Controller:
    """Runs rollouts of one store. `actor` is the person in whose name it was started."""

    def __init__(self, store: Store, fleets: OpenFleet, publisher: Publisher, clock: Clock, actor: str) -> None:
        self._store = store
        self._open = fleets
        self._publisher = publisher
        self._clock = clock
        self._actor = actor

    def admit(self, request: Request, roots: tuple[bytes, ...]) -> Record:
        """Record the rollout with its plan, or find the one that was recorded before; `roots` as in `StageOrder`.

        Raises:
            UsageError: another rollout has the name, or there is no device to update.
            ReleaseError: the release is refused; nothing is recorded.
            FleetError: a fleet could not list its devices, or an order would break a limit of its cloud.
        """
        found = self._store.find(request.rollout.name)
        if found is not None:
            _require_same(found, request)
            return found
        self._publisher.require(request.signed.folder)
        fleets = {name: self._open(name) for name in request.rollout.fleets}
        plan = make_plan(request, fleets)
        check_orders(plan, request, roots, fleets)
        now = self._clock()
        material = Material(request.signed.document, roots, request.signed.folder)
        record = Record(plan, material, created=now, updated=now, reason="recorded")
        return self._store.create(record, self._entry(record, Act.PLANNED, "applied", _plan_facts(plan), self._actor))

    def run(self, name: str, wait: Wait, watch: Watch) -> Pass:
        """Pass after pass, until the rollout ended, a person is needed or `wait` says no. Raises: as `step`."""
        while True:
            done = self.step(name)
            watch(done)
            if done.is_settled or done.needs_person or not wait():
                return done

    def step(self, name: str) -> Pass:
        """One pass over the rollout `name`.

        Raises:
            FleetError: a fleet refused for good; everything else that the pass could do is done.
            RolloutBusy: another process acts on the rollout.
            StoreError: nothing was decided, or what was decided is not saved and was not done.
        """
        with self._store.hold(name):
            done = self._pass_unless_outdated(name)
            if self._store.state(name) is not done.record.state:  # aborted while orders were being started
                done = self._pass(self._store.load(name))
        for trouble in done.troubles:
            if not trouble.retryable:
                raise FleetError(f"rollout {name} is {done.record.state}; {trouble}") from trouble
        return done

    def abort(self, name: str, reason: str) -> Pass:
        """End the rollout for good and withdraw its open offers; devices in the middle of an update finish it.

        Raises:
            UsageError: there is no such rollout, or it is completed.
            RolloutBusy: the abort is recorded; the process that holds the rollout will withdraw the offers.
            FleetError: the abort is recorded; a fleet could not be told.
        """
        record = self._store.load(name)
        if record.state is State.COMPLETED:
            raise UsageError(f"rollout {name} is completed: there is nothing to abort")
        if not record.state.is_final:
            self._record_abort(name, reason)
        try:
            return self.step(name)
        except RolloutBusy as error:
            raise RolloutBusy(
                f"rollout {name} is {self._store.state(name)}; "
                "the otabridge that is acting on it will withdraw the offers"
            ) from error

    def _record_abort(self, name: str, reason: str) -> None:
        """A running controller may save between our read and our write; its passes are seconds apart, so try again."""
        while True:
            record = self._store.load(name)
            if record.state.is_final:
                return
            aborted = replace(record, state=State.ABORTED, reason=reason, holding="", updated=self._clock())
            try:
                self._store.save(aborted, [self._entry(record, Act.ABORTED, reason, (), self._actor)])
            except Outdated:
                continue
            return

    def _pass_unless_outdated(self, name: str) -> Pass:
        """Only an abort is written without the hold, and it is final: a second look suffices."""
        try:
            return self._pass(self._store.load(name))
        except Outdated:
            return self._pass(self._store.load(name))

    def _pass(self, record: Record) -> Pass:
        if record.state.is_final:
            return Pass(record, troubles=self._close(record))
        if record.state is State.PLANNED:
            try:
                record = self._prepare(record)
            except FleetError as error:
                return Pass(record, troubles=(error,))
        sight, troubles = self._observe(record)
        decision = decide(record.plan, record.stage, sight)
        record = self._save(record, sight, decision)
        return Pass(record, decision, (*troubles, *self._act(record, sight)))

    def _prepare(self, record: Record) -> Record:
        """Artifacts first: a device must never be offered what is not there."""
        names = [name for name in record.plan.rollout.fleets if record.plan.uses(name)]
        self._publisher.publish(record.material.folder, [self._fleet(name) for name in names])
        reason = f"the artifacts are in {', '.join(names)}; stage 1 begins"
        now = self._clock()
        running = replace(record, state=State.RUNNING, begun=now, reason=reason, updated=now)
        return self._store.save(running, [self._entry(record, Act.PUBLISHED, reason)])

    def _observe(self, record: Record) -> tuple[Sight, list[FleetError]]:
        tallies, unseen, troubles = dict(record.tallies), dict[Place, str](), list[FleetError]()
        for place in watched(record):
            try:
                tally = self._fleet(place.fleet).tally(record.plan.key(place.stage))
            except FleetError as error:
                unseen[place] = str(error)
                troubles.append(error)
                continue
            if tally is not None:
                tallies[place] = tally
            elif place in tallies:
                tallies[place] = vanished(tallies[place])
        return Sight(tallies, unseen), troubles

    def _save(self, record: Record, sight: Sight, decision: Decision) -> Record:
        seen = replace(record, tallies=sight.tallies, reason=decision.reason, updated=self._clock())
        match decision:
            case Hold(reason, evidence, verdict):
                return self._save_hold(seen, verdict.kind, reason, evidence)
            case Advance(reason, evidence, to):
                changed, act = replace(seen, stage=to, begun=seen.updated), Act.ADVANCED
            case Stop(reason, evidence):
                changed, act = replace(seen, state=State.STOPPED), Act.STOPPED
            case Complete(reason, evidence):
                changed, act = replace(seen, state=State.COMPLETED), Act.COMPLETED
            case other:
                assert_never(other)
        entry = self._entry(record, act, reason, _facts(evidence))
        return self._store.save(replace(changed, holding="", unknown_passes=0), [entry])

    def _save_hold(self, record: Record, kind: str, reason: str, evidence: Evidence) -> Record:
        """Only a change of the kind of waiting is told to the ledger: passes come every few seconds."""
        passes = record.unknown_passes + 1 if kind == Unknown.kind else 0
        held = replace(record, holding=kind, unknown_passes=passes)
        if kind == record.holding:
            return self._store.save(held)
        return self._store.save(held, [self._entry(record, Act.HELD, f"{kind}: {reason}", _facts(evidence))])

    def _act(self, record: Record, sight: Sight) -> tuple[FleetError, ...]:
        if record.state is State.RUNNING:
            return self._start(record, sight.unseen)
        return self._close(record)

    def _start(self, record: Record, unseen: Mapping[Place, str]) -> tuple[FleetError, ...]:
        """Start the orders of the current stage that no fleet has a tally of yet."""
        missing = [place for place in record.plan.places(record.stage) if place not in record.tallies]
        return self._each((place for place in missing if place not in unseen), lambda place: self._order(record, place))

    def _order(self, record: Record, place: Place) -> None:
        if self._store.state(record.name) is not State.RUNNING:
            return
        material = record.material
        self._fleet(place.fleet).start(stage_order(record.plan, place, material.release, material.roots))

    def _close(self, record: Record) -> tuple[FleetError, ...]:
        """Withdraw what may still be offered, and have given back what was borrowed: nobody watches an ended rollout.

        A pass over a rollout that ended long ago does so again, for devices that were in the middle then.
        """
        return self._each(
            begun_places(record),
            lambda place: self._fleet(place.fleet).stop(record.plan.key(place.stage), record.reason),
        )

    def _each(self, places: Iterable[Place], act: Callable[[Place], None]) -> tuple[FleetError, ...]:
        """Act on every place, whatever happens at the others."""
        troubles = []
        for place in places:
            try:
                act(place)
            except FleetError as error:
                troubles.append(error)
        return tuple(troubles)

    def _fleet(self, name: str) -> Fleet:
        """A fleet with broken settings is a fleet that cannot be reached: the others must still be told to stop."""
        try:
            return self._open(name)
        except UsageError as error:
            raise FleetError(str(error)) from error

    def _entry(
        self, record: Record, what: Act, reason: str, evidence: tuple[Fact, ...] = (), actor: str = CONTROLLER
    ) -> Entry:
        return Entry(self._clock(), record.name, actor, what, reason, evidence)


def _require_same(record: Record, request: Request) -> None:
    changed = differences(record.plan, request)
    if changed:
        raise UsageError(
            f"rollout {record.name} is {record.state} with another {', '.join(changed)}: a rollout cannot be changed "
            "once it is applied; abort it if it still runs, and give the new one another name"
        )


def _facts(evidence: Evidence) -> tuple[Fact, ...]:
    return tuple(Fact(name, value) for name, value in asdict(evidence).items())


def _plan_facts(plan: Plan) -> tuple[Fact, ...]:
    return (
        Fact("plan", plan.digest),
        Fact("release_sha256", plan.release_sha256),
        Fact("release_version", plan.release_version),
        Fact("stages", len(plan.stages)),
        Fact("devices", sum(stage.size for stage in plan.stages)),
    )
