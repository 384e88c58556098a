"""Short ways to write a row of the table: which device, which offer where nothing else is said, and the slot."""

from __future__ import annotations

from agent.slots import Slot
from tests.agent.cases.case import Case, Fault, Offered, Prepared, Told
from tests.agent.cases.chain import chain
from tests.agent.cases.devices import NEW, ON_2, ON_3, delta_3, release

RELEASE_2 = (release(2),)
RELEASE_3 = (release(3),)
TWO_JOBS = (release(2), release(2, "job-2"))
"""The cloud tries release 2 a second time."""
Faults = tuple[Fault, ...]


def on_new(name: str, steps: str, *reports: Told, faults: Faults = (), offers: tuple = RELEASE_2, **more) -> Case:
    """A new device, which is offered release 2."""
    return row(name, NEW, offers, steps, reports=reports, faults=faults, **more)


def on_2(name: str, steps: str, *reports: Told, faults: Faults = (), offers: tuple = RELEASE_3, **more) -> Case:
    """A device that runs release 2, which is offered release 3."""
    return row(name, ON_2, offers, steps, reports=reports, faults=faults, **more)


def on_3(name: str, steps: str, *reports: Told, faults: Faults = (), offers: tuple = RELEASE_2, **more) -> Case:
    """A device that runs release 3, which is offered release 2, the one before."""
    return row(name, ON_3, offers, steps, reports=reports, faults=faults, **more)


def by_delta(name: str, steps: str, *reports: Told, faults: Faults = (), offered: Offered | None = None) -> Case:
    """A device that runs release 2, which is offered release 3 with a delta from it."""
    return row(name, ON_2, (offered or delta_3(),), steps, reports=reports, faults=faults)


def row(
    name: str,
    prepared: Prepared,
    offers: tuple[Offered, ...],
    steps: str,
    *,
    reports: tuple[Told, ...],
    faults: Faults,
    slot: Slot | None = None,
    **more,
) -> Case:
    """The slot at the end is that of the last report, where nothing else is said."""
    end = Slot(reports[-1].slot) if slot is None else slot
    return Case(name, prepared, offers, faults, chain(steps), reports, end, **more)
