"""No state of a power cut leaves a device without a verified slot to boot, or breaks a promise; planted bugs do.

A coarse look at each scenario; `make sweep` looks at every state, and lets the agent go on from some hundreds.
"""

from __future__ import annotations

import pytest

from tests.sweep import __main__ as program
from tests.sweep.exploring import Exploration, crashes, explored, recorded, recovered
from tests.sweep.mutants import COARSE, MUTANTS, hunted
from tests.sweep.scenarios import EXPLORED, Scenario

GONE_ON_FROM = 31
"""A state of one step in so many."""


def named(scenario: Scenario) -> str:
    """For pytest to show."""
    return scenario.name


@pytest.mark.parametrize("scenario", EXPLORED, ids=named)
def test_every_state_of_a_power_cut_is_sound(scenario):
    """The firmware boots a signed image, the journal is not behind, and what was told is still true."""
    tape, wrong = recorded(scenario)
    found = explored(scenario, tape, COARSE)

    assert wrong == []
    assert found.violations == []
    assert len(found.distinct) > 50


@pytest.mark.parametrize("scenario", EXPLORED, ids=named)
def test_the_agent_goes_on_from_a_state_to_the_end(scenario):
    """Firmware and agent finish the update, and every state of a second power cut on the way is sound."""
    chosen = crashes(scenario, GONE_ON_FROM)
    found = [recovered(crash) for crash in chosen]

    assert chosen
    assert [text for each in found for text in each.violations] == []
    assert all(each.looked_at for each in found)


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=[plant.__name__ for plant in MUTANTS])
def test_a_mutant_is_caught(number):
    """An act that is left out, or comes too early, shows in a state that `make sweep` tells of."""
    name, trace = hunted(number)

    assert name == MUTANTS[number].__name__
    assert trace


def test_a_mutant_that_nothing_shows_fails_the_program(monkeypatch, capsys):
    """Each is listed above the last line; one that is not caught makes the exit code 1."""
    nothing_wrong(monkeypatch)
    monkeypatch.setattr(program, "hunted", harmless)

    assert program.main() == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "cut points: 2, violations: 0"
    assert lines[-2] == "mutant a comment reworded: NOT CAUGHT"


def test_a_violation_in_a_state_fails_the_program(monkeypatch, capsys):
    """It is shown below its scenario, and counted."""
    nothing_wrong(monkeypatch)
    monkeypatch.setattr(program, "run_explored", unsound)

    assert program.main() == 1

    lines = capsys.readouterr().out.splitlines()
    assert "  the boot environment is gone (step 3, state 1)" in lines
    assert lines[-1] == "cut points: 2, violations: 1"


def nothing_wrong(monkeypatch):
    """The sweeps find nothing, in no time."""
    monkeypatch.setattr(program, "SCENARIOS", ())
    monkeypatch.setattr(program, "EXPLORED", EXPLORED[:1])
    monkeypatch.setattr(program, "MUTANTS", MUTANTS[:1])
    monkeypatch.setattr(program, "crashes", lambda *_: [])
    monkeypatch.setattr(program, "run_explored", sound)


def sound(_scenario: Scenario) -> Exploration:
    """Two states, one of them twice."""
    return Exploration(3, {b"one", b"other"})


def unsound(_scenario: Scenario) -> Exploration:
    """One of them is bad."""
    return Exploration(3, {b"one", b"other"}, ["the boot environment is gone (step 3, state 1)"])


def harmless(_number: int) -> tuple[str, str]:
    """No bug at all."""
    return "a comment reworded", ""
