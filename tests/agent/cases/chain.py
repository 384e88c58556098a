"""The chain of states of a case: written by hand as words, and recorded from the journal of the device that plays it.

    offered judging, accepted preparing / arrived proving + resume rebooting

Each pair is one change of the journalled state: the event, and the state that it leads to; `resume` where no event led
there, but what the agent found at its start. `/` is a start of the machine, `+` a start of the agent's process alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from agent.update.machine import Event, State

RESUME = "resume"


class Start(StrEnum):
    """What began anew."""

    MACHINE = "/"
    PROCESS = "+"


@dataclass(frozen=True, slots=True)
class Change:
    """The journal says `state` from now on; `event` is None where the agent found that at its start."""

    state: State
    event: Event | None = None

    def __str__(self) -> str:
        return f"{self.event or RESUME} {self.state}"


Chain = tuple[Change | Start, ...]


def chain(*texts: str) -> Chain:
    """The chain that `texts` spell out, one after the other. Raises: ValueError for a word that is none."""
    words = " ".join(texts).replace(",", " ").split()
    found: list[Change | Start] = []
    while words:
        word = words.pop(0)
        found.append(Start(word) if word in tuple(Start) else _change(word, words.pop(0)))
    return tuple(found)


def _change(event: str, state: str) -> Change:
    return Change(State(state), None if event == RESUME else Event(event))


def spelled(steps: Chain) -> str:
    """The words of `steps`, for a test that failed."""
    return ", ".join(str(step) for step in steps)


def starts(steps: Chain, kind: Start) -> int:
    """How often `kind` began anew."""
    return sum(step is kind for step in steps)


def changes(steps: Chain) -> Iterator[tuple[State, Change]]:
    """Every change with the state before it; a chain begins in IDLE."""
    state = State.IDLE
    for step in steps:
        if isinstance(step, Change):
            yield state, step
            state = step.state


def transitions(steps: Chain) -> set[tuple[State, Event]]:
    """Every state of the chain that was left by an event, with the event."""
    return {(state, step.event) for state, step in changes(steps) if step.event is not None}
