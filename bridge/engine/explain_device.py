"""Why a device has not the release of a rollout, in words, and what would change that. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.engine.evidence import NOTHING
from bridge.engine.explain import COMMAND, Explanation
from bridge.engine.progress import Order, OrderKind
from bridge.engine.record import Record
from bridge.fleet import DeviceReport
from bridge.planning.cohort import offset
from bridge.planning.planned import Cohort, Place, Plan
from bridge.release.bucket import BUCKETS, bucket


def place_of(record: Record, fleet: str, device: str) -> Place | None:
    """Where the rollout updates `device`, as far as it can tell; None where no stage and no order has it."""
    stage = stage_of(record.plan, fleet, device)
    if stage is not None:
        return Place(stage, fleet)
    named = (place for place, _, order in record.progress.each() if place.fleet == fleet and device in order.devices)
    return next(named, None)


def stage_of(plan: Plan, fleet: str, device: str) -> int | None:
    """The stage (from 0) that updates `device` first; None where no stage does."""
    for number, stage in enumerate(plan.stages):
        if any(cohort.fleet == fleet and _has(cohort, device) for cohort in stage.cohorts):
            return number
    return None


def _has(cohort: Cohort, device: str) -> bool:
    at = bucket(device)
    return device in cohort.devices or any(first <= at <= last for first, last in cohort.buckets)


def newest_order(record: Record, place: Place, device: str) -> tuple[int, Order] | None:
    """The last order of `place` that is for `device`, with its number; None before there is one."""
    orders = enumerate(record.progress.at(place))
    own = [(number, order) for number, order in orders if not order.devices or device in order.devices]
    return own[-1] if own else None


def explain_device(record: Record, fleet: str, device: str, reports: Sequence[DeviceReport]) -> Explanation:
    """Why `device` of `fleet` has not the release; `reports` are those of `newest_order` that ended badly."""
    subject, place = f"{record.name}: {fleet}/{device}", place_of(record, fleet, device)
    if place is None:
        return _unplanned(subject, record.plan)
    newest = newest_order(record, place, device)
    if newest is None:
        return _not_begun(subject, record, place)
    failed = next((report for report in reports if report.device == device), None)
    if failed is not None:
        return _ended_badly(subject, record, failed)
    return _under_way(subject, record, place, device, newest[1])


def _unplanned(subject: str, plan: Plan) -> Explanation:
    why = f"no stage of plan {plan.digest[:12]} has it: it joined later, or the file selects others"
    return Explanation(subject, "not part of the rollout", (why,), ("a new rollout that includes it",))


def _not_begun(subject: str, record: Record, place: Place) -> Explanation:
    if record.state.is_final:
        why = f"it is in stage {place.stage + 1}, and the rollout ended before: {record.reason}"
        return Explanation(subject, "never offered", (why,), ("a new rollout, under another name",))
    at = f"the rollout is at stage {record.progress.stage + 1}" if record.progress.begun else "no stage has begun"
    why = f"it is in stage {place.stage + 1}, and {at}"
    return Explanation(subject, "not offered yet", (why,), (_when(record, place),))


def _when(record: Record, place: Place) -> str:
    return f"stage {place.stage + 1}: `{COMMAND} explain {record.name}` says what the rollout waits for"


def _ended_badly(subject: str, record: Record, report: DeviceReport) -> Explanation:
    code = f" with code {report.code.value} {report.code.name.lower()}" if report.code is not None else ""
    outcome = report.outcome.value if report.outcome is not None else "silent past its deadline"
    because = (f"it ended {outcome}{code}", *([report.detail] if report.detail else []), *_taken(report))
    return Explanation(subject, outcome, because, tuple(_mends(record)))


def _taken(report: DeviceReport) -> Iterator[str]:
    if report.artifact:
        spared = f", which spared it {report.saved} bytes of the full one" if report.saved else ""
        yield f"it took artifact {report.artifact}{spared}"


def _mends(record: Record) -> Iterator[str]:
    retries = record.plan.rollout.retries
    if not record.state.is_final and (retries.download or retries.board or retries.trial or retries.silent):
        yield "another try, if what went wrong has any left (retries in the rollout file)"
    yield "a release that mends it, as a new rollout"
    yield "on the device: `otabridge-agent status`"


def _under_way(subject: str, record: Record, place: Place, device: str, newest: Order) -> Explanation:
    if newest.kind is OrderKind.BACK:
        return _going_back(subject, record, place, newest)
    if _is_done(newest):
        why = f"all {newest.size} devices of its order have the release"
        return Explanation(subject, "installed", (why,), ("nothing: it has the release",))
    if newest.closing:
        why = f"offers are withdrawn: {record.reason}"
        moves = ("a new rollout, under another name",) if record.state.is_final else (_when(record, place),)
        return Explanation(subject, "not offered now, unless it was installing already", (why,), moves)
    turn = _turn(record.plan, place, newest, device)
    if turn:
        return Explanation(subject, "waits for its turn", (turn,), ("time",))
    return Explanation(
        subject,
        "was offered the release; it is installed, installing, or away",
        (f"it is in stage {place.stage + 1}, which was offered, and has not ended badly", _figures(newest)),
        ("the device, if it is on and connected: `otabridge-agent status` there says what it does",),
    )


def _going_back(subject: str, record: Record, place: Place, order: Order) -> Explanation:
    version = record.plan.back.version if record.plan.back else "the previous release"
    why = f"stage {place.stage + 1} is sent back to {version}"
    return Explanation(subject, "goes back", (why, _figures(order)), ("the device, by connecting and reporting",))


def _is_done(order: Order) -> bool:
    tally = order.tally or NOTHING
    return order.tally is not None and tally.installed >= max(order.size, tally.total)


def _turn(plan: Plan, place: Place, order: Order, device: str) -> str:
    """Why the pace has not come to `device` yet; "" where it may have."""
    if order.admitted >= order.size:
        return ""
    so_far = f"the pace has admitted {order.admitted} of {order.size} devices"
    line = order.devices or plan.cohort(place).devices
    if device in line:
        number = line.index(device) + 1
        return f"{so_far}, and it is number {number}" if number > order.admitted else ""
    position = (bucket(device) - offset(plan.rollout.name)) % BUCKETS
    return f"{so_far}, in order of position; its own is {position} of {BUCKETS}"


def _figures(order: Order) -> str:
    tally = order.tally or NOTHING
    return (
        f"of its {order.size} devices {tally.installed} have the release, {tally.running} are installing, "
        f"{tally.waiting} have not taken the offer"
    )
