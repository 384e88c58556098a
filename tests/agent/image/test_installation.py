"""The stages of an installation, in turn and side by side: what goes wrong in one ends all; no promise is not kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from agent.cloud.channel import OfferWithdrawn
from agent.disk import SystemDisk
from agent.image.hose import Hose
from agent.image.imagewriter import ImageWriter, Pace
from agent.image.installation import FETCHED_BYTES, MADE_BYTES, Install, Stages, as_signed, in_turn, side_by_side
from agent.image.slotfile import SlotFile
from agent.image.source import NO_SOURCE
from agent.pace import StopRequested
from agent.update.journal import JournalError
from bridge.release.delta.apply import Applier, Expected
from bridge.release.delta.checkpoint import START, Checkpoint
from bridge.release.delta.errors import AlteredPayload, MalformedPayload
from bridge.release.errors import ChannelError, DownloadError, SlotError
from tests.releases import FRAME_BYTES, describe, image_of, whole

IMAGE = Random(5).randbytes(300_000) + bytes(2_500_000) + Random(6).randbytes(200_000)
PAYLOAD = whole(IMAGE)
CHUNK = 10_000
LENGTH = len(IMAGE)
JUNK = b"\xff" * (LENGTH + 1000)
BOTH = pytest.mark.parametrize("install", [in_turn, side_by_side], ids=lambda install: install.__name__)


class Unforeseen(BaseException):
    """What no code may handle, such as the end of the world."""


@dataclass
class Slot:
    """A slot in a file, which remembers what was done to it; `spoil` may raise before a write at an offset."""

    path: Path
    spoil: Callable[[int], None] = lambda _: None
    written: int = 0
    durable: int = 0
    kept: list[Checkpoint] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.write_bytes(JUNK)
        self._file = SystemDisk().open_slot(self.path)

    def write(self, offset: int, data: bytes) -> None:
        """See BlockFile."""
        self.spoil(offset)
        assert offset == self.written
        self._file.write(offset, data)
        self.written += len(data)

    def read(self, offset: int, length: int) -> bytes:
        """See BlockFile."""
        return self._file.read(offset, length)

    def length(self) -> int:
        """See BlockFile."""
        return self._file.length()

    def sync(self) -> None:
        """See BlockFile."""
        self._file.sync()
        self.durable = self.written

    def close(self) -> None:
        """See BlockFile."""
        self._file.close()

    def keep(self, checkpoint: Checkpoint) -> None:
        """What the journal would do: never a promise that is not kept, nor one that takes another back."""
        assert checkpoint.target <= self.durable
        assert not self.kept or checkpoint.target >= self.kept[-1].target
        self.kept.append(checkpoint)

    def content(self) -> bytes:
        """What is in the slot."""
        return self.path.read_bytes()


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    """A slot full of other bytes."""
    slot = Slot(tmp_path / "slot")
    yield slot
    slot.close()
    assert [each.name for each in threading.enumerate() if each.name in ("apply", "write")] == []


def chunks(data: bytes = PAYLOAD, start: int = 0) -> Iterator[bytes]:
    """`data` as it arrives."""
    for at in range(start, len(data), CHUNK):
        yield data[at : at + CHUNK]


def until(count: int, error: BaseException) -> Iterator[bytes]:
    """So many chunks, and then `error`."""
    for number, chunk in enumerate(chunks()):
        if number == count:
            raise error
        yield chunk


def stages(
    slot: Slot,
    fetched: Iterable[bytes],
    start: Checkpoint = START,
    show: Callable[[int], None] | None = None,
    keep: Callable[[Checkpoint], None] | None = None,
) -> Stages:
    """All three over `slot`."""
    slot.written = slot.durable = start.target
    applier = Applier(NO_SOURCE, Expected(image_of(IMAGE)), start=start, check_image=False)
    pace = Pace(64 * 1024, 1e9, lambda: 0.0)
    writer = ImageWriter(SlotFile(slot.path, slot), LENGTH, start, pace, keep or slot.keep)
    return Stages(fetched, applier, writer, show or slot.shown.append)


@BOTH
def test_an_image_comes_whole_and_in_order(install: Install, slot: Slot):
    """Byte for byte, its zeros over what was there, nothing beyond its end; checkpoints only of what is durable."""
    work = stages(slot, chunks())

    install(work)
    end = work.writer.finish()

    assert slot.content() == IMAGE + JUNK[LENGTH:]
    assert (end.payload, end.target) == (len(PAYLOAD), LENGTH)
    assert len(slot.kept) > 10
    assert slot.shown == sorted(slot.shown)


@BOTH
@pytest.mark.parametrize("error", [DownloadError("gave up"), ChannelError("offline"), StopRequested()], ids=repr)
def test_what_came_before_an_interruption_is_kept(install: Install, slot: Slot, error: BaseException):
    """Everything that was fetched is in the slot and marked; the next start goes on there."""
    with pytest.raises(type(error)):
        install(stages(slot, until(20, error)))

    kept = slot.kept[-1]
    assert slot.durable == slot.written == kept.target
    assert 20 * CHUNK - kept.payload < 60_000
    install(stages(slot, chunks(start=kept.payload), kept))
    assert slot.content()[:LENGTH] == IMAGE


@BOTH
def test_a_stop_between_two_writes_keeps_what_was_written(install: Install, slot: Slot):
    """The beat before a write may end the work."""

    def stop(offset: int) -> None:
        if offset > 200_000:
            raise StopRequested

    slot.spoil = stop
    with pytest.raises(StopRequested):
        install(stages(slot, chunks()))

    assert slot.kept[-1].target == slot.written


def failing_write(offset: int) -> None:
    """The medium fails after a while."""
    if offset > 100_000:
        raise OSError(5, "Input/output error")


def no_room(_: Checkpoint) -> None:
    """The journal is full."""
    raise JournalError("journal cannot be written")


def withdrawn(_: int) -> None:
    """The offer is gone."""
    raise OfferWithdrawn("the job was deleted")


def damaged() -> bytes:
    """A bit flipped."""
    return PAYLOAD[:200_000] + bytes([PAYLOAD[200_000] ^ 1]) + PAYLOAD[200_001:]


FAULTS: dict[str, tuple[Callable[[Slot], Stages], type[BaseException], str]] = {
    "fetching": (lambda slot: stages(slot, until(9, Unforeseen("the end"))), Unforeseen, "the end"),
    "the artifact": (
        lambda slot: stages(slot, as_signed(chunks(), describe(IMAGE, PAYLOAD[:-1]), START)),
        AlteredPayload,
        f"is longer than the {len(PAYLOAD) - 1} bytes signed",
    ),
    "applying": (lambda slot: stages(slot, chunks(damaged())), AlteredPayload, "damaged on the way"),
    "a cut payload": (lambda slot: stages(slot, chunks(PAYLOAD[:-100])), MalformedPayload, "the payload is cut"),
    "more than a payload": (lambda slot: stages(slot, chunks(PAYLOAD * 2)), MalformedPayload, "goes on after its last"),
    "keeping": (lambda slot: stages(slot, chunks(), keep=no_room), JournalError, "journal cannot be written"),
    "showing": (lambda slot: stages(slot, chunks(), show=withdrawn), OfferWithdrawn, "the job was deleted"),
}


@BOTH
@pytest.mark.parametrize(("make", "kind", "words"), FAULTS.values(), ids=FAULTS)
def test_an_error_of_any_stage_surfaces_as_itself(install: Install, slot: Slot, make, kind, words):
    """And all stages have stopped by then."""
    with pytest.raises(kind, match=words):
        install(make(slot))


@BOTH
def test_an_error_of_the_medium_is_that_of_the_slot(install: Install, slot: Slot):
    """It names slot and place, and no checkpoint promises what came after."""
    slot.spoil = failing_write
    with pytest.raises(SlotError, match=r"slot cannot be written at byte \d+: Input/output error"):
        install(stages(slot, chunks()))

    assert all(checkpoint.target <= slot.written for checkpoint in slot.kept)


def test_a_slow_disk_holds_up_the_network(slot: Slot):
    """Side by side, no more is fetched than the stages may hold: memory does not grow with the image."""
    noise = Random(7).randbytes(12 * 1024 * 1024)
    payload, fetched, most = whole(noise, 1024 * 1024), [0], [0]

    def fetch() -> Iterator[bytes]:
        for chunk in chunks(payload):
            fetched[0] += len(chunk)
            yield chunk

    def measure(offset: int) -> None:
        most[0] = max(most[0], fetched[0] - offset)

    slot.spoil = measure
    applier = Applier(NO_SOURCE, Expected(image_of(noise)), check_image=False)
    writer = ImageWriter(SlotFile(slot.path, slot), len(noise), START, Pace(1 << 20, 1e9, lambda: 0.0), slot.keep)

    side_by_side(Stages(fetch(), applier, writer, lambda _: None))

    assert slot.content()[: len(noise)] == noise
    assert most[0] <= FETCHED_BYTES + MADE_BYTES + 3 * 1024 * 1024


def test_over_a_slow_link_each_span_is_kept(slot: Slot):
    """A checkpoint that takes little of the time is kept at once; one that takes much of it waits for its frame."""
    now = [0.0]

    def kept_with(seconds_a_chunk: float, seconds_a_checkpoint: float) -> int:
        def fetch() -> Iterator[bytes]:
            for chunk in chunks():
                now[0] += seconds_a_chunk
                yield chunk

        def keep(checkpoint: Checkpoint) -> None:
            now[0] += seconds_a_checkpoint
            slot.keep(checkpoint)

        slot.kept.clear()
        work = stages(slot, fetch(), keep=keep)
        pace = Pace(1 << 30, 1e9, lambda: now[0])
        writer = ImageWriter(SlotFile(slot.path, slot), LENGTH, START, pace, keep)
        in_turn(Stages(work.chunks, work.applier, writer, work.show))
        return len(slot.kept)

    frames = 500_000 // FRAME_BYTES + 1
    assert kept_with(1.0, 0.01) > 40
    assert frames <= kept_with(0.01, 1.0) <= frames + 2


def test_a_writer_keeps_to_the_image(slot: Slot):
    """Whatever the payload says: not a byte is written beyond the image that was signed."""
    writer = ImageWriter(SlotFile(slot.path, slot), 10, START, Pace(1 << 20, 1e9, lambda: 0.0), slot.keep)
    writer.take(b"123456", START)

    with pytest.raises(AlteredPayload, match="more than the 10 bytes that were signed"):
        writer.take(b"78901", START)

    assert slot.written == 6


def test_a_broken_hose_ends_both_sides():
    """Who puts and who takes get the same error, the first one."""
    hose: Hose[bytes] = Hose(10, len)
    hose.put(b"12345")
    hose.break_off(SlotError("the medium is gone"))
    hose.break_off(DownloadError("later"))

    with pytest.raises(SlotError, match="the medium is gone"):
        hose.put(b"6")
    with pytest.raises(SlotError, match="the medium is gone"):
        next(iter(hose))


def test_an_item_larger_than_the_hose_goes_through_alone():
    """Or nothing ever would."""
    hose: Hose[bytes] = Hose(10, len)
    giver = threading.Thread(target=lambda: [hose.put(b"x" * 50), hose.put(b"y"), hose.end(whole=True)])
    giver.start()

    assert [len(item) for item in hose] == [50, 1]
    giver.join()
    assert hose.is_whole
