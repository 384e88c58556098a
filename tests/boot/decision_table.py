"""The cases of what U-Boot decides, as data: how the board came to be what it is, the slots that then run, power-on by
power-on, and what fw_printenv reads afterwards. Most hold whoever counts boots, the script or U-Boot itself.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.slots import Slot
from tests.boot import environment
from tests.boot.bench import (
    JUNK,
    Case,
    boots,
    commits,
    erased,
    excuses,
    forbids,
    kernel_of,
    refills,
    tries,
    unwritable,
)
from tests.boot.decisions import UBootBench

A, B = Slot.A, Slot.B
Step = Callable[[UBootBench], None]
DEFAULT, TRIAL, UNBOOTABLE = "otabridge_default", "otabridge_trial", "otabridge_unbootable"
COUNTED, COUNT = "upgrade_available", "bootcount"
WRAP = 256
"""Changes after which the flag of a copy is where it was."""


def sets(**variables: str) -> Step:
    """Variables of the environment on the disk, changed by hand."""
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    return lambda bench: bench.board.set_environment(lines)


def built_in(**settings: str) -> Step:
    """Settings of the boot script in U-Boot's own environment."""
    return lambda bench: bench.board.configure(settings)


def torn(change: Step) -> Step:
    """The power fails in `change`, the last write to the environment: it is torn."""
    return lambda bench: environment.tear(bench.board.disk, lambda: change(bench))


def spoilt(copy: str) -> Step:
    """Rot in the `newest` copy, in the `oldest`, or in `both`."""
    return lambda bench: environment.spoil(bench.board.disk, copy)


def flag_at(flag: int) -> Step:
    """The flag of the newest copy is `flag`, the other's one less, as after as many changes."""
    return lambda bench: environment.set_flags(bench.board.disk, flag)


def blank(bench: UBootBench) -> None:
    """A disk whose environment was never written."""
    environment.erase(bench.board.disk)


GIVEN_UP = {DEFAULT: "a", TRIAL: "", UNBOOTABLE: "b", COUNTED: "0", COUNT: "0"}
ON_TRIAL = {DEFAULT: "a", TRIAL: "b", UNBOOTABLE: "", COUNTED: "1"}
FIRST_BOOT = {**ON_TRIAL, COUNT: "1"}
COMMITTED_B = {DEFAULT: "b", TRIAL: "", COUNTED: "0"}

TRIALS: tuple[Case[UBootBench], ...] = (
    Case("from the factory", (), "aa", {DEFAULT: "a", TRIAL: ""}),
    Case("a trial", (tries(B),), "b", FIRST_BOOT),
    Case("a trial that never ends well", (tries(B),), "bbbaa", GIVEN_UP),
    Case("the third boot of a trial", (tries(B), boots("bb")), "b", {**ON_TRIAL, COUNT: "3"}),
    Case("a trial that is counted down", (tries(B), boots("bbb")), "a", GIVEN_UP),
    Case("committed at the first boot", (tries(B), boots("b"), commits(B)), "bbbb", COMMITTED_B),
    Case("committed at the last boot", (tries(B), boots("bbb"), commits(B)), "b", COMMITTED_B),
    Case("a trial before its first boot is called off", (tries(B), forbids(B)), "a", GIVEN_UP),
    Case("a trial is called off from within", (tries(B), boots("b"), forbids(B)), "a", GIVEN_UP),
    Case("a slot about to be written", (forbids(B),), "aa", {DEFAULT: "a", UNBOOTABLE: "b"}),
    Case("a second trial after one that failed", (tries(B), boots("bbba"), tries(B)), "b", FIRST_BOOT),
    Case("a trial after one half way", (tries(B), boots("bb"), forbids(B), tries(B)), "b", FIRST_BOOT),
    Case(
        "the way back, which fails",
        (tries(B), boots("b"), commits(B), tries(A)),
        "aaab",
        {**COMMITTED_B, UNBOOTABLE: "a"},
    ),
    Case(
        "there and back",
        (tries(B), boots("b"), commits(B), tries(A), boots("a"), commits(A)),
        "a",
        {DEFAULT: "a", TRIAL: "", COUNTED: "0"},
    ),
    Case("restarts that were asked for", (tries(B), *(boots("b"), excuses(B)) * 4), "bbba", GIVEN_UP),
    Case("a limit of one boot", (sets(bootlimit="1"), tries(B)), "ba", GIVEN_UP),
    Case("a limit of five boots", (sets(bootlimit="5"), tries(B)), "bbbbba", GIVEN_UP),
)

SPOILT_COPIES: tuple[Case[UBootBench], ...] = (
    Case("no environment: each slot in turns", (blank,), "aaabbba", {DEFAULT: "a", TRIAL: ""}),
    Case("no environment, then the agent", (blank, boots("a"), commits(A)), "a", {DEFAULT: "a", COUNTED: "0"}),
    Case("both copies spoilt", (spoilt("both"),), "a", {DEFAULT: "a", COUNTED: "1", COUNT: "1"}),
    Case("both copies spoilt in a trial", (tries(B), boots("b"), spoilt("both")), "a", {TRIAL: ""}),
    Case("the oldest copy spoilt", (tries(B), spoilt("oldest")), "b", FIRST_BOOT),
    Case("the newest copy spoilt: the state before", (tries(B), spoilt("newest")), "a", {DEFAULT: "a", TRIAL: ""}),
    Case("power cut in try_slot", (torn(tries(B)),), "a", {DEFAULT: "a", TRIAL: ""}),
    Case("power cut in try_slot, then again", (torn(tries(B)), tries(B)), "b", FIRST_BOOT),
    Case("power cut in commit: still on trial", (tries(B), boots("b"), torn(commits(B))), "bba", GIVEN_UP),
    Case("power cut in mark_unbootable", (tries(B), torn(forbids(B))), "b", FIRST_BOOT),
    Case("power cut while U-Boot gives up", (tries(B), boots("bbb"), torn(boots("a"))), "a", GIVEN_UP),
)

FLAGS: tuple[Case[UBootBench], ...] = (
    Case("the flag wraps as the agent writes", (flag_at(WRAP - 1), tries(B)), "b", FIRST_BOOT),
    Case("the flag wraps as U-Boot writes", (flag_at(WRAP - 2), tries(B)), "bb", {**ON_TRIAL, COUNT: "2"}),
    Case("the flag wraps at the commit", (flag_at(WRAP - 3), tries(B), boots("b"), commits(B)), "bb", COMMITTED_B),
    Case("power cut at the wrap", (flag_at(WRAP - 1), torn(tries(B))), "a", {DEFAULT: "a", TRIAL: ""}),
)

BROKEN_SLOTS: tuple[Case[UBootBench], ...] = (
    Case("no kernel in the slot on trial", (kernel_of(B, None), tries(B)), "a", GIVEN_UP),
    Case("a bad kernel in the slot on trial", (kernel_of(B, JUNK), tries(B)), "a", GIVEN_UP),
    Case("no file system in the slot on trial", (erased(B), tries(B)), "a", GIVEN_UP),
    Case("no kernel in the default slot", (kernel_of(A, None),), "b", {DEFAULT: "a"}),
    Case("a bad kernel in the default slot", (kernel_of(A, JUNK),), "b", {DEFAULT: "a"}),
    Case("no kernel in the default slot, the other half written", (forbids(B), kernel_of(A, None)), "-"),
    Case("no kernel in either slot", (kernel_of(A, None), kernel_of(B, None)), "-"),
    Case("a kernel that gives up, then none", (tries(B), boots("b"), kernel_of(B, None)), "a", GIVEN_UP),
)

MEDIUM: tuple[Case[UBootBench], ...] = (
    Case("a trial that cannot be counted is not begun", (tries(B), unwritable), "aa", ON_TRIAL),
    Case("no trial, and nothing can be written", (unwritable,), "aa", {DEFAULT: "a"}),
)

ODD_VALUES: tuple[Case[UBootBench], ...] = (
    Case("a default that is no slot", (sets(otabridge_default="c"),), "a", {DEFAULT: "a", COUNT: "1"}),
    Case("the default on trial", (sets(otabridge_trial="a", upgrade_available="1"),), "a", {DEFAULT: "a", COUNT: "1"}),
    Case("a trial that is not counted", (sets(otabridge_trial="b", upgrade_available="0"),), "a"),
    Case("a trial that is no slot", (sets(otabridge_trial="b;reset", upgrade_available="1"),), "a"),
    Case("a count that is no number", (tries(B), sets(bootcount="many")), "b", FIRST_BOOT),
)

COUNTED_DEFAULT: tuple[Case[UBootBench], ...] = (
    Case("the default is counted: it is left", (built_in(otabridge_count_default="1"),), "aaabbba"),
    Case(
        "the default is counted, the other is half written",
        (built_in(otabridge_count_default="1"), forbids(B)),
        "aaaaaaa",
        {DEFAULT: "a"},
    ),
    Case(
        "the default is counted, and runs well",
        (built_in(otabridge_count_default="1"), boots("aa"), refills(A), boots("aa"), refills(A)),
        "aaab",
        {DEFAULT: "b"},
    ),
)

WHOEVER_COUNTS: tuple[Case[UBootBench], ...] = (
    *TRIALS,
    *SPOILT_COPIES,
    *FLAGS,
    *BROKEN_SLOTS,
    *MEDIUM,
    *ODD_VALUES,
    *COUNTED_DEFAULT,
)

SCRIPT_COUNTS: tuple[Case[UBootBench], ...] = (
    Case("a limit in hexadecimal, as a script counts", (tries(B), sets(bootlimit="a", bootcount="9")), "ba", GIVEN_UP),
    Case("power cut while the script counts", (tries(B), torn(boots("b"))), "b", FIRST_BOOT),
    Case("U-Boot is said to count, and does not", (built_in(otabridge_counter="uboot"), tries(B)), "bbba", GIVEN_UP),
)
"""These hold for the script's counter alone."""

CASES: tuple[Case[UBootBench], ...] = (*WHOEVER_COUNTS, *SCRIPT_COUNTS)
