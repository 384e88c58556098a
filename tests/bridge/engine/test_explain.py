"""Explanations: every way of waiting and every end is told in words, with what would move it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from bridge.engine.decide import Wait
from bridge.engine.explain import UNATTENDED, explain_rollout
from bridge.engine.progress import Breach, OrderKind, Progress, State
from bridge.engine.record import Material, Parcel, Record
from bridge.engine.sight import Consent
from bridge.planning.planned import Approver, Closure, Plan
from bridge.tally import Tally
from tests.bridge.plans import D1, DEPOT, F1, FACTORY, HOUR, MINUTE, NOW, WINDOW, changed, new_plan, running

GOOD = Tally(installed=2, open=False)
HALF = Tally(waiting=1, running=1)
ANN = Approver("ann", "id", b"{}")
PLAN = msgspec.structs.replace(new_plan((2, 2), (8, 8), timeout_minutes=45), approvers=(ANN,))
SOAKING = new_plan((2, 2), (8, 8), stages=[{"percent": 10, "soak": "2h"}, {"percent": 100}])
FREEZE = Closure(NOW - HOUR, NOW + HOUR, "Holidays")
WAYS = "`otabridge rollout"


def record(plan: Plan, progress: Progress, reason: str = "so it is", updated: datetime = NOW) -> Record:
    """A rollout as the store holds it."""
    return Record(plan, Material(Parcel(b"", Path()), ()), NOW, updated, progress, reason)


def at(plan: Plan, waiting: str, *stages, state: State = State.RUNNING, **changes) -> Record:
    """A rollout that waits."""
    progress = running(plan, *(stages or ({FACTORY: GOOD, DEPOT: HALF},)))
    return record(plan, msgspec.structs.replace(progress, state=state, waiting=waiting, **changes))


WAITS = {
    Wait.APPROVAL: (
        at(PLAN, Wait.APPROVAL),
        "running, stage 1 of 2, waits: approval",
        ["so it is", "the success of stage 1 needs ben"],
        [
            f"an approver (ann): {WAYS} approve gates --stage 1 --key KEY`",
            f"a person: {WAYS} abort gates --reason WHY`",
        ],
    ),
    Wait.WINDOW: (
        at(new_plan((2, 2), windows=[{"cron": "0 13 * * *", "duration": "1h"}]), Wait.WINDOW),
        "running, stage 1 of 1, waits: window",
        ["outside the maintenance windows; the next opens 2026-03-01 13:00 UTC"],
        ["time: devices are offered the release again in 1 h"],
    ),
    Wait.FREEZE: (
        at(new_plan((2, 2), closures=(FREEZE,)), Wait.FREEZE),
        "running, stage 1 of 1, waits: freeze",
        ["frozen by 'Holidays' until 2026-03-01 13:00 UTC"],
        ["time: devices are offered the release again in 1 h"],
    ),
    Wait.PENDING: (
        at(PLAN, Wait.PENDING),
        "running, stage 1 of 2, waits: pending",
        ["fleet depot: 0 of 2 devices ended, 1 have not taken the offer and 1 are installing"],
        [
            "devices that connect, take the offer and report",
            "time: a device that took the offer counts as silent after 45 minutes",
            f"a person: {WAYS} promote gates --stage 1 --reason WHY` goes on without the others",
        ],
    ),
    Wait.SOAK: (
        at(SOAKING, Wait.SOAK, {FACTORY: GOOD, DEPOT: GOOD}, proven=NOW),
        "running, stage 1 of 2, waits: soak",
        ["so it is"],
        ["time: the soak ends at 2026-03-01 14:00 UTC", f"a person: {WAYS} promote gates --stage 1 --reason WHY` ends"],
    ),
    Wait.UNKNOWN: (
        at(PLAN, Wait.UNKNOWN, unknown_since=NOW - HOUR),
        "running, stage 1 of 2, waits: unknown",
        ["since 2026-03-01 11:00 UTC not every fleet answers"],
        ["fleets that answer again; if they do not, it pauses for a person in 23 h"],
    ),
    Wait.INCONCLUSIVE: (
        at(PLAN, Wait.INCONCLUSIVE),
        "running, stage 1 of 2, waits: inconclusive",
        ["so it is"],
        [
            f"a person: {WAYS} promote gates --stage 1 --reason WHY` where",
            f"a person: {WAYS} abort gates --reason WHY`",
        ],
    ),
    Wait.RESUME: (
        at(PLAN, Wait.RESUME, state=State.PAUSED, breach=Breach("budget", "too many")),
        "paused, stage 1 of 2, waits: resume",
        ["so it is"],
        [
            f"a person: {WAYS} resume gates --reason WHY`; what broke is forgiven",
            f"a person: {WAYS} rollback gates --reason WHY`, to 1.9.0",
            f"a person: {WAYS} abort gates --reason WHY`",
        ],
    ),
    Wait.ROLL_BACK: (
        at(PLAN, Wait.ROLL_BACK, state=State.ROLLING_BACK),
        "rolling-back, stage 1 of 2, waits: roll-back",
        ["so it is"],
        ["devices that connect, take the previous release and report", f"a person: {WAYS} abort gates --reason WHY`"],
    ),
}
ENDS = {
    State.COMPLETED: "nothing: every stage is done",
    State.STOPPED: "nothing: mend what was wrong, and start a new rollout under another name",
    State.ABORTED: "nothing: mend what was wrong, and start a new rollout under another name",
    State.ROLLED_BACK: "nothing: mend what was wrong, and start a new rollout under another name",
}


def explained(seen: Record, now: datetime = NOW, plan: str = "", stage: str = "the success of stage 1 needs ben"):
    """The explanation, with what approvers still owe."""
    return explain_rollout(seen, Consent(1, words=plan), Consent(1, words=stage), now)


def test_the_tables_are_complete():
    """A new way of waiting or of ending must be explained, too."""
    assert set(WAITS) == set(Wait)
    assert set(ENDS) == {state for state in State if state.is_final}


@pytest.mark.parametrize("wait", Wait)
def test_every_wait_names_its_cause_and_what_would_move_it(wait):
    """What comes by itself, then each command that a person may give, ready to copy."""
    seen, state, because, moves = WAITS[wait]

    found = explained(seen)

    assert (found.subject, found.state) == ("gates", state)
    for expected in because:
        assert any(text.startswith(expected) for text in found.because), found.because
    assert len(found.moves) == len(moves), found.moves
    assert all(text.startswith(expected) for text, expected in zip(found.moves, moves, strict=True)), found.moves


@pytest.mark.parametrize("state", ENDS)
def test_every_end_says_that_nothing_moves_it(state):
    """And why it ended."""
    progress = running(PLAN, {FACTORY: GOOD, DEPOT: GOOD})
    for place in (F1, D1):
        progress = changed(progress, place, closing=True, closed=True)

    found = explained(record(PLAN, msgspec.structs.replace(progress, state=state), "heat wave"))

    assert found.state == f"{state}: it has ended"
    assert (found.because, found.moves) == (("heat wave",), (ENDS[state],))


def test_an_end_that_a_fleet_does_not_know_of_yet_is_said():
    """A controller must tell it."""
    progress = msgspec.structs.replace(running(PLAN, {FACTORY: GOOD, DEPOT: HALF}), state=State.ABORTED)
    progress = changed(progress, F1, closed=True)

    found = explained(record(PLAN, progress))

    assert "fleet depot has not confirmed yet that its offers are withdrawn" in found.because
    assert found.moves[0] == "a controller, which tells the fleets: `otabridge controller once`"


def test_a_plan_waits_for_its_approvers():
    """Nothing was offered; the words of the consent are there, once."""
    waiting = record(PLAN, Progress(waiting=Wait.APPROVAL), "the plan needs ann and ben")

    found = explained(waiting, plan="the plan needs ann and ben")

    assert found.state == "planned: no device was offered anything"
    assert found.because == ("the plan needs ann and ben",)
    assert found.moves[0] == f"an approver (ann): {WAYS} approve gates --key KEY`"


@pytest.mark.parametrize("waiting", ["", Wait.PENDING])
def test_a_rollout_that_nobody_looks_after_needs_a_controller(waiting):
    """The most frequent reason of all: said first, with for how long."""
    found = explained(at(PLAN, waiting), NOW + UNATTENDED + HOUR)

    assert "no controller has looked at it for 1 h 15 min" in found.because
    assert found.moves[0] == "a controller: `otabridge controller run`, or `otabridge rollout apply FILE`"


def test_a_rollout_that_is_looked_after_is_not_said_to_be_alone():
    """Controllers sleep for minutes."""
    found = explained(at(PLAN, Wait.PENDING), NOW + timedelta(minutes=14))

    assert not any("controller" in text for text in (*found.because, *found.moves))


@pytest.mark.parametrize(
    ("plan", "changes", "words"),
    [
        (new_plan((2, 2), gates={"failure_rate": {"limit": 5}}), {}, "failure rate: 0 of 2 ended devices bad"),
        (
            new_plan((2, 2), retries={"download": 1, "delay": "10m"}),
            {"retry_since": NOW - 4 * MINUTE},
            "failed devices are tried again in 6 min",
        ),
        (
            new_plan((2, 2), retries={"download": 1, "delay": "3m"}),
            {"retry_since": NOW - 4 * MINUTE},
            "failed devices are tried again in 0 s",
        ),
    ],
)
def test_what_else_is_known_is_told(plan, changes, words):
    """Gates that cannot tell yet, retries to come."""
    found = explained(at(plan, Wait.PENDING, **changes))

    assert any(text.startswith(words) for text in found.because), found.because


def test_what_the_pace_holds_back_is_told():
    """And an order that its fleet has not confirmed."""
    progress = changed(running(PLAN, {FACTORY: HALF}), F1, admitted=1)

    found = explained(record(PLAN, progress))

    assert "fleet factory: the pace admits 1 of 2 devices so far" in found.because
    assert "fleet depot has not confirmed the order of stage 1 yet" in found.because


def test_windows_that_never_open_again_need_another_rollout():
    """A freeze without end; and windows that have opened since the last pass."""
    for_ever = Closure(NOW - HOUR, datetime(9999, 12, 31, 12, tzinfo=UTC), "The end")
    frozen = new_plan((2, 2), windows=[{"cron": "0 2 * * *", "duration": "1h"}], closures=(for_ever,))
    open_ = new_plan((2, 2), windows=[WINDOW])

    assert explained(at(frozen, Wait.FREEZE)).moves == (
        "a new rollout with other windows or calendars: in these no time to offer the release is in sight",
    )
    assert explained(at(open_, Wait.WINDOW)).moves == ("time: it is open again, the next pass offers the release",)


def test_without_a_way_back_none_is_offered():
    """A paused rollout whose file names no previous release."""
    plan = msgspec.structs.replace(PLAN, back=None)

    found = explained(at(plan, Wait.RESUME, state=State.PAUSED))

    assert not any("rollback" in text for text in found.moves)


def test_a_pause_by_a_person_is_told_with_their_reason():
    """One by a gate says what was broken."""
    paused = at(PLAN, Wait.RESUME, state=State.PAUSED)
    broken = at(PLAN, Wait.RESUME, state=State.PAUSED, breach=Breach("budget", "too many"))

    assert explained(replace(paused, reason="heat wave")).because[0] == "a person paused it: heat wave"
    assert explained(broken).because[0] == "so it is"


def test_what_was_made_without_otabridge_has_no_file_to_apply():
    """A controller alone looks after it."""
    progress = changed(running(PLAN, {FACTORY: GOOD, DEPOT: HALF}), F1, kind=OrderKind.ADOPTED)

    assert explained(record(PLAN, progress)).moves[0] == "a controller: `otabridge controller run`"
