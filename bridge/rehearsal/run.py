"""One rehearsal: the real controller, virtual fleets, a clock that jumps from pass to pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from bridge.engine.controller import Controller, Pass
from bridge.engine.decide import Wait
from bridge.engine.progress import State
from bridge.fleet import Fleet
from bridge.planning.estimate import GIGABYTE
from bridge.planning.plan import Request
from bridge.planning.planned import Facts
from bridge.rehearsal.assumptions import Assumptions
from bridge.rehearsal.columns import draw
from bridge.rehearsal.fleet import RehearsedFleet
from bridge.rehearsal.memory import Memory
from bridge.rollout.duration import span
from bridge.schedule.when import Shut, may_offer

MOST_PASSES = 20_000
LONGEST = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Troupe:
    """The virtual fleet that stands for one of the configuration: what its cloud gives, how many of which model."""

    facts: Facts
    models: Mapping[str, int]


class Ending(msgspec.Struct, frozen=True):
    """How one rehearsal ended. `exposed` devices took the offer of the new release, `installed` have it; `seconds` of
    virtual time, `passes` of the controller, `calls` of the clouds' APIs, `downloads` of the release at that `cost`,
    as far as prices are told.
    """

    state: State
    waiting: str
    reason: str
    stage: int
    exposed: int
    installed: int
    seconds: float
    passes: int
    calls: int
    downloads: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Script:
    """What is rehearsed: the rollout, the virtual fleets by name, what is assumed of their devices, how often the
    controller passes, and how many bytes one download has.
    """

    request: Request
    troupes: Mapping[str, Troupe]
    assumptions: Assumptions
    every: timedelta
    length: int


@dataclass(slots=True)
class _Clock:
    start: datetime
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.start

    def time(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return (self.now - self.start).total_seconds()


class _Stage:
    """The publisher of a rehearsal: nothing is sent."""

    def require(self, folder: Path) -> None:
        """The release was read before."""

    def publish(self, folder: Path, fleets: Sequence[Fleet]) -> None:
        """Nothing is sent."""


def rehearse(script: Script, seed: int, now: datetime) -> Ending:
    """Run the rollout once from `now` on; `seed` decides all fates."""
    clock = _Clock(now)
    fleets = _fleets(script, clock, seed)
    controller = Controller(Memory(clock.time), fleets.__getitem__, _Stage(), "rehearsal")
    name = controller.admit(_unattended(script.request), ()).name
    passes = 0
    while True:
        before = {fleet: port.calls for fleet, port in fleets.items()}
        done = controller.step(name)
        passes += 1
        if _is_over(done) or passes >= MOST_PASSES or clock.now - now > LONGEST:
            return _ending(script, done, fleets, clock, passes)
        later = _next(done, clock.now, script.every)
        skipped = max(0, (later - clock.now) // script.every - 1)
        passes, clock.now = passes + skipped, later
        for fleet, port in fleets.items():
            port.calls += skipped * (port.calls - before[fleet])


def _fleets(script: Script, clock: _Clock, seed: int) -> dict[str, RehearsedFleet]:
    dice = np.random.default_rng(seed)
    back = script.request.back.document if script.request.back else None
    return {
        name: RehearsedFleet(name, troupe.facts, draw(troupe.models, script.assumptions, dice), clock.seconds, back)
        for name, troupe in script.troupes.items()
    }


def _unattended(request: Request) -> Request:
    """Approvals and signatures are taken for given: people are not rehearsed."""
    stages = tuple(msgspec.structs.replace(stage, sign_off=None) for stage in request.rollout.stages)
    rollout = msgspec.structs.replace(request.rollout, approvals=None, stages=stages)
    return replace(request, rollout=rollout, approvers=())


def _is_over(done: Pass) -> bool:
    progress = done.record.progress
    if progress.state.is_final:
        return done.is_settled
    return bool(progress.waiting) and Wait(progress.waiting).needs_person


def _next(done: Pass, now: datetime, every: timedelta) -> datetime:
    """The next pass that can change something. Those between it and now are not played, but their calls are counted."""
    plan, progress = done.record.plan, done.record.progress
    if progress.waiting == Wait.SOAK and progress.proven:
        return max(now + every, progress.proven + span(plan.rollout.stages[progress.stage].soak))
    if progress.waiting in {Wait.WINDOW, Wait.FREEZE}:
        shut = may_offer(plan.rollout.windows, plan.closures, now)
        if isinstance(shut, Shut) and shut.until:
            return max(now + every, shut.until)
    return now + every


def _ending(script: Script, done: Pass, fleets: Mapping[str, RehearsedFleet], clock: _Clock, passes: int) -> Ending:
    progress = done.record.progress
    downloads = {name: fleet.downloads() for name, fleet in fleets.items()}
    return Ending(
        state=progress.state,
        waiting=progress.waiting,
        reason=done.record.reason,
        stage=progress.stage + 1,
        exposed=sum(fleet.exposed() for fleet in fleets.values()),
        installed=sum(fleet.installed() for fleet in fleets.values()),
        seconds=clock.seconds(),
        passes=passes,
        calls=round(sum(fleet.calls for fleet in fleets.values())),
        downloads=sum(downloads.values()),
        cost=_cost(script, downloads),
    )


def _cost(script: Script, downloads: Mapping[str, int]) -> float | None:
    prices = {name: troupe.facts.cost_a_gigabyte for name, troupe in script.troupes.items()}
    if all(price is None for price in prices.values()):
        return None
    return sum(count * script.length / GIGABYTE * (prices[name] or 0.0) for name, count in downloads.items())
