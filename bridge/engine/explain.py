"""Why a rollout is not moving, in words, and what would move it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from bridge.engine.decide import Wait
from bridge.engine.evidence import count
from bridge.engine.progress import OrderKind, Progress, State
from bridge.engine.proof import is_enough, stage_counts
from bridge.engine.record import Record
from bridge.engine.sight import Consent
from bridge.gates import failure_rate
from bridge.planning.planned import Place, Plan
from bridge.rollout.duration import in_words, span
from bridge.schedule.when import Shut, may_offer

UNATTENDED = timedelta(minutes=15)
"""Longer than any controller sleeps between two passes: nobody seems to look after the rollout."""
COMMAND = "otabridge rollout"


class Explanation(msgspec.Struct, frozen=True):
    """`subject` is a rollout, or a device of it. `state` in a few words, `because` of these facts; each of `moves`
    would move it on, by itself or by a person.
    """

    subject: str
    state: str
    because: tuple[str, ...]
    moves: tuple[str, ...]
    schema: int = 1


def explain_rollout(record: Record, plan_consent: Consent, stage_consent: Consent, now: datetime) -> Explanation:
    """Why the rollout stands where it stands; `record` with the newest tallies."""
    facts = (*_facts(record, now), *_consents(record, plan_consent, stage_consent))
    because = tuple(dict.fromkeys(text for text in (_reason(record), *facts) if text))
    return Explanation(record.name, _state(record), because, tuple(_moves(record, now)))


def _reason(record: Record) -> str:
    by_person = record.state is State.PAUSED and record.progress.breach is None
    return f"a person paused it: {record.reason}" if by_person else record.reason


def _state(record: Record) -> str:
    progress = record.progress
    if progress.state.is_final:
        return f"{progress.state}: it has ended"
    if progress.state is State.PLANNED:
        return "planned: no device was offered anything"
    waiting = f", waits: {progress.waiting}" if progress.waiting else ""
    return f"{progress.state}, stage {progress.stage + 1} of {len(record.plan.stages)}{waiting}"


def _facts(record: Record, now: datetime) -> Iterator[str]:
    plan, progress = record.plan, record.progress
    if progress.state.is_final:
        yield from _untold(progress)
        return
    if progress.begun is not None:
        for place in plan.places(progress.stage):
            yield from _about_place(plan, progress, place)
        yield from _about_rate(plan, progress)
        yield from _about_time(record, now)
    if now - record.updated > UNATTENDED:
        yield f"no controller has looked at it for {in_words(now - record.updated)}"


def _untold(progress: Progress) -> Iterator[str]:
    """An end that a fleet does not know of yet."""
    fleets = sorted({place.fleet for place, _, order in progress.each() if not order.closed})
    yield from (f"fleet {fleet} has not confirmed yet that its offers are withdrawn" for fleet in fleets)


def _about_place(plan: Plan, progress: Progress, place: Place) -> Iterator[str]:
    seen = count(plan, place, progress.at(place))
    where = f"fleet {place.fleet}"
    if not seen.started:
        yield f"{where} has not confirmed the order of stage {place.stage + 1} yet"
    elif not is_enough(plan, place, seen):
        open_ends = ((seen.waiting, "have not taken the offer"), (seen.running, "are installing"))
        parts = [f"{number} {words}" for number, words in open_ends if number]
        yield f"{where}: {seen.ended} of {seen.size} devices ended" + (f", {' and '.join(parts)}" if parts else "")
    newest = progress.at(place)[-1] if progress.at(place) else None
    if newest is not None and newest.admitted < newest.size and not newest.closing:
        yield f"{where}: the pace admits {newest.admitted} of {newest.size} devices so far"


def _about_rate(plan: Plan, progress: Progress) -> Iterator[str]:
    rule = plan.rollout.gates_of(progress.stage).failure_rate
    if rule is not None:
        counts = {place: count(plan, place, progress.at(place)) for place in plan.places(progress.stage)}
        yield f"failure rate: {failure_rate.judge(rule, *stage_counts(counts)).reason}"


def _about_time(record: Record, now: datetime) -> Iterator[str]:
    plan, progress = record.plan, record.progress
    shut = may_offer(plan.rollout.windows, plan.closures, now)
    if isinstance(shut, Shut):
        yield shut.reason
    if progress.unknown_since:
        yield f"since {progress.unknown_since:%Y-%m-%d %H:%M} UTC not every fleet answers"
    if progress.retry_since:
        left = span(plan.rollout.retries.delay) - (now - progress.retry_since)
        yield f"failed devices are tried again in {in_words(left)}" if left else "failed devices are tried again now"


def _consents(record: Record, plan_consent: Consent, stage_consent: Consent) -> Iterator[str]:
    if record.state is State.PLANNED and plan_consent.words:
        yield plan_consent.words
    if record.progress.waiting == Wait.APPROVAL and record.state is State.RUNNING and stage_consent.words:
        yield stage_consent.words


def _moves(record: Record, now: datetime) -> Iterator[str]:
    """A controller where none looks, then what comes by itself, then what a person can do."""
    if record.state.is_final:
        yield from _after_the_end(record)
        return
    if not record.progress.waiting or now - record.updated > UNATTENDED:
        yield _controller(record)
    yield from _by_wait(record, now)


def _controller(record: Record) -> str:
    """What was made without otabridge has no rollout file."""
    is_adopted = any(order.kind is OrderKind.ADOPTED for _, _, order in record.progress.each())
    return "a controller: `otabridge controller run`" + ("" if is_adopted else f", or `{COMMAND} apply FILE`")


def _after_the_end(record: Record) -> Iterator[str]:
    if any(not order.closed for _, _, order in record.progress.each()):
        yield "a controller, which tells the fleets: `otabridge controller once`"
    if record.state is State.COMPLETED:
        yield "nothing: every stage is done"
    else:
        yield "nothing: mend what was wrong, and start a new rollout under another name"


def _by_wait(record: Record, now: datetime) -> Iterator[str]:
    match record.progress.waiting:
        case Wait.APPROVAL:
            yield from _approval(record)
        case Wait.WINDOW | Wait.FREEZE:
            yield _reopening(record, now)
        case Wait.PENDING:
            yield from _pending(record)
        case Wait.SOAK:
            yield from _soak(record)
        case Wait.UNKNOWN:
            yield _answers(record, now)
        case Wait.INCONCLUSIVE:
            yield f"{_promotion(record)} where the stage is good after all"
            yield f"a person: `{COMMAND} abort {record.name} --reason WHY` where it is not"
        case Wait.RESUME:
            yield from _paused(record)
        case Wait.ROLL_BACK:
            yield "devices that connect, take the previous release and report"
            yield f"a person: `{COMMAND} abort {record.name} --reason WHY` leaves the others as they are"


def _approval(record: Record) -> Iterator[str]:
    stage = "" if record.state is State.PLANNED else f" --stage {record.progress.stage + 1}"
    who = ", ".join(approver.name for approver in record.plan.approvers)
    yield f"an approver ({who}): `{COMMAND} approve {record.name}{stage} --key KEY`"
    yield f"a person: `{COMMAND} abort {record.name} --reason WHY` gives it up"


def _pending(record: Record) -> Iterator[str]:
    minutes = record.plan.rollout.timeout_minutes
    yield "devices that connect, take the offer and report"
    yield f"time: a device that took the offer counts as silent after {minutes} minutes; one that is off does not"
    yield f"{_promotion(record)} goes on without the others"


def _promotion(record: Record) -> str:
    return f"a person: `{COMMAND} promote {record.name} --stage {record.progress.stage + 1} --reason WHY`"


def _soak(record: Record) -> Iterator[str]:
    soak = span(record.plan.rollout.stages[record.progress.stage].soak)
    end = (record.progress.proven or record.updated) + soak
    yield f"time: the soak ends at {end:%Y-%m-%d %H:%M} UTC, if nothing breaks"
    yield f"{_promotion(record)} ends the soak now"


def _reopening(record: Record, now: datetime) -> str:
    shut = may_offer(record.plan.rollout.windows, record.plan.closures, now)
    if not isinstance(shut, Shut):
        return "time: it is open again, the next pass offers the release"
    if shut.until is None:
        return "a new rollout with other windows or calendars: in these no time to offer the release is in sight"
    return f"time: devices are offered the release again in {in_words(shut.until - now)}"


def _answers(record: Record, now: datetime) -> str:
    """Of what could not be asked before the first stage there is no clock."""
    limit = span(record.plan.rollout.gates_of(record.progress.stage).unknown_limit)
    left = limit - (now - (record.progress.unknown_since or now))
    return f"fleets that answer again; if they do not, it pauses for a person in {in_words(left)}"


def _paused(record: Record) -> Iterator[str]:
    yield f"a person: `{COMMAND} resume {record.name} --reason WHY`; what broke is forgiven, and counted anew"
    if record.plan.back is not None:
        yield f"a person: `{COMMAND} rollback {record.name} --reason WHY`, to {record.plan.back.version}"
    yield f"a person: `{COMMAND} abort {record.name} --reason WHY`"
