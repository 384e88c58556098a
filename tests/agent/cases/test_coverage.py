"""The table of state cases is whole: every state, transition and failure code comes up, or it is said why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from agent.slots import Slot
from agent.update.machine import TRANSITIONS, State
from bridge.release.errors import FailureCode
from tests.agent.cases.case import installed
from tests.agent.cases.chain import Change, Start, chain, changes, spelled, transitions
from tests.agent.cases.coverage import UNREACHED, UNTOLD
from tests.agent.cases.paths import GOOD
from tests.agent.cases.runner import disagreements
from tests.agent.cases.table import CASES, GROUPS

PLAIN = next(case for case in CASES if not case.faults and case.chain == chain(GOOD))


def test_there_are_enough_cases():
    """At least 150, each with a name of its own, in groups with a rule."""
    names = Counter(case.name for case in CASES)

    assert len(CASES) >= 150
    assert [name for name, count in names.items() if count > 1] == []
    assert all(group.cases and group.words for group in GROUPS)


def test_every_state_is_in_some_chain():
    """All of them."""
    seen = {step.state for case in CASES for step in case.chain if isinstance(step, Change)}

    assert seen == set(State)


def test_every_transition_is_in_some_chain():
    """Or it is told why no case can take it; a reason for one that is taken is out of date."""
    taken = set().union(*(transitions(case.chain) for case in CASES))

    missing = sorted(f"{state}, {event}" for state, event in set(TRANSITIONS) - taken - set(UNREACHED))
    assert missing == [], "add a state case, or say in coverage.py why there can be none"
    assert set(UNREACHED) & taken == set()


def test_every_change_by_an_event_leads_where_the_machine_leads():
    """The chains were written by hand: none names a state that its event does not lead to."""
    wrong = [
        (case.name, str(step)) for case in CASES for state, step in changes(case.chain) if leads_astray(state, step)
    ]

    assert wrong == []


def leads_astray(state: State, step: Change) -> bool:
    """Whether the machine does not lead from `state` where `step` does."""
    return step.event is not None and TRANSITIONS.get((state, step.event)) is not step.state


def test_every_failure_code_is_told():
    """All that a device can report, or it is said why not."""
    told = {report.code for case in CASES for report in case.reports}

    missing = sorted(code.name for code in set(FailureCode) - told - set(UNTOLD))
    assert missing == [], "add a state case, or say in coverage.py why there can be none"
    assert told & set(UNTOLD) == set()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain": chain(GOOD, "+")}, "states were"),
        ({"reports": ()}, "told was"),
        ({"reports": (installed("b", "2.0.0", words="by delta"),)}, "the detail was"),
        ({"slot": Slot.A}, "a should"),
        ({"silent": 1}, "the machine started 1 times, and should have 2 times"),
    ],
    ids=["chain", "reports", "detail", "slot", "restarts"],
)
def test_a_wrong_expectation_is_found_out(change, words):
    """The runner compares what it says that it compares."""
    found = disagreements(replace(PLAIN, **change))

    assert any(words in each for each in found)
    assert disagreements(PLAIN) == []


def test_a_chain_reads_as_it_is_spelled():
    """Changes, and starts of machine and agent."""
    steps = chain("offered judging, + resume idle / offered judging")

    assert [step for step in steps if isinstance(step, Start)] == [Start.PROCESS, Start.MACHINE]
    assert spelled(steps) == "offered judging, +, resume idle, /, offered judging"
    with pytest.raises(ValueError, match="sinking"):
        chain("offered sinking")
