"""What `otabridge rollout plan` prints: the document for programs, and the same for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from bridge.cli.sizes import in_bytes
from bridge.cli.times import minute, period
from bridge.engine.status import share_of
from bridge.planning.estimate import Estimate, FleetEstimate, StageEstimate, is_wanted
from bridge.planning.planned import Closure, Feature, How, Plan, PlannedFleet, PlannedRelease, PlannedStage
from bridge.rollout.duration import in_words
from bridge.rollout.model import Stage
from bridge.schedule.windows import Opening

WHOLE = 100
SHOWN_FREEZES = 3


class FleetView(msgspec.Struct, frozen=True):
    """A fleet of the plan: its devices by hardware model ("" unknown), and who does what the rollout asks for."""

    name: str
    cloud: str
    devices: int
    models: Mapping[str, int]
    features: tuple[Feature, ...]


class ApprovalView(msgspec.Struct, frozen=True):
    """Whose signatures the plan needs: `threshold` of `approvers`, each of which holds for `expire`."""

    threshold: int
    approvers: tuple[str, ...]
    expire: str


class PlanView(msgspec.Struct, frozen=True):
    """`rollout plan`. `refusal` is why `apply` would refuse it, "" when it would not. `applied` is the state of the
    rollout where it was applied before, else "". `freezes` are still to come, `approvals` None where nobody must sign.
    """

    plan: Plan
    devices: int
    fleets: tuple[FleetView, ...]
    estimate: Estimate
    freezes: tuple[Closure, ...]
    approvals: ApprovalView | None
    warnings: tuple[str, ...]
    refusal: str
    applied: str
    now: datetime
    schema: int = 2


def view_plan(
    plan: Plan, estimate: Estimate, warnings: tuple[str, ...], now: datetime, *, refusal: str, applied: str
) -> PlanView:
    """The document of a plan."""
    return PlanView(
        plan=plan,
        devices=sum(stage.size for stage in plan.stages),
        fleets=tuple(_fleet_view(plan, fleet) for fleet in plan.fleets),
        estimate=estimate,
        freezes=tuple(closure for closure in plan.closures if closure.end > now),
        approvals=_approvals(plan),
        warnings=warnings,
        refusal=refusal,
        applied=applied,
        now=now,
    )


def _fleet_view(plan: Plan, fleet: PlannedFleet) -> FleetView:
    wanted = tuple(feature for feature in fleet.facts.features if is_wanted(plan, feature.name))
    return FleetView(fleet.part.name, fleet.facts.cloud, fleet.size, fleet.models, wanted)


def _approvals(plan: Plan) -> ApprovalView | None:
    asked = plan.rollout.approvals
    if asked is None:
        return None
    return ApprovalView(asked.threshold, tuple(each.name for each in plan.approvers), asked.expire)


def describe_plan(view: PlanView) -> str:
    """A plan in text: what it is, each stage, each fleet, when, and what to think about."""
    return "\n".join(
        [
            *_head(view),
            *_stages(view),
            *(line for fleet in view.fleets for line in _fleet(fleet, _estimate_of(view, fleet.name))),
            *_calendar(view),
            *(f"warning: {text}" for text in view.warnings),
            *([f"warning: apply will refuse it: {view.refusal}"] if view.refusal else []),
        ]
    )


def _head(view: PlanView) -> Iterator[str]:
    plan, rules = view.plan, view.plan.rollout
    yield f"rollout  {rules.name}"
    yield f"release  {_release(plan.release)}"
    if plan.back:
        yield f"way back {_release(plan.back)}"
    yield f"plan     {plan.digest[:12]}"
    yield f"devices  {view.devices} in {', '.join(fleet.name for fleet in view.fleets)}"
    yield f"budget   {_budget(plan)}"
    yield f"breach   {rules.on_breach}"
    if rules.pace:
        yield f"pace     {rules.pace} devices a minute at most"
    if view.approvals:
        who = view.approvals
        yield f"approve  {who.threshold} of {', '.join(who.approvers)} must sign; a signature holds for {who.expire}"
    if view.applied:
        yield f"applied  before; the rollout is {view.applied}"


def _release(release: PlannedRelease) -> str:
    return f"{release.version} (sha256 {release.sha256[:12]})"


def _budget(plan: Plan) -> str:
    budget = plan.rollout.budget
    share = f"{budget.failures} devices"
    if budget.percent:
        share = f"{share}, or {budget.percent:g} % of those begun where that is more"
    return share if budget.silent is None else f"{share}; {budget.silent} silent devices beside"


def _stages(view: PlanView) -> Iterator[str]:
    stages = zip(view.plan.stages, view.plan.rollout.stages, view.estimate.stages, strict=True)
    for planned, wish, estimated in stages:
        yield _stage(planned, wish, estimated.number)
        yield from _models(planned)
        yield f"  {_duration(estimated, wish)}"
        if wish.sign_off:
            yield from _sign_off(wish, view.approvals)


def _stage(planned: PlannedStage, wish: Stage, number: int) -> str:
    shares = ", ".join(f"{cohort.fleet} {cohort.size}" for cohort in planned.cohorts)
    enough = f", {wish.enough:g} % of them installed are enough" if wish.enough < WHOLE else ""
    return f"stage {number}  {share_of(wish)}: {planned.size} devices ({shares}){enough}"


def _models(planned: PlannedStage) -> Iterator[str]:
    """Where any model is known."""
    for cohort in planned.cohorts:
        if any(cohort.models):
            yield f"  {cohort.fleet}: {_by_model(cohort.models)}"


def _by_model(models: Mapping[str, int]) -> str:
    return ", ".join(f"{model or 'model unknown'} {count}" for model, count in sorted(models.items()) if count)


def _duration(estimated: StageEstimate, wish: Stage) -> str:
    soak = "" if wish.soak == "0s" else f", its soak of {wish.soak} in it"
    if estimated.begins is None or estimated.ends is None:
        return "no time to offer it is in sight: see the windows and freezes"
    return f"takes {in_words(estimated.ends - estimated.begins)} at least{soak}; ends {minute(estimated.ends)}"


def _sign_off(wish: Stage, approvals: ApprovalView | None) -> Iterator[str]:
    if wish.sign_off and approvals:
        confirm = ", who confirm:" if wish.sign_off.criteria else ""
        yield f"  signed off by {wish.sign_off.threshold} of {', '.join(approvals.approvers)}{confirm}"
        yield from (f"    {number}. {line}" for number, line in enumerate(wish.sign_off.criteria, start=1))


def _estimate_of(view: PlanView, fleet: str) -> FleetEstimate:
    return next(each for each in view.estimate.fleets if each.fleet == fleet)


def _fleet(fleet: FleetView, takes: FleetEstimate) -> Iterator[str]:
    models = f" ({_by_model(fleet.models)})" if any(fleet.models) else ""
    yield f"fleet {fleet.name}  {fleet.cloud}, {fleet.devices} devices{models}"
    yield f"  transfer  {_transfer(takes)}"
    if takes.most_cost is not None:
        yield f"  cost      {_cost(takes, takes.most_cost)}"
    yield f"  calls     {takes.calls} for all orders, {takes.calls_a_pass} in each pass"
    for how in How:
        yield from (f"  {how:9} {feature.name}: {feature.note}" for feature in fleet.features if feature.how is how)


def _transfer(takes: FleetEstimate) -> str:
    if takes.least_bytes == takes.most_bytes:
        return f"{in_bytes(takes.most_bytes)}; the release has no deltas"
    return f"{in_bytes(takes.most_bytes)} without deltas, {in_bytes(takes.least_bytes)} with them at least"


def _cost(takes: FleetEstimate, most: float) -> str:
    if takes.least_cost is None or takes.least_cost == most:
        return f"{most:.2f} {takes.currency}"
    return f"{most:.2f} {takes.currency} without deltas, {takes.least_cost:.2f} {takes.currency} with them at least"


def _calendar(view: PlanView) -> Iterator[str]:
    """When, and what stands in the way."""
    ends = view.estimate.ends
    if ends is not None and not view.applied:
        yield f"ends     {minute(ends)}, in {in_words(ends - view.now)}, if applied now and every device is there"
    zones = tuple(dict.fromkeys(window.zone for window in view.plan.rollout.windows))
    for opening in view.estimate.windows:
        yield f"window   {_opening(opening, zones)}"
    for closure in view.freezes[:SHOWN_FREEZES]:
        yield f"freeze   {period(closure.start, closure.end, 'UTC')}: {closure.summary}"
    if len(view.freezes) > SHOWN_FREEZES:
        yield f"freeze   and {len(view.freezes) - SHOWN_FREEZES} more until {minute(view.freezes[-1].end)}"


def _opening(opening: Opening, zones: tuple[str, ...]) -> str:
    return " = ".join(period(opening.start, opening.end, zone) for zone in dict.fromkeys([*zones, "UTC"]))
