"""The kernel's records of panics: found where the kernel or systemd-pstore puts them, told apart, counted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.proof.crashes import MAX_BYTES, MAX_RECORDS, panics
from agent.slots import Slot
from agent.update.counting import counted
from agent.update.record import Boots, Record, Reset

PANIC = "Panic#1 Part1\n<0>[ 42.0] Kernel panic - not syncing: Attempted to kill init!\n"


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    "name",
    [
        "dmesg-ramoops-0",
        "dmesg-efi_pstore-174000000001001",
        "6742000000/dmesg-ramoops-0",  # as systemd-pstore moves them
        "1740000000/001/dmesg-efi_pstore-174000000001001",
    ],
)
def test_a_panic_is_found_where_it_lies(tmp_path, name):
    """In the kernel's folder, or in those of systemd-pstore."""
    put(tmp_path, name, PANIC)

    assert len(panics([tmp_path])) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dmesg-ramoops-0", "Oops#1 Part1\n<1>[ 42.0] BUG: unable to handle page fault\n"),  # the kernel went on
        ("dmesg-erst-7", "Shutdown#1 Part1\n"),
        ("dmesg-ramoops-0.enc.z", "\x01\x02"),
        ("console-ramoops-0", PANIC),
        ("dmesg-empty", ""),
        ("a/b/c/dmesg-ramoops-0", PANIC),
    ],
)
def test_what_is_no_panic_is_none(tmp_path, name, text):
    """An oops that was survived, an orderly end, what cannot be read, and what lies elsewhere."""
    put(tmp_path, name, text)

    assert panics([tmp_path, tmp_path / "absent"]) == ()


def test_a_record_that_is_moved_stays_the_same(tmp_path):
    """systemd-pstore takes it out of the kernel's memory while the agent starts."""
    put(tmp_path, "kernel/dmesg-ramoops-0", PANIC)
    put(tmp_path, "archive/dmesg-ramoops-0", PANIC)
    folders = [tmp_path / "kernel", tmp_path / "archive"]

    assert panics(folders) == panics(folders[:1]) == panics(folders[1:])


def test_folders_of_any_size_are_read_within_bounds(tmp_path):
    """So many files, and so much of each."""
    for number in range(MAX_RECORDS + 20):
        put(tmp_path, f"dmesg-ramoops-{number:03}", f"Panic#{number} Part1\n" + "x" * 3 * MAX_BYTES)

    assert len(panics([tmp_path])) == MAX_RECORDS


def test_a_folder_in_place_of_a_record(tmp_path):
    """It is passed over."""
    (tmp_path / "dmesg-ramoops-0").mkdir()
    put(tmp_path, "dmesg-ramoops-1", PANIC)

    assert len(panics([tmp_path])) == 1


FIRST = counted(Record(expected=Slot.A), Slot.A, "boot-1", by_watchdog=False, crashes=("old",))


@pytest.mark.parametrize(
    ("by_watchdog", "crashes", "reset", "ended"),
    [
        (False, ("old",), Reset.RESTART, Boots(2)),
        (True, ("old",), Reset.WATCHDOG, Boots(2, watchdog_resets=1)),
        (False, ("new", "old"), Reset.PANIC, Boots(2, panics=1)),
        (False, ("new", "newer", "old"), Reset.PANIC, Boots(2, panics=1)),  # one crash, in several records
        (True, ("new",), Reset.PANIC, Boots(2, watchdog_resets=1, panics=1)),  # the watchdog ended a kernel that hung
        (False, (), Reset.RESTART, Boots(2)),  # somebody tidied up
    ],
)
def test_what_caused_a_boot(by_watchdog, crashes, reset, ended):
    """A restart, a watchdog or a panic, each told apart and held against what ran then."""
    record = counted(FIRST, Slot.A, "boot-2", by_watchdog=by_watchdog, crashes=crashes)

    assert (record.reset, record.boots_a) == (reset, ended)
    assert counted(record, Slot.A, "boot-2", by_watchdog=by_watchdog, crashes=("another",)) == record


def test_what_was_there_before_the_agent_is_not_counted():
    """Nor by an agent that lost its journal: the records may be years old."""
    assert (FIRST.reset, FIRST.boots_a, FIRST.crashes) == (Reset.RESTART, Boots(1), ("old",))


def test_one_panic_is_one_panic():
    """It lies there at the boots after it, too."""
    record = FIRST
    for number, crashes in enumerate([("new", "old")] * 3, 2):
        record = counted(record, Slot.A, f"boot-{number}", by_watchdog=False, crashes=crashes)

    assert (record.boots_a, record.reset) == (Boots(4, panics=1), Reset.RESTART)
