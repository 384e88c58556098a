"""What a decision needs of a board, whatever its boot loader: the agent's verbs, power-ons, ways to spoil a slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from agent.slots import BootLoader, Slot

Verb = Callable[[BootLoader], None]


class Bench(Protocol):
    """One board, switched on and off at will."""

    powers_on: int

    def act(self, slot: Slot, verb: Verb) -> None:
        """The agent that runs in `slot` does `verb`, natively."""

    def boot(self) -> str:
        """Switch it on until a slot runs, and off: that slot, NONE where none could be started. Raises: NotSeen."""

    def spoil_kernel(self, slot: Slot, content: bytes | None) -> None:
        """Another kernel, or none, in `slot`."""

    def erase(self, slot: Slot) -> None:
        """Nothing but zeros in `slot`."""

    def refuse_writes(self) -> None:
        """From now on nothing can be written where the environment is."""

    def remembered(self) -> Mapping[str, str]:
        """What the boot loader's own tool reads, but for variables without a value. Raises: ProgramFailed."""


Step = Callable[[Bench], None]
NONE = "-"
"""In the place of a slot: none could be started."""
ANY = "?"
"""In the place of a slot: either will do."""
JUNK = b"no kernel is in this file\n" * 100


class WrongSlot(Exception):
    """Another slot ran on the way to the decision of a case."""


SomeBench = TypeVar("SomeBench", bound=Bench)


@dataclass(frozen=True)
class Case(Generic[SomeBench]):
    """`slots` has a letter for each power-on; `then` are variables afterwards, "" for none."""

    name: str
    steps: tuple[Callable[[SomeBench], None], ...]
    slots: str
    then: Mapping[str, str] = field(default_factory=dict)


def judge(case: Case[SomeBench], bench: SomeBench) -> list[str]:
    """Play `case`; what is wrong. Raises: NotSeen, WrongSlot."""
    for step in case.steps:
        step(bench)
    ran = "".join(bench.boot() for _ in case.slots)
    wrong = [] if matches(ran, case.slots) else [f"slots {ran} ran, not {case.slots}"]
    if not case.then:
        return wrong
    held = bench.remembered()
    seen = ((name, held.get(name, ""), value) for name, value in case.then.items())
    return wrong + [f"{name} is {value!r}, not {wanted!r}" for name, value, wanted in seen if value != wanted]


def matches(ran: str, wanted: str) -> bool:
    """Whether the slots that ran are those that were wanted."""
    return all(slot == right or (right == ANY and slot != NONE) for slot, right in zip(ran, wanted, strict=True))


def tries(slot: Slot) -> Step:
    """The agent in the other slot puts `slot` on trial."""
    return lambda bench: bench.act(slot.other, lambda boots: boots.try_slot(slot))


def commits(slot: Slot) -> Step:
    """The agent in `slot` commits it."""
    return lambda bench: bench.act(slot, lambda boots: boots.commit(slot))


def forbids(slot: Slot) -> Step:
    """The agent in the other slot is about to write `slot`."""
    return lambda bench: bench.act(slot.other, lambda boots: boots.mark_unbootable(slot))


def excuses(slot: Slot) -> Step:
    """A restart of `slot` was asked for."""
    return lambda bench: bench.act(slot, lambda boots: boots.excuse_restart())


def refills(slot: Slot) -> Step:
    """The agent in `slot` finds it to run well."""
    return lambda bench: bench.act(slot, lambda boots: boots.refill())


def boots(slots: str) -> Step:
    """Power-ons in between; other slots than these are a failure."""

    def step(bench: Bench) -> None:
        ran = "".join(bench.boot() for _ in slots)
        if ran != slots:
            raise WrongSlot(f"on the way slots {ran} ran, not {slots}")

    return step


def kernel_of(slot: Slot, content: bytes | None) -> Step:
    """Another kernel in `slot`, or none."""
    return lambda bench: bench.spoil_kernel(slot, content)


def erased(slot: Slot) -> Step:
    """A slot with nothing in it."""
    return lambda bench: bench.erase(slot)


def unwritable(bench: Bench) -> None:
    """The disk refuses every write."""
    bench.refuse_writes()
