"""The cases of what a U-Boot decides that counts boots itself: all that hold whoever counts, and those of its own."""

from __future__ import annotations

from tests.boot.bench import Case, boots, tries
from tests.boot.decision_table import (
    COUNT,
    FIRST_BOOT,
    GIVEN_UP,
    ON_TRIAL,
    WHOEVER_COUNTS,
    B,
    Step,
    sets,
    torn,
)
from tests.boot.decisions import UBootBench
from tests.boot.machine import NotSeen

HELD = "held before the power cut"
BEFORE_THE_SCRIPT_SAVES, BEFORE_THE_KERNEL = "otabridge_prepare", "otabridge_watchdog"
"""Commands that the boot script runs: after U-Boot has counted and saved, and after the script has saved, too."""


def held_at(command: str) -> Step:
    """From now on the boot stops there."""
    return sets(**{command: f"echo {HELD}; sleep 86400"})


def goes_on_at(command: str) -> Step:
    """It does not any more."""
    return sets(**{command: ""})


def cut(bench: UBootBench) -> None:
    """The power goes on, and is cut where the boot is held."""
    bench.boot_until(f"^{HELD}")


def cuts_at(command: str, times: int = 1) -> tuple[Step, ...]:
    """So many boots that end there by a power cut."""
    return (held_at(command), *(cut,) * times, goes_on_at(command))


def said(words: str) -> Step:
    """The console has said so by now, once."""

    def step(bench: UBootBench) -> None:
        count = bench.console.read_text().count(words)
        if count != 1:
            raise NotSeen(f"the console has said {words!r} {count} times, not once")

    return step


UBOOT_COUNTS: tuple[Case[UBootBench], ...] = (
    Case(
        "altbootcmd gives the slot up",
        (tries(B), boots("bbba"), said("Bootlimit (3) exceeded. Using altbootcmd")),
        "a",
        GIVEN_UP,
    ),
    Case("the highest limit that decimals and hexadecimals agree on", (tries(B), sets(bootlimit="9")), "b" * 9 + "a"),
    Case("no limit is set: the script's", (tries(B), sets(bootlimit="")), "bbba", GIVEN_UP),
    Case("power cut after U-Boot has counted", (tries(B), *cuts_at(BEFORE_THE_SCRIPT_SAVES)), "bba", GIVEN_UP),
    Case("power cut before the kernel", (tries(B), *cuts_at(BEFORE_THE_KERNEL)), "bba", GIVEN_UP),
    Case(
        "power cuts before the kernel, until it is given up", (tries(B), *cuts_at(BEFORE_THE_KERNEL, 3)), "a", GIVEN_UP
    ),
    Case(
        "power cut while U-Boot counts",
        (tries(B), held_at(BEFORE_THE_SCRIPT_SAVES), torn(cut), goes_on_at(BEFORE_THE_SCRIPT_SAVES)),
        "b",
        FIRST_BOOT,
    ),
    Case(
        "power cut while the script saves the count again", (tries(B), torn(boots("b"))), "b", {**ON_TRIAL, COUNT: "2"}
    ),
)
"""These hold for U-Boot's own counter alone."""

CASES: tuple[Case[UBootBench], ...] = (*WHOEVER_COUNTS, *UBOOT_COUNTS)
