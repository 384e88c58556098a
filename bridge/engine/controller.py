"""The controller: observe, decide, save, act, again and again, until the rollout has ended.

Nothing is remembered outside the store, so a pass can follow a crash at any line: what was decided is saved before it
is done, and what is done is done under names that depend on the plan alone. One process acts on a rollout at a time; a
person's control is recorded without waiting for that process, which sees it before its next act.

Fleets that cannot be asked do not stop the others from being watched: their errors are collected, everything that can
still be decided and done is, and only then is an error raised that waiting cannot cure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from bridge.engine import adoption
from bridge.engine.acting import Actor, Superseded
from bridge.engine.clock import set_back
from bridge.engine.consent import plan_consent, stage_consent
from bridge.engine.decide import AS_BEFORE, Decision, Wait, decide
from bridge.engine.evidence import Evidence
from bridge.engine.observing import Observed, Observer, OpenFleet, reachable
from bridge.engine.orders import begin, tell
from bridge.engine.progress import Progress, State
from bridge.engine.record import Material, Parcel, Record
from bridge.engine.savings import saved_facts, with_savings
from bridge.engine.stage_orders import check_orders
from bridge.engine.storage import Hold, Outdated, Storage
from bridge.errors import RolloutBusy, UsageError
from bridge.fleet import Fleet, FleetError
from bridge.ledger import Act, Entry, Fact
from bridge.planning.plan import Request, differences, make_plan
from bridge.planning.planned import Plan
from bridge.planning.saved_plan import require_undrifted

CONTROLLER = "controller"
"""Who decides, in the ledger, where no person did."""

LEAPS = frozenset({Act.ADVANCED, Act.COMPLETED})
"""Decisions that are made on fresh counts of every stage only."""

Pause = Callable[[], bool]
"""Waits for the next pass; False when there shall be none."""
Control = Callable[[Plan, Progress, datetime], Progress | None]
"""One of `bridge.engine.controls`."""


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
        """Whether no further pass will change anything before a person acts."""
        waiting = self.record.progress.waiting
        return not self.record.state.is_final and bool(waiting) and Wait(waiting).needs_person and not self.troubles


Watch = Callable[[Pass], None]


class Controller:
    """Runs rollouts of one store. `actor` is the person in whose name it was started."""

    def __init__(self, store: Storage, fleets: OpenFleet, publisher: Publisher, actor: str) -> None:
        self._store = store
        self._open = fleets
        self._fleet = reachable(fleets)
        self._publisher = publisher
        self._actor = actor

    def admit(self, request: Request, roots: tuple[bytes, ...], seen: Plan | None = None) -> Record:
        """Record the rollout with its plan, or find the one that was recorded before; `roots` as in `StageOrder`.

        With a plan that was `seen` before, only if the world is still the one of that plan.

        Raises:
            UsageError: another rollout has the name, or there is no device to update.
            PlanDrifted: the plan would be another one now; nothing is recorded.
            ReleaseError: a release is refused; nothing is recorded.
            FleetError: a fleet could not list its devices, or an order would break a limit of its cloud.
        """
        found = self._store.find(request.rollout.name)
        if found is not None:
            _require_same(found, request)
            if seen is not None:
                require_undrifted(seen, found.plan)
            return found
        material = material_of(request, roots)
        for parcel in (material.new, material.back):
            if parcel is not None:
                self._publisher.require(parcel.folder)
        fleets = {part.name: self._open(part.name) for part in request.rollout.parts}
        plan = make_plan(request, fleets)
        now = self._store.now()
        check_orders(plan, material, fleets, now)
        if seen is not None:
            require_undrifted(seen, plan)
        record = Record(plan, material, created=now, updated=now, reason="recorded")
        return self._store.create(record, self._entry(record, Act.PLANNED, "applied", _plan_facts(plan), self._actor))

    def adopt(self, name: str, fleet: str, native: str, failures: int | None) -> Record:
        """Record the job or deployment `native` of `fleet` as a rollout, once; `failures` as in `engine.adoption`.

        Raises:
            UsageError: another rollout has the name.
            FleetError: there is no such job or deployment.
        """
        opened = self._open(fleet)
        adopted = opened.adopt(native)
        plan = adoption.adopted_plan(name, fleet, opened.facts(), adopted, failures)
        found = self._store.find(name)
        if found is not None:
            adoption.require_same(found, plan, adopted)
            return found
        record = adoption.adopt(plan, adopted, self._store.now())
        return self._store.create(record, self._entry(record, Act.ADOPTED, record.reason, (), self._actor))

    def run(self, name: str, pause: Pause, watch: Watch) -> Pass:
        """Pass after pass, until the rollout ended, a person is needed or `pause` says no. Raises: as `step`."""
        while True:
            done = self.step(name)
            watch(done)
            if done.is_settled or done.needs_person or not pause():
                return done

    def step(self, name: str, wait: float | None = None) -> Pass:
        """One pass over the rollout `name`; waits `wait` seconds at most for another process to finish its own.

        Raises:
            FleetError: a fleet refused for good; everything else that the pass could do is done.
            RolloutBusy: another process acts on the rollout.
            StoreError: nothing was decided, or what was decided is not saved and was not done.
        """
        with self._store.hold(name) if wait is None else self._store.hold(name, wait) as hold:
            done = self._passes(name, hold)
        for trouble in done.troubles:
            if not trouble.retryable:
                raise FleetError(f"rollout {name} is {done.record.state}; {trouble}") from trouble
        return done

    def control(self, name: str, change: Control, act: Act, reason: str) -> Record:
        """Record what a person wants of the rollout, once; the next pass tells the fleets.

        A running controller may save between our read and our write; its passes are seconds apart, so try again.
        Raises: UsageError as `bridge.engine.controls`.
        """
        while True:
            record = self._store.load(name)
            now = self._now(record)
            progress = change(record.plan, record.progress, now)
            if progress is None:
                return record
            changed = replace(
                record, progress=msgspec.structs.replace(progress, waiting=""), reason=reason, updated=now
            )
            try:
                return self._store.save(changed, [self._entry(record, act, reason, (), self._actor)])
            except Outdated:
                continue

    def tell(self, name: str, change: Control, act: Act, reason: str) -> Pass:
        """As `control`, and the fleets are told at once.

        Raises:
            UsageError: there is no such rollout, or it cannot be told that.
            RolloutBusy: it is recorded; the process that holds the rollout will tell the fleets.
            FleetError: it is recorded; a fleet could not be told.
        """
        self.control(name, change, act, reason)
        try:
            return self.step(name)
        except RolloutBusy as error:
            raise RolloutBusy(
                f"rollout {name} is {self._store.state(name)}; the otabridge that is acting on it will tell the fleets"
            ) from error

    def _passes(self, name: str, hold: Hold) -> Pass:
        """Whoever changes the rollout under a pass is a person, and rare: the next pass sees it."""
        while True:
            try:
                return self._pass(self._store.load(name), hold)
            except (Outdated, Superseded):
                continue

    def _pass(self, record: Record, hold: Hold) -> Pass:
        now = self._now(record)
        observed = self._observe(record, now)
        if record.state.is_final:
            return self._act(replace(observed.record, updated=now), None, observed, hold)
        decision = decide(record.plan, observed.record.progress, observed.sight, now)
        if decision.act in LEAPS and observed.rested:
            observed = self._observe(record, now, whole=True)
            decision = decide(record.plan, observed.record.progress, observed.sight, now)
        if decision.act is Act.PUBLISHED:
            return self._publish(record, decision, hold)
        if decision.act is Act.COMPLETED:
            decision = replace(decision, progress=with_savings(record, decision.progress, self._fleet))
        return self._act(self._save(observed.record, decision, now), decision, observed, hold)

    def _observe(self, record: Record, now: datetime, *, whole: bool = False) -> Observed:
        approvals = self._store.approvals(record.name)
        plan_says = plan_consent(record.plan, approvals, now)
        progress = record.progress
        stage_says = stage_consent(record.plan, progress.stage, approvals, now, progress.begun)
        return Observer(self._fleet).look(record, now, plan_says, stage_says, whole=whole)

    def _publish(self, record: Record, decision: Decision, hold: Hold) -> Pass:
        """Artifacts first: a device must never be offered what is not there. That may take hours, after which it counts
        what people say by then, and from when on devices are offered it.
        """
        names = [fleet.part.name for fleet in record.plan.fleets if record.plan.uses(fleet.part.name)]
        hold.require()
        try:
            fleets = [self._fleet(name) for name in names]
            for parcel in (record.material.new, record.material.back):
                if parcel is not None:
                    self._publisher.publish(parcel.folder, fleets)
        except FleetError as error:
            return Pass(record, troubles=(error,))
        now = self._now(record)
        consent = plan_consent(record.plan, self._store.approvals(record.name), now)
        if consent.missing or consent.rejected:
            raise Superseded
        reason = f"the artifacts are in {', '.join(names)}; stage 1 begins"
        running = msgspec.structs.replace(decision.progress, state=State.RUNNING)
        begun = replace(record, progress=begin(record.plan, running, 0, now), reason=reason, updated=now)
        self._store.save(begun, [self._entry(record, Act.PUBLISHED, reason)])
        raise Superseded

    def _save(self, record: Record, decision: Decision, now: datetime) -> Record:
        """Only a change of the kind of waiting is told to the ledger: passes come every few seconds."""
        why = record.reason if decision.reason == AS_BEFORE else decision.reason
        decided = replace(record, progress=decision.progress, reason=why, updated=now)
        if decision.act is Act.HELD and decision.reason != AS_BEFORE:
            decided = replace(decided, reason=why + set_back(record.updated, self._store.now()))
        if decision.act is Act.HELD and decision.progress.waiting == record.progress.waiting:
            return self._store.save(decided)
        reason = f"{decision.wait}: {why}" if decision.act is Act.HELD else why
        found = (*facts(decision.evidence), *saved_facts(decision.progress.saved))
        return self._store.save(decided, [self._entry(record, decision.act, reason, found)])

    def _act(self, record: Record, decision: Decision | None, observed: Observed, hold: Hold) -> Pass:
        def require() -> None:
            hold.require()
            if self._store.revision(record.name) != record.revision:
                raise Superseded

        acted = Actor(self._fleet, require).act(record, frozenset(observed.sight.unseen))
        told = replace(record, progress=tell(record.progress, acted.changes))
        if acted.changes or decision is None:
            told = self._store.save(told)
        return Pass(told, decision, (*observed.troubles, *acted.troubles))

    def _now(self, record: Record) -> datetime:
        """Time does not go back for a rollout, whatever a clock says."""
        return max(self._store.now(), record.updated)

    def _entry(
        self, record: Record, what: Act, reason: str, evidence: tuple[Fact, ...] = (), actor: str = CONTROLLER
    ) -> Entry:
        return Entry(self._store.now(), record.name, actor, what, reason, evidence)


def material_of(request: Request, roots: tuple[bytes, ...]) -> Material:
    """What the devices would get."""
    back = Parcel(request.back.document, request.back.folder) if request.back else None
    return Material(Parcel(request.signed.document, request.signed.folder), roots, back)


def _require_same(record: Record, request: Request) -> None:
    changed = differences(record.plan, request)
    if changed:
        raise UsageError(
            f"rollout {record.name} is {record.state} with another {', '.join(changed)}: a rollout cannot be changed "
            "once it is applied; abort it if it still runs, and give the new one another name"
        )


def facts(evidence: Evidence) -> tuple[Fact, ...]:
    """The counts behind a decision, for the ledger."""
    return tuple(Fact(name, value) for name, value in asdict(evidence).items() if value is not None)


def _plan_facts(plan: Plan) -> tuple[Fact, ...]:
    return (
        Fact("plan", plan.digest),
        Fact("release_sha256", plan.release.sha256),
        Fact("release_version", plan.release.version),
        Fact("stages", len(plan.stages)),
        Fact("devices", sum(stage.size for stage in plan.stages)),
    )
