"""What a person may tell a rollout, in each state; what it changes; what is refused, in words."""

from __future__ import annotations

import msgspec
import pytest

from bridge.engine import controls
from bridge.engine.progress import Breach, OrderKind, Progress, State
from bridge.errors import UsageError
from bridge.planning.planned import Place
from bridge.tally import Tally
from tests.bridge.plans import D1, DEPOT, F1, FACTORY, MINUTE, NOW, kinds, new_plan, opened, running

PLAN = new_plan((4, 4), (2, 2), gates={"health": [{"name": "disk", "queries": {FACTORY: "q"}, "limit": 5}]})
NO_WAY_BACK = msgspec.structs.replace(PLAN, back=None)
SO_ALREADY = "so already"
CHANGED = "changed"
TABLE = {
    State.PLANNED: ("only a running", "only a paused", "only a running", "is planned", CHANGED),
    State.RUNNING: (CHANGED, SO_ALREADY, CHANGED, CHANGED, CHANGED),
    State.PAUSED: (SO_ALREADY, CHANGED, "is paused: resume it first, then promote", CHANGED, CHANGED),
    State.ROLLING_BACK: ("is rolling-back", "is rolling-back", "only a running", SO_ALREADY, CHANGED),
    State.STOPPED: ("is stopped", "is stopped", "is stopped", "under a new name", SO_ALREADY),
    State.ABORTED: ("is aborted", "is aborted", "is aborted", "under a new name", SO_ALREADY),
    State.ROLLED_BACK: ("is rolled-back", "is rolled-back", "only a running", SO_ALREADY, "nothing to abort"),
    State.COMPLETED: ("is completed", "is completed", "only a running", "under a new name", "nothing to abort"),
}
EACH = (controls.pause, controls.resume, controls.promote, controls.roll_back, controls.abort)
ROWS = [
    pytest.param(state, control, expected, id=f"{control.__name__} {state}")
    for state, row in TABLE.items()
    for control, expected in zip(EACH, row, strict=True)
]


def in_state(state: State) -> Progress:
    """Stage 1 under way."""
    progress = running(PLAN, {FACTORY: Tally(installed=1, waiting=3), DEPOT: Tally(installed=4, open=False)})
    return msgspec.structs.replace(progress, state=state)


@pytest.mark.parametrize(("state", "control", "expected"), ROWS)
def test_a_control_is_obeyed_refused_or_so_already(state, control, expected):
    """Every control in every state."""
    if expected not in {CHANGED, SO_ALREADY}:
        with pytest.raises(UsageError, match=f"rollout gates is .*{expected}|{expected}"):
            control(PLAN, in_state(state), NOW)
        return

    after = control(PLAN, in_state(state), NOW)

    assert (after is None) == (expected is SO_ALREADY)


def test_a_pause_withdraws_every_offer():
    """No breach is noted: a person did it."""
    paused = controls.pause(PLAN, in_state(State.RUNNING), NOW)

    assert (paused.state, paused.breach) == (State.PAUSED, None)
    assert opened(paused, F1) == opened(paused, D1) == [False]


def test_a_resume_makes_new_orders_for_what_was_left():
    """For the fleet that has ended none."""
    paused = controls.pause(PLAN, in_state(State.RUNNING), NOW)

    resumed = controls.resume(PLAN, paused, NOW + MINUTE)

    assert resumed.state is State.RUNNING
    assert (opened(resumed, F1), opened(resumed, D1)) == ([False, True], [False])
    assert resumed.at(F1)[1].since == NOW + MINUTE
    assert resumed.forgiven == {}


def test_a_resume_after_a_breach_forgives_what_was_looked_at():
    """All figures so far; gates on shares are silent for the rest of their stage."""
    progress = running(PLAN, {FACTORY: Tally(failed=2, timed_out=1, waiting=1)})
    paused = msgspec.structs.replace(
        controls.pause(PLAN, progress, NOW),
        breach=Breach("budget", "3 devices failed"),
        figures={"fallbacks": 2, "watchdog-resets": 1},
    )

    resumed = controls.resume(PLAN, paused, NOW)

    assert resumed.breach is None
    assert resumed.forgiven == {
        "bad": 3,
        "silent": 1,
        "fallbacks": 2,
        "watchdog-resets": 1,
        "failure-rate": 1,
        "health disk": 1,
    }


@pytest.mark.parametrize("gate", ["unknown", "sign-off"])
def test_what_was_no_fault_of_devices_forgives_them_nothing(gate):
    """A fleet was away, or an approver said no: failures so far have spent their budget."""
    progress = running(PLAN, {FACTORY: Tally(failed=2, waiting=2)})
    paused = msgspec.structs.replace(
        controls.pause(PLAN, progress, NOW), breach=Breach(gate, "why"), unknown_since=NOW, unknown_passes=9
    )

    resumed = controls.resume(PLAN, paused, NOW)

    assert (resumed.forgiven, resumed.breach) == ({}, None)
    assert (resumed.unknown_since, resumed.unknown_passes) == (None, 0)


def test_a_promotion_is_for_the_current_stage():
    """Nothing else changes; twice is once."""
    running_now = in_state(State.RUNNING)

    promoted = controls.promote(PLAN, running_now, NOW)

    assert promoted == msgspec.structs.replace(running_now, promoted=0)
    assert controls.promote(PLAN, promoted, NOW) is None


@pytest.mark.parametrize("state", [State.RUNNING, State.PAUSED])
def test_a_way_back_is_offered_to_every_stage_begun(state):
    """At once, with all other offers withdrawn."""
    back = controls.roll_back(PLAN, in_state(state), NOW)

    assert back.state is State.ROLLING_BACK
    assert kinds(back, F1) == kinds(back, D1) == [OrderKind.STAGE, OrderKind.BACK]
    assert opened(back, F1) == [False, True]
    assert back.at(Place(1, FACTORY)) == ()


def test_without_a_previous_release_there_is_no_way_back():
    """The message names the field."""
    with pytest.raises(UsageError, match=r"rollout gates names no previous release: .*roll_back\.release"):
        controls.roll_back(NO_WAY_BACK, in_state(State.RUNNING), NOW)


@pytest.mark.parametrize("state", [State.PLANNED, State.RUNNING, State.PAUSED, State.ROLLING_BACK])
def test_an_abort_ends_it_for_good(state):
    """Also on the way back, when some device never answers."""
    ended = controls.abort(PLAN, in_state(state), NOW)

    assert ended.state is State.ABORTED
    assert all(order.closing for _, _, order in ended.each())
