"""The journal gives back what it was given, or says why not."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.disk import SystemDisk
from agent.slots import Slot
from agent.update.journal import VERSION, Journal, JournalError, NewerJournal, Unfinished, _digest, parse, render
from agent.update.machine import Event, State
from agent.update.record import MAX_CONCLUDED, Boots, Conclusion, Holding, Plan, Record, StepPlan, Unusable, Update
from bridge.release.delta.checkpoint import Checkpoint
from bridge.release.errors import FailureCode
from bridge.release.image import Image
from bridge.release.manifest import Artifact
from bridge.release.report import Outcome, Report
from bridge.release.step import Place, Step
from tests.agent.power import SimulatedKernel

PATH = Path("/state/journal")
COUNTS = st.integers(0, 2**40)
NAMES = st.text(max_size=20)
IMAGES = st.builds(Image, COUNTS, st.just("ab" * 32))
REPORTS = st.builds(
    Report, st.just(Outcome.FAILED), NAMES, NAMES, st.sampled_from(FailureCode), NAMES, COUNTS, NAMES, COUNTS
)
HOLDINGS = st.builds(
    Holding, NAMES, NAMES, COUNTS, COUNTS, st.none() | IMAGES, st.lists(NAMES, max_size=3).map(tuple), st.booleans()
)
ARTIFACTS = st.builds(Artifact, st.just("rootfs.full"), COUNTS, st.just("cd" * 32), IMAGES, source=st.none() | IMAGES)
STEPS = st.builds(
    Step,
    st.sampled_from(["boot", "app"]),
    st.sampled_from(["script", "package"]),
    st.sampled_from(Place),
    st.dictionaries(st.sampled_from(["unit", "path"]), st.text("az09./", max_size=20)),
    st.booleans(),
)
STEP_PLANS = st.lists(st.builds(StepPlan, STEPS, ARTIFACTS), max_size=3).map(tuple)
PLANS = st.builds(
    Plan, st.sampled_from(Slot), HOLDINGS, st.none() | ARTIFACTS, COUNTS, NAMES, STEP_PLANS, COUNTS, st.booleans()
)
INDICES = st.integers(0, 2**20)
CHECKPOINTS = st.builds(Checkpoint, COUNTS, COUNTS, INDICES, INDICES, st.text("AZaz09+/", max_size=96))
UPDATES = st.builds(
    Update,
    NAMES,
    NAMES,
    st.none() | PLANS,
    CHECKPOINTS,
    NAMES,
    COUNTS,
    st.none() | REPORTS,
    staged=COUNTS,
    begun=COUNTS,
    ended=COUNTS,
    undone_in=NAMES,
)
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
    st.none() | st.sampled_from(Slot),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.lists(st.builds(Conclusion, NAMES, NAMES, REPORTS), max_size=3).map(tuple),
    st.builds(Boots, COUNTS, COUNTS),
    st.builds(Boots, COUNTS, COUNTS),
    NAMES,
    st.builds(Unusable, NAMES, st.dictionaries(NAMES, NAMES, max_size=3)),
)
COPIES = (Path("/state/journal.0"), Path("/state/journal.1"))
SAMPLE = render(Record(State.WRITING, Update("job-1", "ef" * 32), roots=(b"root",)))


def written(document: bytes, version: int = VERSION) -> bytes:
    """A sound copy of a journal of `version` that holds `document`."""
    return b"otabridge-journal %d 1 %s\n%s" % (version, _digest(version, 1, document), document)


def loaded(disk: SystemDisk) -> Record:
    """What a new agent would find."""
    journal = Journal(disk, PATH)
    journal.load()
    return journal.record


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
    with pytest.raises(NewerJournal, match="version 3, this agent reads up to 2: a newer agent wrote it"):
        parse(written(b"{}", version=VERSION + 1))


def test_what_an_older_agent_needs_is_read_of_any_version():
    """Floor, roots, slots, count of fallbacks, time and the open offer; whatever else there is, in whatever shape."""
    document = (
        b'{"state":"levitating","floor":7,"roots":["cm9vdA=="],"fallbacks":2,"expected":"b","seen":"2026-03-01T12:00:00Z",'
        b'"update":{"offer":"job-1","digest":"ef","plan":[1]},"b":{"version":"2.0.0","colour":"blue"},"concluded":5}'
    )

    with pytest.raises(NewerJournal) as caught:
        parse(written(document, version=VERSION + 1))

    legacy = caught.value.legacy
    assert (legacy.floor, legacy.roots, legacy.fallbacks, legacy.expected) == (7, (b"root",), 2, Slot.B)
    assert (legacy.update, legacy.b) == (Unfinished("job-1", "ef", [1]), Holding(version="2.0.0"))
    assert legacy.record().seen == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_fields_of_a_newer_agent_are_passed_over():
    """Within one version a newer agent may have added something."""
    document = msgspec.json.encode({**msgspec.to_builtins(Record(floor=3)), "mood": "good"})

    assert parse(written(document)) == Record(floor=3)


def test_a_state_that_only_a_newer_agent_knows_is_no_reason_to_forget():
    """The version is ours, a word in it is not: what matters is read all the same."""
    with pytest.raises(NewerJournal, match="no record of this agent: Invalid enum value 'levitating'") as caught:
        parse(written(b'{"state":"levitating","floor":7}'))

    assert caught.value.legacy.floor == 7


def test_a_document_of_another_shape_is_refused():
    """A digest that holds does not make any document a record."""
    with pytest.raises(JournalError, match=r"no record: .*floor"):
        parse(written(b'{"floor":"high"}'))


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
    disk.replace(COPIES[0], b"garbage")
    journal = Journal(disk, PATH)
    with pytest.raises(JournalError, match=r"journal /state/journal\.0 is not usable: its digest"):
        journal.load()

    copies = journal.set_aside()
    journal.keep(Record(floor=3))

    assert [disk.read(copy) for copy in copies] == [b"garbage"]
    assert loaded(disk).floor == 3


def test_the_newest_copy_that_can_be_used_holds():
    """A medium that spoils one copy costs one step, which is taken again; the next write replaces what is spoiled."""
    kernel = SimulatedKernel()
    disk = SystemDisk(kernel)
    journal = Journal(disk, PATH)
    for floor in (2, 3, 4):
        journal.keep(Record(floor=floor))
    kernel.spoil(COPIES[0], 120)

    before = loaded(disk)
    again = Journal(disk, PATH)
    again.load()
    again.keep(Record(floor=5))

    assert (before.floor, loaded(disk).floor) == (3, 5)
    assert parse(kernel.content(COPIES[0])).floor == 5


def test_an_update_is_forgotten_in_memory_when_the_disk_is_full():
    """Nothing of the write got through: what stands is what the agent would resume from anyway."""
    kernel = SimulatedKernel()
    journal = Journal(SystemDisk(kernel), PATH)
    journal.keep(Record(State.WRITING, Update("job-1")))
    kernel.faults["write journal"] = OSError(errno.ENOSPC, "No space left on device")

    journal.forget_update()

    assert journal.record == Record()


def test_a_write_that_may_have_got_through_is_not_passed_over():
    """A file was renamed and that not synced: it may say more than memory, so nothing is told before it is right."""
    kernel = SimulatedKernel()
    journal = Journal(SystemDisk(kernel), PATH)
    journal.keep(Record(State.CHECKING, Update("job-1")))
    kernel.faults["sync folder"] = OSError(errno.EIO, "Input/output error")
    with pytest.raises(JournalError, match="cannot be written"):
        journal.move(Event.MATCHED, journal.record)

    with pytest.raises(JournalError, match="what it holds is not sure to last"):
        journal.forget_update()
    kernel.faults.clear()
    journal.forget_update()

    assert loaded(SystemDisk(kernel)).update is None


@pytest.mark.parametrize("call", ["write", "sync", "rename"])
def test_a_failed_write_names_the_file_and_keeps_the_record(call):
    """What is in memory is what is on the disk, also when the disk is full."""
    kernel = SimulatedKernel()
    journal = Journal(SystemDisk(kernel), PATH)
    journal.keep(Record(floor=2))
    kernel.faults[f"{call} journal"] = OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(JournalError, match=r"journal /state/journal\.1 cannot be written: No space left"):
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
