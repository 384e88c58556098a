"""The cases of what GRUB decides, as data, and what grub-editenv reads afterwards."""

from __future__ import annotations

from agent.slots import Slot
from tests.boot.bench import (
    JUNK,
    Case,
    boots,
    commits,
    erased,
    excuses,
    forbids,
    kernel_of,
    tries,
    unwritable,
)
from tests.boot.grub_decisions import GrubBench

A, B = Slot.A, Slot.B
TRIAL = "otabridge_trial"
GIVEN_UP = {"A_OK": "1", "B_OK": "0", TRIAL: ""}
COMMITTED_B = {"ORDER": "B A", "B_OK": "1", "B_TRY": "0", TRIAL: ""}
BLOCK_BYTES = 1024


def emptied(bench: GrubBench) -> None:
    """What grub-editenv leaves behind when the power fails in it."""
    bench.put_block(b"")


def zeroed(bench: GrubBench) -> None:
    """A block whose sectors were never written."""
    bench.put_block(bytes(BLOCK_BYTES))


def halved(bench: GrubBench) -> None:
    """A block of which the second sector is lost."""
    bench.put_block(bench.take_block()[: BLOCK_BYTES // 2])


CASES: tuple[Case[GrubBench], ...] = (
    Case("from the factory", (), "aa", {"A_OK": "1"}),
    Case("a trial", (tries(B),), "b", {"ORDER": "B A", TRIAL: "b", "B_TRY": "1"}),
    Case("a trial that never ends well", (tries(B),), "bbbaa", GIVEN_UP),
    Case("committed at the first boot", (tries(B), boots("b"), commits(B)), "bbbb", COMMITTED_B),
    Case("committed at the last boot", (tries(B), boots("bbb"), commits(B)), "b", COMMITTED_B),
    Case("a trial is called off from within", (tries(B), boots("b"), forbids(B)), "a", GIVEN_UP),
    Case("a slot about to be written", (forbids(B),), "a", GIVEN_UP),
    Case("a second trial after one that failed", (tries(B), boots("bbba"), tries(B)), "b", {"B_TRY": "1", "B_OK": "1"}),
    Case("the way back, which fails", (tries(B), boots("b"), commits(B), tries(A)), "aaab", {"A_OK": "0", "B_OK": "1"}),
    Case("restarts that were asked for", (tries(B), *(boots("b"), excuses(B)) * 3), "bbba", GIVEN_UP),
    Case("no kernel in the slot on trial", (kernel_of(B, None), tries(B)), "a", GIVEN_UP),
    Case("a bad kernel in the slot on trial", (kernel_of(B, JUNK), tries(B)), "a", GIVEN_UP),
    Case("no file system in the slot on trial", (erased(B), tries(B)), "a", GIVEN_UP),
    Case("no kernel in the default slot, the other half written", (forbids(B), kernel_of(A, None)), "-"),
    Case("an empty environment: some slot runs", (emptied,), "??"),
    Case("zeros for an environment: some slot runs", (zeroed,), "?"),
    Case("half of an environment: some slot runs", (tries(B), halved), "?"),
    Case("a trial that cannot be counted is not begun", (tries(B), unwritable), "aa"),
)
