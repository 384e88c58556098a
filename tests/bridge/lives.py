"""Lives of rollouts as hypothesis may drive them, each pass held against what must always be so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
from hypothesis import strategies as st

from bridge.engine import controls, orders
from bridge.engine.decide import Decision, Wait, decide
from bridge.engine.evidence import limit
from bridge.engine.progress import Order, OrderKind, Progress, State
from bridge.engine.sight import Consent, FailedDevice, Sight, wants_joined
from bridge.errors import UsageError
from bridge.ledger import Act
from bridge.planning.cohort import share
from bridge.planning.planned import Place, Plan
from bridge.release.errors import FailureCode
from bridge.tally import Tally
from tests.bridge.plans import DEPOT, FACTORY, MINUTE, NOW, new_plan, report

CONTROLS = {
    "pause": controls.pause,
    "resume": controls.resume,
    "promote": controls.promote,
    "roll back": controls.roll_back,
    "abort": controls.abort,
}
BREACHES = {Act.STOPPED, Act.PAUSED, Act.ROLLING_BACK}
NOT_ABOUT_DEVICES = {"unknown", "sign-off"}
STILL = {Wait.WINDOW, Wait.FREEZE, Wait.UNKNOWN, Wait.RESUME}
"""What a rollout waits for while no further device may be offered anything."""

COUNTS = st.integers(0, 5)
TALLIES = st.builds(
    Tally,
    waiting=COUNTS,
    running=st.integers(0, 2),
    installed=COUNTS,
    failed=st.sampled_from([0, 0, 0, 1, 2]),
    rejected=st.sampled_from([0, 0, 0, 1]),
    timed_out=st.sampled_from([0, 0, 0, 1]),
    withdrawn=st.sampled_from([0, 0, 1]),
    open=st.booleans(),
    cancelled=st.sampled_from([False, False, True]),
)
ENDED = st.just(Tally(installed=5, open=False))
PLACES = st.builds(Place, st.integers(0, 2), st.sampled_from([FACTORY, DEPOT]))
FAILURES = st.builds(
    FailedDevice,
    st.sampled_from(["factory-s1-000", "factory-s1-001", "depot-s2-000"]),
    st.integers(0, 2),
    st.sampled_from([FailureCode.DOWNLOAD, FailureCode.FELL_BACK, FailureCode.UNSIGNED, None]),
)
CONSENTS = st.sampled_from(
    [Consent()] * 4 + [Consent(1, (), "one has not signed"), Consent(0, ("eva",), "eva did not")]
)


@dataclass(frozen=True, slots=True)
class Told:
    """A fleet tells how one order stands."""

    place: Place
    number: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Ended:
    """Every order that is told of ends, with so many bad devices at one place."""

    bad: int
    place: Place


@dataclass(frozen=True, slots=True)
class Looked:
    """A pass, so many minutes after the one before."""

    minutes: int
    sight: Sight


@dataclass(frozen=True, slots=True)
class Said:
    """A person's command."""

    control: str


SIGHTS = st.builds(
    Sight,
    unseen=st.sampled_from([{}, {}, {}, {Place(0, DEPOT): "throttled"}]),
    failed=st.dictionaries(PLACES, st.lists(FAILURES, max_size=3).map(tuple), max_size=1),
    stage_consent=CONSENTS,
    plan_consent=CONSENTS,
    joined=st.sampled_from([{}, {}, {FACTORY: ("factory-new",)}]),
)
STEPS = st.lists(
    st.builds(Told, PLACES, st.integers(-2, -1), TALLIES | ENDED)
    | st.builds(Looked, st.sampled_from([0, 1, 10, 61, 1440]), SIGHTS)
    | st.builds(Ended, st.sampled_from([0, 0, 0, 1, 2]), PLACES)
    | st.builds(Looked, st.sampled_from([0, 1, 10]), st.just(Sight()))
    | st.builds(Said, st.sampled_from(sorted(CONTROLS))),
    min_size=5,
    max_size=40,
)
PLANS = st.builds(
    lambda on_breach, changes: new_plan((5, 5), (5, 0), (5, 5), on_breach=on_breach, **changes),
    st.sampled_from(["pause", "abort", "roll-back"]),
    st.fixed_dictionaries(
        {},
        optional={
            "budget": st.sampled_from([{"failures": 2}, {"percent": 20}, {"failures": 1, "silent": 1}]),
            "retries": st.just({"download": 1, "silent": 2, "delay": "5m"}),
            "pace": st.sampled_from([1, 3]),
            "windows": st.just([{"cron": "0 12 * * *", "duration": "2h"}]),
            "gates": st.sampled_from([{"fallbacks": 1}, {"failure_rate": {"limit": 10, "minimum": 3}}]),
            "stages": st.just([{"percent": 10, "enough": 60, "soak": "10m"}, {"percent": 50}, {"percent": 100}]),
        },
    ),
)


@dataclass
class Life:
    """One rollout that is driven; each pass is held against what must always be so."""

    plan: Plan
    progress: Progress = field(default_factory=Progress)
    now: datetime = NOW
    passed: set[int] = field(default_factory=set)

    def take(self, step: Told | Ended | Looked | Said) -> None:
        """One step."""
        match step:
            case Told(place, number, tally):
                if len(self.progress.at(place)) >= -number:
                    self.progress = report(self.progress, place, tally, number)
            case Ended(bad, place):
                self.progress = orders.each(self.progress, lambda *order: _ended(*order, bad, place))
            case Looked(minutes, sight):
                self.now += timedelta(minutes=minutes)
                if not self.progress.state.is_final:
                    self.look(sight)
            case Said(control):
                self.say(CONTROLS[control])

    def look(self, sight: Sight) -> None:
        """One pass, as the controller makes it."""
        before, sight = self.progress, credible(self.plan, self.progress, sight, self.now)
        decision = decide(self.plan, before, sight, self.now)
        assert decision.reason or decision.wait is Wait.RESUME  # what a person gave as theirs stands
        assert_pure(self.plan, before, sight, self.now, decision)
        self.assert_no_stage_is_skipped(before, sight, decision)
        self.assert_nobody_new_while_still(before, decision)
        self.assert_pace(decision.progress)
        assert_withdrawn_once_broken(before, decision)
        self.assert_time_heals_nothing(before, sight, decision)
        self.progress = decision.progress
        if decision.act is Act.PUBLISHED:
            running = msgspec.structs.replace(self.progress, state=State.RUNNING)
            self.progress = orders.begin(self.plan, running, 0, self.now)

    def say(self, control: Callable[[Plan, Progress, datetime], Progress | None]) -> None:
        """A command: obeyed, refused in words, or so already."""
        before = self.progress
        try:
            after = control(self.plan, before, self.now)
        except UsageError:
            return
        assert after is None or not before.state.is_final
        if after is None:
            return
        assert control(self.plan, after, self.now) is None or control is controls.promote
        self.progress = after

    def assert_no_stage_is_skipped(self, before: Progress, sight: Sight, decision: Decision) -> None:
        """A stage's orders exist only after every earlier one was proven or promoted."""
        after = decision.progress
        assert {at.stage for at in after.orders} <= set(range(after.stage + 1))
        if after.stage != before.stage or decision.act is Act.COMPLETED:
            assert decision.act in {Act.ADVANCED, Act.COMPLETED}
            assert not sight.unseen
            assert before.promoted == before.stage or self.is_proven(before)
            self.passed.add(before.stage)
        assert self.passed >= set(range(after.stage))

    def is_proven(self, progress: Progress) -> bool:
        """By a reading of its own: every place has told of its newest orders, and enough devices ended well."""
        bad = 0
        for place in self.plan.places(progress.stage):
            tallies = [order.tally for order in _newest(progress.at(place))]
            if None in tallies:
                return False
            ended = sum(tally.ended for tally in tallies)
            installed = sum(tally.installed for tally in tallies)
            wanted = share(self.plan.rollout.stages[place.stage].enough, self.plan.cohort(place).size)
            if ended < self.plan.cohort(place).size and installed < wanted:
                return False
            bad += sum(tally.failed + tally.rejected for tally in tallies)
        forgiven, retries = progress.forgiven.get("bad", 0), self.plan.rollout.retries
        return bad <= limit(self.plan, progress.stage) + forgiven or retries.download > 0

    def assert_nobody_new_while_still(self, before: Progress, decision: Decision) -> None:
        """While it is shut, paused or unknown, no order is open to a device to whom it was not before."""
        if decision.wait in STILL:
            assert _open(decision.progress).items() <= _open(before).items()

    def assert_pace(self, progress: Progress) -> None:
        """No more devices were admitted than the minutes since the order allow, and those that ended before it."""
        if self.plan.rollout.pace is None:
            return
        for place, _, order in progress.each():
            minutes = max(0, (self.now - order.since) // MINUTE) + 1
            size = self.plan.cohort(place).size
            rate = self.plan.rollout.pace * (size / self.plan.stages[place.stage].size if size else 1 / 2)
            assert order.before <= order.admitted <= order.size or order.before > order.size
            assert order.admitted <= order.before + max(1, math.floor(rate * minutes))

    def assert_time_heals_nothing(self, before: Progress, sight: Sight, decision: Decision) -> None:
        """What is broken now is broken at any later hour."""
        broken = decision.progress.breach
        if decision.act in BREACHES and broken and broken.gate not in NOT_ABOUT_DEVICES:
            later = decide(self.plan, before, sight, self.now + timedelta(days=3))
            assert (later.act, later.progress.breach) == (decision.act, broken)


def credible(plan: Plan, progress: Progress, sight: Sight, now: datetime) -> Sight:
    """`sight` without what no observer could have seen: failures that no order counts, joiners out of turn."""
    failed = {place: _reported(progress.at(place), failures) for place, failures in sight.failed.items()}
    known = {device for _, _, order in progress.each() for device in order.devices}
    joined = sight.joined if wants_joined(plan, progress, now) else {}
    return replace(
        sight,
        failed={place: failures for place, failures in failed.items() if failures},
        joined={fleet: tuple(set(devices) - known) for fleet, devices in joined.items()},
    )


def _reported(made: tuple[Order, ...], failures: tuple[FailedDevice, ...]) -> tuple[FailedDevice, ...]:
    found: dict[tuple[int, str], FailedDevice] = {}
    for failure in failures:
        tally = made[failure.number].tally if failure.number < len(made) else None
        if tally and sum(number == failure.number for number, _ in found) < tally.bad:
            found[failure.number, failure.device] = failure
    return tuple(found.values())


def assert_pure(plan: Plan, progress: Progress, sight: Sight, now: datetime, decision: Decision) -> None:
    """Equal inputs give equal decisions, and are not changed."""
    copy = msgspec.json.decode(msgspec.json.encode(progress), type=Progress)

    assert decide(plan, copy, sight, now) == decision
    assert copy == progress


def assert_withdrawn_once_broken(before: Progress, decision: Decision) -> None:
    """After a breach no order is open but those that lead back, and no other is added."""
    after = decision.progress
    if decision.act in BREACHES | {Act.COMPLETED, Act.ROLLED_BACK} or after.state is not State.RUNNING:
        back = {(place, number) for place, number, order in after.each() if order.kind is OrderKind.BACK}
        assert _open(after).keys() <= (back if after.state is State.ROLLING_BACK else set())
        added = {(place, number) for place, number, _ in after.each()} - {
            (place, number) for place, number, _ in before.each()
        }
        assert added <= back


def _ended(place: Place, _: int, order: Order, bad: int, worse: Place) -> Order:
    if order.closing:
        tally = order.tally or Tally()
        ended = replace(tally, installed=tally.installed + tally.running, running=0)
        return msgspec.structs.replace(order, tally=order.tally and ended)
    failed = min(order.size, bad) if place == worse else 0
    return msgspec.structs.replace(order, tally=Tally(installed=order.size - failed, failed=failed, open=False))


def _newest(made: tuple[Order, ...]) -> tuple[Order, ...]:
    whole = [number for number, order in enumerate(made) if order.kind is OrderKind.STAGE]
    return made[whole[-1] :] if whole else made


def _open(progress: Progress) -> dict[tuple[Place, int], int]:
    """Orders that are not withdrawn, and how many devices each admits."""
    return {(place, number): order.admitted for place, number, order in progress.each() if not order.closing}
