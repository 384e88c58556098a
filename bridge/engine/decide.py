"""Whether a rollout goes on: what is known in, one decision out. Pure, without clock or memory.

A decision is the rollout's next progress, with the reason. What fleets must be told follows from the progress alone.
The questions come in the order of their weight:

1. *Failed*: the release is bad. A gate or the budget is breached; offers are withdrawn, whatever else is the case.
2. *Unknown*: a fleet could not be asked. Nothing new is offered; asking again may help, up to a limit.
3. *Shut*: a maintenance window has closed, or a freeze has begun. Offers are withdrawn until it opens.
4. *Pending*: devices are waiting or running. More are admitted, failed ones are tried again.
5. *Inconclusive*: everything was asked and it proves nothing. It holds until a person looks.
6. *Proven*: the stage soaks, is signed off, and the next one begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import msgspec

from bridge.engine.breaches import SIGN_OFF, UNKNOWN, breach_of, read_figures
from bridge.engine.evidence import Evidence, PlaceCounts, count, stage_now, weigh
from bridge.engine.orders import add, admit, begin, catch_up, finish, is_offering, reopen, some, turn_back, withdraw
from bridge.engine.progress import Breach, OrderKind, Progress, State
from bridge.engine.proof import doubt_of, doubt_of_return, has_ended, have_enough, in_the_middle, spare
from bridge.engine.retries import retry, retryable, spared
from bridge.engine.sight import FailedDevice, Sight
from bridge.ledger import Act
from bridge.planning.planned import Place, Plan
from bridge.rollout.duration import in_words, span
from bridge.rollout.rules import OnBreach
from bridge.schedule.when import Open, Shut, may_offer

AS_BEFORE = ""
"""The reason of a hold that has nothing to add to what is recorded already, such as what a person gave as theirs."""


class Wait(StrEnum):
    """What a rollout waits for."""

    APPROVAL = "approval"
    WINDOW = "window"
    FREEZE = "freeze"
    PENDING = "pending"
    SOAK = "soak"
    UNKNOWN = "unknown"
    INCONCLUSIVE = "inconclusive"
    RESUME = "resume"
    ROLL_BACK = "roll-back"

    @property
    def needs_person(self) -> bool:
        """Whether no further look will change anything before a person acts."""
        return self in {Wait.APPROVAL, Wait.INCONCLUSIVE, Wait.RESUME}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do: `act` for the ledger, the rollout's next `progress`, and why (or `AS_BEFORE`). `wait` is None where
    it moved on.
    """

    act: Act
    reason: str
    evidence: Evidence
    progress: Progress
    wait: Wait | None = None


def decide(plan: Plan, progress: Progress, sight: Sight, now: datetime) -> Decision:
    """What to do with a rollout that has not ended. `progress` holds the newest tallies."""
    decision = _decide(plan, progress, sight, now)
    waiting = decision.wait.value if decision.wait else ""
    return replace(decision, progress=msgspec.structs.replace(decision.progress, waiting=waiting))


def _decide(plan: Plan, progress: Progress, sight: Sight, now: datetime) -> Decision:
    match progress.state:
        case State.PLANNED:
            return _planned(plan, progress, sight)
        case State.PAUSED:
            return _hold(plan, progress, Wait.RESUME, _paused(plan, progress))
        case State.ROLLING_BACK:
            return _rolling_back(plan, progress, sight, now)
        case _:
            return _running(plan, progress, sight, now)


def _planned(plan: Plan, progress: Progress, sight: Sight) -> Decision:
    """Consent first: the artifacts follow, then stage 1."""
    consent = sight.plan_consent
    if consent.missing or consent.rejected:
        return _hold(plan, progress, Wait.APPROVAL, consent.words)
    return Decision(Act.PUBLISHED, "the release may be published", weigh(plan, progress), progress)


def _running(plan: Plan, progress: Progress, sight: Sight, now: datetime) -> Decision:
    progress = read_figures(plan, progress, sight, now)
    again = retryable(plan, progress, sight)
    sparing = spared(plan, progress, sight, again)
    evidence, counts = weigh(plan, progress, sparing), stage_now(plan, progress, sparing)
    breach = breach_of(plan, progress, evidence, counts, sight)
    if breach:
        return breached(plan, progress, breach, evidence, now)
    shut = may_offer(plan.rollout.windows, plan.closures, now)
    if sight.unseen:
        return _unknown(plan, _closed(progress, shut), sight, evidence, now)
    progress = msgspec.structs.replace(catch_up(progress, now), unknown_since=None, unknown_passes=0)
    verdict = _look_at_stage(plan, progress, counts, evidence, now)
    if isinstance(shut, Shut) and not _offers_nothing(plan, verdict, sight):
        return _shut(verdict, evidence, shut)
    if verdict.wait is not None:
        return _go_on(plan, verdict, again, evidence, now)
    return _forward(plan, replace(verdict, progress=_closed(verdict.progress, shut)), sight, evidence, now)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the stage has shown: nothing to wait for where `wait` is None."""

    progress: Progress
    wait: Wait | None
    reason: str


def _offers_nothing(plan: Plan, verdict: _Verdict, sight: Sight) -> bool:
    """Whether a stage that has shown all may go its way at any hour: people sign it off, or the rollout completes."""
    if verdict.wait is not None:
        return False
    unsigned = sight.stage_consent.missing or sight.stage_consent.rejected
    is_last = verdict.progress.stage + 1 == len(plan.stages) and not any(sight.joined.values())
    return bool(unsigned) or is_last


def _look_at_stage(
    plan: Plan, progress: Progress, counts: Mapping[Place, PlaceCounts], evidence: Evidence, now: datetime
) -> _Verdict:
    if progress.promoted == progress.stage:
        return _Verdict(progress, None, f"promoted by a person; {_proven(evidence)}")
    ended = has_ended(plan, progress, counts)
    if not ended:
        progress = msgspec.structs.replace(progress, proven=None)
    doubt = doubt_of(plan, progress, counts)
    if doubt:
        return _Verdict(progress, Wait.INCONCLUSIVE, doubt.reason)
    if not ended:
        return _Verdict(progress, Wait.PENDING, _pending(plan, progress, counts, evidence))
    return _soak(plan, msgspec.structs.replace(progress, proven=progress.proven or now), evidence, now)


def _soak(plan: Plan, progress: Progress, evidence: Evidence, now: datetime) -> _Verdict:
    soak = span(plan.rollout.stages[progress.stage].soak)
    left = soak - (now - (progress.proven or now))
    if left.total_seconds() > 0:
        return _Verdict(progress, Wait.SOAK, f"{_proven(evidence)}; it soaks for another {in_words(left)}")
    return _Verdict(progress, None, _proven(evidence))


def _go_on(
    plan: Plan,
    verdict: _Verdict,
    again: Mapping[Place, tuple[FailedDevice, ...]],
    evidence: Evidence,
    now: datetime,
) -> Decision:
    """Offers that were withdrawn are made again, more devices are admitted, failed ones tried again."""
    opened = retry(plan, admit(plan, reopen(plan, verdict.progress, now), now), again, now)
    return _held(opened, verdict.wait or Wait.PENDING, verdict.reason, evidence)


def _shut(verdict: _Verdict, evidence: Evidence, shut: Shut) -> Decision:
    """What was proven stays proven; nothing is offered."""
    wait = verdict.wait if verdict.wait in {Wait.SOAK, Wait.INCONCLUSIVE} else Wait(shut.kind)
    reason = verdict.reason if wait is verdict.wait else shut.reason
    return _held(_closed(verdict.progress, shut), wait, reason, evidence)


def _closed(progress: Progress, shut: Open | Shut) -> Progress:
    """`progress` with its offers withdrawn while it is shut."""
    return withdraw(progress) if isinstance(shut, Shut) and is_offering(progress) else progress


def _unknown(plan: Plan, progress: Progress, sight: Sight, evidence: Evidence, now: datetime) -> Decision:
    since = progress.unknown_since or now
    why = "could not ask every fleet: " + "; ".join(sight.unseen.values())
    limit = span(plan.rollout.gates_of(progress.stage).unknown_limit)
    if now - since > limit:
        reason = f"{why}; that has lasted for more than {in_words(limit)}"
        paused = msgspec.structs.replace(withdraw(progress), state=State.PAUSED, breach=Breach(UNKNOWN, reason))
        return Decision(Act.PAUSED, reason, evidence, paused, Wait.RESUME)
    unknown = msgspec.structs.replace(progress, unknown_since=since, unknown_passes=progress.unknown_passes + 1)
    return _held(unknown, Wait.UNKNOWN, why, evidence)


def breached(plan: Plan, progress: Progress, breach: Breach, evidence: Evidence, now: datetime) -> Decision:
    """What the file wants done once the rollout has proven bad."""
    marked = msgspec.structs.replace(progress, breach=breach)
    match plan.rollout.on_breach:
        case OnBreach.PAUSE:
            paused = msgspec.structs.replace(withdraw(marked), state=State.PAUSED)
            return Decision(Act.PAUSED, breach.reason, evidence, paused, Wait.RESUME)
        case OnBreach.ROLL_BACK:
            back = msgspec.structs.replace(turn_back(plan, marked, now), state=State.ROLLING_BACK)
            return Decision(Act.ROLLING_BACK, breach.reason, evidence, back)
        case OnBreach.ABORT:
            stopped = msgspec.structs.replace(withdraw(marked), state=State.STOPPED)
            return Decision(Act.STOPPED, breach.reason, evidence, stopped)


def _forward(plan: Plan, verdict: _Verdict, sight: Sight, evidence: Evidence, now: datetime) -> Decision:
    consent, progress, proof = sight.stage_consent, verdict.progress, verdict.reason
    if consent.rejected:
        rejected = Breach(SIGN_OFF, consent.words)
        paused = msgspec.structs.replace(withdraw(progress), state=State.PAUSED, breach=rejected)
        return Decision(Act.PAUSED, consent.words, evidence, paused, Wait.RESUME)
    if consent.missing:
        return _held(progress, Wait.APPROVAL, f"{proof}; {consent.words}", evidence)
    if progress.stage + 1 < len(plan.stages):
        return Decision(Act.ADVANCED, proof, evidence, begin(plan, progress, progress.stage + 1, now))
    joined = {fleet: devices for fleet, devices in sight.joined.items() if devices}
    if joined:
        return _join(plan, progress, joined, evidence, now)
    return _complete(progress, proof, evidence)


def _join(
    plan: Plan, progress: Progress, joined: Mapping[str, tuple[str, ...]], evidence: Evidence, now: datetime
) -> Decision:
    for fleet, devices in joined.items():
        place = Place(progress.stage, fleet)
        progress = add(progress, place, some(plan, place, OrderKind.LATE, devices, now))
    reason = f"{sum(map(len, joined.values()))} devices joined since the plan was made"
    return _held(msgspec.structs.replace(progress, proven=None), Wait.PENDING, reason, evidence)


def _complete(progress: Progress, proof: str, evidence: Evidence) -> Decision:
    done = msgspec.structs.replace(finish(progress), state=State.COMPLETED)
    return Decision(Act.COMPLETED, proof, evidence, done)


def _rolling_back(plan: Plan, progress: Progress, sight: Sight, now: datetime) -> Decision:
    """Neither windows nor freezes hold it up: the devices run a release that has proven bad."""
    evidence = weigh(plan, progress)
    if sight.unseen:
        return _held(progress, Wait.UNKNOWN, "could not ask every fleet: " + "; ".join(sight.unseen.values()), evidence)
    kinds = frozenset({OrderKind.BACK})
    counts = [count(plan, at.place, at.orders, kinds) for at in progress.orders]
    ended, size = sum(each.ended for each in counts), sum(each.size for each in counts)
    bad = sum(each.bad for each in counts)
    reason = (
        f"{sum(each.installed for each in counts)} of {size} devices run {_back(plan)} again, {bad} failed to go back"
    )
    doubt = doubt_of_return({at.place: each for at, each in zip(progress.orders, counts, strict=True)})
    if doubt:
        return _held(admit(plan, progress, now), Wait.INCONCLUSIVE, f"{reason}; {doubt.reason}", evidence)
    if all(each.started and each.ended >= each.size and not each.running for each in counts) and ended >= size:
        done = msgspec.structs.replace(withdraw(progress), state=State.ROLLED_BACK)
        return Decision(Act.ROLLED_BACK, reason, evidence, done)
    return _held(admit(plan, progress, now), Wait.ROLL_BACK, reason, evidence)


def _back(plan: Plan) -> str:
    return plan.back.version if plan.back else "the previous release"


def _hold(plan: Plan, progress: Progress, wait: Wait, reason: str) -> Decision:
    return _held(progress, wait, reason, weigh(plan, progress))


def _held(progress: Progress, wait: Wait, reason: str, evidence: Evidence) -> Decision:
    return Decision(Act.HELD, reason, evidence, progress, wait)


def _paused(plan: Plan, progress: Progress) -> str:
    """A person has said why: that stands."""
    if progress.breach is None:
        return AS_BEFORE
    ways = "resume, roll back or abort it" if plan.back else "resume or abort it"
    return f"paused ({progress.breach.gate}: {progress.breach.reason}); {ways}"


def _proven(evidence: Evidence) -> str:
    if not evidence.devices:
        return f"stage {evidence.stage} has no devices"
    left = evidence.devices - evidence.ended
    end = f"has enough, {left} devices have not ended" if left else "ended"
    return (
        f"stage {evidence.stage} {end}: {evidence.installed} of {evidence.devices} devices installed, "
        f"{evidence.bad} bad of {evidence.limit} that the budget allows"
    )


def _pending(plan: Plan, progress: Progress, counts: Mapping[Place, PlaceCounts], evidence: Evidence) -> str:
    if have_enough(plan, counts):
        return (
            f"{_proven(evidence)}; {in_the_middle(plan, progress)} devices of all stages are in the middle of "
            f"installing, and {spare(plan, progress)} more may come to harm"
        )
    return (
        f"stage {evidence.stage}: {evidence.ended} of {evidence.devices} devices ended, "
        f"{evidence.installed} installed, {evidence.waiting} have not taken the offer"
    )
