"""The journal gives back what it was given, or says why not."""

from __future__ import annotations

import errno
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.disk import SystemDisk
from agent.journal import (
    MAX_CONCLUDED,
    VERSION,
    Conclusion,
    Holding,
    Journal,
    JournalError,
    Plan,
    Record,
    Update,
    _digest,
    parse,
    render,
)
from agent.machine import State
from agent.slots import Slot
from bridge.release.errors import FailureCode
from bridge.release.manifest import Artifact, Image
from bridge.release.payload import Mark
from bridge.release.report import Outcome, Report
from tests.agent.power import SimulatedKernel

PATH = Path("/state/journal")
COUNTS = st.integers(0, 2**40)
NAMES = st.text(max_size=20)
IMAGES = st.builds(Image, COUNTS, st.just("ab" * 32))
REPORTS = st.builds(Report, st.just(Outcome.FAILED), NAMES, NAMES, st.sampled_from(FailureCode), NAMES, COUNTS)
HOLDINGS = st.builds(
    Holding, NAMES, NAMES, COUNTS, COUNTS, st.none() | IMAGES, st.lists(NAMES, max_size=3).map(tuple), st.booleans()
)
ARTIFACTS = st.builds(Artifact, st.just("rootfs.zst"), COUNTS, st.just("cd" * 32), IMAGES)
PLANS = st.builds(Plan, st.sampled_from(Slot), HOLDINGS, st.none() | ARTIFACTS)
MARKS = st.builds(Mark, COUNTS, COUNTS)
UPDATES = st.builds(Update, NAMES, NAMES, st.none() | PLANS, MARKS, NAMES, COUNTS, st.none() | REPORTS)
RECORDS = st.builds(
    Record,
    st.sampled_from(State),
    st.none() | UPDATES,
    st.none() | HOLDINGS,
    st.none() | HOLDINGS,
    st.none() | st.sampled_from(Slot),
    COUNTS,
    st.lists(st.binary(max_size=20), max_size=3).map(tuple),
    COUNTS,
    st.lists(st.builds(Conclusion, NAMES, NAMES, REPORTS), max_size=3).map(tuple),
)
SAMPLE = render(Record(State.WRITING, Update("job-1", "ef" * 32), roots=(b"root",)))


@given(RECORDS)
def test_a_record_comes_back(record):
    """What is rendered is parsed to the same record."""
    assert parse(render(record)) == record


@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 7))
def test_any_flipped_bit_is_refused(place, bit):
    """A medium that flips one bit anywhere, header included, is caught."""
    spoiled = bytearray(SAMPLE)
    spoiled[place] ^= 1 << bit

    with pytest.raises(JournalError, match="digest does not match"):
        parse(bytes(spoiled))


@given(st.integers(0, len(SAMPLE) - 1))
def test_a_cut_journal_is_refused(length):
    """Half a journal is none."""
    with pytest.raises(JournalError, match="cut or altered"):
        parse(SAMPLE[:length])


def test_a_newer_journal_is_named_as_such():
    """After a downgrade of the agent the message says who wrote the file."""
    newer = b"otabridge-journal %d %s\n{}" % (VERSION + 1, _digest(VERSION + 1, b"{}"))

    with pytest.raises(JournalError, match="version 2, this agent reads up to 1: a newer agent wrote it"):
        parse(newer)


def test_a_document_of_another_shape_is_refused():
    """A digest that holds does not make any document a record."""
    with pytest.raises(JournalError, match=r"no record: .*`state`|no record: .*state"):
        parse(b"otabridge-journal 1 %s\n%s" % (_digest(1, b'{"state":7}'), b'{"state":7}'))


def test_only_the_last_conclusions_are_remembered():
    """The list of ended offers is bounded; the oldest goes."""
    report = Report(Outcome.INSTALLED, "b", "2.0.0")
    record = Record()
    for number in range(MAX_CONCLUDED + 1):
        record = record.concluding(Conclusion(f"job-{number}", "", report))

    assert len(record.concluded) == MAX_CONCLUDED
    assert record.conclusion("job-0", "") is None
    assert record.conclusion("job-1", "") == report


def test_an_unusable_file_is_kept_for_a_person():
    """The next write replaces the journal, the copy beside it stays."""
    disk = SystemDisk(SimulatedKernel())
    disk.replace(PATH, b"garbage")
    journal = Journal(disk, PATH)
    with pytest.raises(JournalError, match="journal /state/journal is not usable: its digest"):
        journal.load()

    copy = journal.set_aside()
    journal.keep(Record(floor=3))

    assert disk.read(copy) == b"garbage"
    assert parse(disk.read(PATH) or b"").floor == 3


@pytest.mark.parametrize("call", ["write", "sync", "rename"])
def test_a_failed_write_names_the_file_and_keeps_the_record(call):
    """What is in memory is what is on the disk, also when the disk is full."""
    kernel = SimulatedKernel()
    journal = Journal(SystemDisk(kernel), PATH)
    journal.keep(Record(floor=2))
    kernel.faults[f"{call} journal"] = OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(JournalError, match="journal /state/journal cannot be written: No space left"):
        journal.keep(msgspec.structs.replace(journal.record, floor=3))

    assert journal.record.floor == 2


def test_a_journal_that_cannot_be_read_is_not_taken_for_empty():
    """An I/O error is no reason to forget the floor: neither reading nor setting aside goes on."""
    kernel = SimulatedKernel()
    journal = Journal(SystemDisk(kernel), PATH)
    journal.keep(Record(floor=2))
    kernel.faults["read journal"] = OSError(errno.EIO, "Input/output error")

    with pytest.raises(JournalError, match="cannot be read: Input/output error"):
        journal.load()
    with pytest.raises(JournalError, match="cannot be read"):
        journal.set_aside()
