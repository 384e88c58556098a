"""Judges every state in which a power cut can leave a recorded device, and lets the real agent go on from some of them.

What the agent does when it goes on is recorded as well: the states of a second power cut are judged like those of the
first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from tests.agent.power import Naming, Write
from tests.sweep.crashes import BLOCK, Breadth, media
from tests.sweep.media import Medium, Model
from tests.sweep.recorder import Entry, Known, Recording, Tape
from tests.sweep.scenarios import Scenario
from tests.sweep.verdicts import Judge

FIRST = Breadth()
SECOND = Breadth(all_up_to=64, grain=BLOCK, draws=32)
"""Of the second power cut, in a recovery: there are many of them."""
LOT = Breadth(all_up_to=64, grain=1 << 20, draws=16)
"""Of those from which the agent goes on one is drawn."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The power goes at step `step` of the recording of `scenario`, during call `call` of the kernel.

    Of the states that LOT has there, `number` is left.
    """

    scenario: Scenario
    step: int
    call: int
    number: int

    @property
    def place(self) -> str:
        """For a person to find it."""
        return f"step {self.step}, state {self.number}"


@dataclass(slots=True)
class Exploration:
    """How many states were looked at, the keys of those that differ, and what was wrong."""

    looked_at: int = 0
    distinct: set[bytes] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Exploration) -> None:
        """Both together."""
        self.looked_at += other.looked_at
        self.distinct |= other.distinct
        self.violations += other.violations


def recorded(scenario: Scenario) -> tuple[Tape, list[str]]:
    """The recording of an undisturbed run, and what was wrong with its end."""
    recording = Recording(scenario)
    wrong = recording.run()
    return recording.tape(), wrong


def crashes(scenario: Scenario, every: int) -> list[Crash]:
    """One state at every `every`-th step of an undisturbed run."""
    found = []
    for step, entry, there in states(scenario, recorded(scenario)[0], LOT):
        if step % every == len(scenario.name) % every:
            number = Random(f"{scenario.name} {step}").randrange(sum(1 for _ in there))
            is_under_way = isinstance(entry.act, (Write, Naming))  # else it is done, and the next call is cut
            found.append(Crash(scenario, step, entry.call if is_under_way else entry.call + 1, number))
    return found


def states(scenario: Scenario, tape: Tape, breadth: Breadth) -> Iterator[tuple[int, Entry, Iterator[Medium]]]:
    """Each step of `tape`, and the states in which a power cut after it can leave the medium."""
    model = Model(tape, scenario.board)
    for step, entry in enumerate(tape.entries):
        model.apply(entry.act)
        yield step, entry, media(model, breadth, Random(f"{scenario.name} {step}"))


def inspected(scenario: Scenario, tape: Tape, breadth: Breadth) -> Iterator[tuple[int, bytes, list[str]]]:
    """Of each state of `tape` the step, the key, and what is wrong with it; that once for all that was known then."""
    judge, known, seen = Judge(scenario.board), Known(), set[bytes]()
    for step, entry, there in states(scenario, tape, breadth):
        if entry.known is not known:
            known, seen = entry.known, set()
        for number, medium in enumerate(there):
            new = medium.key not in seen
            seen.add(medium.key)
            wrong = judge.violations(medium, known) if new else ()
            yield step, medium.key, [f"{text} ({entry.moment}: step {step}, state {number})" for text in wrong]


def explored(scenario: Scenario, tape: Tape, breadth: Breadth) -> Exploration:
    """Judge all states of `tape`."""
    result = Exploration()
    for _, key, wrong in inspected(scenario, tape, breadth):
        result.looked_at += 1
        result.distinct.add(key)
        result.violations += wrong
    return result


def run_explored(scenario: Scenario) -> Exploration:
    """Judge an undisturbed run and all states of a power cut in it."""
    tape, wrong = recorded(scenario)
    result = explored(scenario, tape, FIRST)
    result.violations = [*wrong, *result.violations]
    return result


def recovered(crash: Crash) -> Exploration:
    """Let firmware and agent go on from `crash` to the end, and judge all states of a second power cut on the way."""
    recording = Recording(crash.scenario)
    recording.run_to(crash.call)
    known, medium = _left(recording.tape(), crash)
    wrong = recording.go_on(medium.files(), known)
    result = explored(crash.scenario, recording.tape(), SECOND)
    result.violations = [f"{text}: after {crash.place}" for text in (*wrong, *result.violations)]
    return result


def _left(tape: Tape, crash: Crash) -> tuple[Known, Medium]:
    """What was known at the step of `crash`, and what it leaves."""
    _, entry, there = next(islice(states(crash.scenario, tape, LOT), crash.step, None))
    return entry.known, next(islice(there, crash.number, None))
