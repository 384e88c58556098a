"""The ways through the states that nothing disturbs, as pieces from which the chains of cases are put together."""

from __future__ import annotations

from agent.update.machine import State

JUDGED = "offered judging, accepted preparing"
WRITTEN = "prepared writing, written checking"
SWITCHED = "matched switching, switched rebooting"
FETCHED = f"{JUDGED}, {WRITTEN}, {SWITCHED}"
"""From the offer to the restart."""
TOLD = "delivered idle"
COMMITTED = f"proven committing, committed reporting, {TOLD}"
PROVED = f"arrived proving, {COMMITTED}"
"""From the trial boot to the end."""
GOOD = f"{FETCHED} / {PROVED}"
FAILS_HEALTH = "arrived proving, unhealthy reverting"
RETURNED = f"returned reporting, {TOLD}"
UNHEALTHY = f"{FETCHED} / {FAILS_HEALTH} / {RETURNED}"
GIVEN_UP_BY_BOOT_LOADER = f"fell_back reporting, {TOLD}"
REFUSED = f"offered judging, refused reporting, {TOLD}"
WITHOUT_DELTA = f"{JUDGED}, prepared writing, unusable judging, accepted preparing, {WRITTEN}, {SWITCHED}"
BEGUN = f"{JUDGED}, prepared writing"
GAVE_UP = f"{BEGUN}, failed reporting, {TOLD}"
PUT_OFF = f"{BEGUN}, interrupted idle"
KEPT = f"offered judging, kept checking, {SWITCHED} / {PROVED}"
"""The slot that does not run holds the release already."""

OF_STEPS = frozenset({State.STAGING, State.APPLYING, State.FINISHING, State.UNDOING})
"""Only releases of several steps come by here."""


def words(path: str) -> list[str]:
    """Changes and starts of `path`, one by one."""
    return [each.strip() for each in path.replace("/", ",/,").replace("+", ",+,").split(",") if each.strip()]


def up_to(path: str, state: State) -> str:
    """`path` to the change that leads to `state`, inclusive; "" for the IDLE at its beginning."""
    steps = words(path)
    found = next((at for at, step in enumerate(steps) if step.endswith(f" {state}")), len(steps) - 1)
    return ", ".join(steps[: found + 1])


def after(path: str, state: State) -> str:
    """What follows in `path` on the change that leads to `state`."""
    steps = words(path)
    found = next(at for at, step in enumerate(steps) if step.endswith(f" {state}"))
    return ", ".join(steps[found + 1 :])
