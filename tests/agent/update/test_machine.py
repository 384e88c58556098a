"""The tables are whole: every state is reached, left and resumed, and nothing leads past the switch by accident."""

from __future__ import annotations

import pytest

from agent.update.machine import BEFORE_SWITCH, IN_TRIAL, RESUME, TRANSITIONS, Event, State, next_state


def reachable(start: State, forbidden: frozenset[State] = frozenset()) -> set[State]:
    """The states that lead on from `start` without passing through `forbidden`."""
    found, todo = set(), [start]
    while todo:
        state = todo.pop()
        if state not in found and state not in forbidden:
            found.add(state)
            todo += [after for (before, _), after in TRANSITIONS.items() if before is state]
    return found


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (State.IDLE, Event.OFFERED, State.JUDGING),
        (State.JUDGING, Event.ACCEPTED, State.PREPARING),
        (State.JUDGING, Event.REFUSED, State.REPORTING),
        (State.JUDGING, Event.HELD, State.REPORTING),
        (State.JUDGING, Event.KEPT, State.CHECKING),
        (State.JUDGING, Event.POSTPONED, State.IDLE),
        (State.CHECKING, Event.POSTPONED, State.IDLE),
        (State.CHECKING, Event.SPOILED, State.JUDGING),
        (State.CHECKING, Event.UNUSABLE, State.JUDGING),
        (State.WRITING, Event.UNUSABLE, State.JUDGING),
        (State.WRITING, Event.WITHDRAWN, State.IDLE),
        (State.CHECKING, Event.FAILED, State.REPORTING),
        (State.SWITCHING, Event.FAILED, State.REVERTING),
        (State.PROVING, Event.UNHEALTHY, State.REVERTING),
        (State.COMMITTING, Event.COMMITTED, State.REPORTING),
        (State.JUDGING, Event.WITHOUT_IMAGE, State.STAGING),
        (State.CHECKING, Event.MORE, State.STAGING),
        (State.STAGING, Event.POSTPONED, State.IDLE),
        (State.APPLYING, Event.FAILED, State.UNDOING),
        (State.FINISHING, Event.FAILED, State.REVERTING),
        (State.UNDOING, Event.GIVEN_UP, State.REPORTING),
    ],
)
def test_an_event_leads_on(state, event, after):
    """Some edges that the design stands on."""
    assert next_state(state, event) is after


def test_a_missing_pair_is_a_bug_with_both_names():
    """An event that a state cannot have stops the agent, and says which."""
    with pytest.raises(RuntimeError, match=r"no transition from state .*IDLE.* on event .*PROVEN"):
        next_state(State.IDLE, Event.PROVEN)


def test_every_state_is_reached_and_resumed():
    """No state is forgotten in either table, and each finds its end in IDLE."""
    assert reachable(State.IDLE) == set(State)
    assert set(RESUME) == set(State)
    assert all(State.IDLE in reachable(state) for state in State)


def test_every_event_is_used():
    """A word of the machine that nothing says would be dead."""
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_only_proof_commits():
    """Without PROVING there is no way to COMMITTING, and without CHECKING none to SWITCHING, but for a handler's slot,
    which APPLYING reads back."""
    assert State.COMMITTING not in reachable(State.IDLE, frozenset({State.PROVING}))
    assert State.SWITCHING not in reachable(State.IDLE, frozenset({State.CHECKING, State.APPLYING}))


def test_steps_are_undone_unless_they_are_proved():
    """From the first step on every way to the report leads through the proof, or through UNDOING; or the boot loader
    refuses to leave the target, which the report says."""
    ends = {before for (before, _), after in TRANSITIONS.items() if after is State.REPORTING}
    begun = {State.APPLYING, State.FINISHING, *IN_TRIAL, State.SWITCHING, State.REVERTING}

    assert ends & begun == {State.REBOOTING, State.COMMITTING, State.REVERTING}
    assert {next_state(state, Event.LEFT) for state in (State.REBOOTING, State.COMMITTING)} == {State.UNDOING}
    assert next_state(State.REVERTING, Event.OWING) is State.UNDOING


def test_a_restart_before_the_switch_waits_for_the_offer():
    """Whatever was interrupted before the boot loader knew of it begins again; nothing after that does."""
    assert {state for state in State if RESUME[state] is State.IDLE} == BEFORE_SWITCH


def test_nothing_waits_for_permission_beyond_the_switch():
    """A trial boot is proved or left; boots are counted in it."""
    assert {state for state, event in TRANSITIONS if event is Event.POSTPONED} <= BEFORE_SWITCH
