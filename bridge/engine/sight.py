"""What one pass found out beside the tallies, and what it should find out. Values, and pure questions about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.engine.evidence import count, forward_orders, is_remade, live, stage_now
from bridge.engine.progress import Order, OrderKind, Progress, State
from bridge.engine.proof import doubt_of, has_ended
from bridge.fleet import HealthCount
from bridge.planning.planned import Place, Plan
from bridge.release.errors import FailureCode
from bridge.rollout.duration import span
from bridge.rollout.rules import LateJoiners

GROWTH = 1.25
"""Health is read again once so many times the devices have the release: looks grow with the logarithm."""
REST = timedelta(minutes=15)
"""How often health is read while nothing else changes."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Who agreed to something: `missing` signatures of approvers, `rejected` by whom, and both in words."""

    missing: int = 0
    rejected: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class FailedDevice:
    """A device whose attempt in order `number` of its place ended badly; `code` is None where it fell silent."""

    device: str
    number: int
    code: FailureCode | None


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known beside the tallies, which are in the progress already.

    `unseen`: why places could not be asked now. `failed`: how devices of a place ended badly, where retries or
    fallbacks are of interest. `resets`: devices that a watchdog reset; `health`: readings by gate and fleet; both None
    or absent where they were not asked now. `plan_consent` and `stage_consent`: who agreed to the plan, and to the
    current stage. `joined`: devices that joined a fleet after the plan was made.
    """

    unseen: Mapping[Place, str] = field(default_factory=dict)
    failed: Mapping[Place, tuple[FailedDevice, ...]] = field(default_factory=dict)
    resets: int | None = None
    health: Mapping[str, Mapping[str, HealthCount]] = field(default_factory=dict)
    plan_consent: Consent = Consent()
    stage_consent: Consent = Consent()
    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def wants_reports(plan: Plan, progress: Progress) -> bool:
    """Whether it matters which devices ended badly, and how, and any did."""
    rules = plan.rollout
    asked = rules.retries.is_any or rules.gates_of(progress.stage).fallbacks is not None
    if not asked:
        return any(is_remade(at) for at in progress.orders)
    return any(order.tally is not None and order.tally.bad for order in forward_orders(progress))


def wants_figures(plan: Plan, progress: Progress, now: datetime) -> bool:
    """Whether fleets should be asked for health and resets now: rarely, since each look costs calls and certainty."""
    gates = plan.rollout.gates_of(progress.stage)
    if progress.state is not State.RUNNING or not (gates.health or gates.watchdog_resets is not None):
        return False
    installed = installed_devices(plan, progress)
    if not installed:
        return False
    if progress.looked is None or installed >= GROWTH * progress.looked_installed:
        return True
    if progress.proven is None and installed != progress.looked_installed:
        return has_ended(plan, progress, stage_now(plan, progress, {}))
    soaked = progress.proven and progress.proven + span(plan.rollout.stages[progress.stage].soak)
    return now - progress.looked >= REST or bool(soaked and progress.looked < soaked <= now)


def installed_devices(plan: Plan, progress: Progress) -> int:
    """Devices of all stages that have the release by this rollout."""
    return sum(count(plan, at.place, at.orders).installed for at in progress.orders)


def wants_joined(plan: Plan, progress: Progress, now: datetime) -> bool:
    """Whether fleets should be listed for late joiners: once the last stage has nothing left to wait for."""
    stage = progress.stage
    if plan.rollout.late_joiners is LateJoiners.IGNORE or progress.state is not State.RUNNING:
        return False
    if stage + 1 < len(plan.stages):
        return False
    if progress.promoted == stage:
        return True
    counts = stage_now(plan, progress, {})
    if not has_ended(plan, progress, counts) or doubt_of(plan, progress, counts):
        return False
    return now - (progress.proven or now) >= span(plan.rollout.stages[stage].soak)


def attempts(orders: Sequence[Order]) -> Counter[str]:
    """How often each device was tried again at the place with these `orders`."""
    return Counter(device for order in live(orders) if order.kind is OrderKind.RETRY for device in order.devices)
