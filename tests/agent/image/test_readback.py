"""A slot is read back from its medium, past every cache, while what was read before is hashed."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from agent.disk import SystemDisk
from agent.image.readback import STRIDE, Seen, SlotMismatch, Trailing, check_image
from agent.image.slotfile import SlotMedium, opened_medium
from agent.kernel import Linux
from agent.medium import PIECE_BYTES
from agent.pace import StopRequested
from bridge.release.errors import SlotError
from bridge.release.image import Image
from tests.releases import image_of, sha256

IMAGE = Random(8).randbytes(12 * PIECE_BYTES + 1234)


class Refusing(Linux):
    """A file system that does not know O_DIRECT, when it is opened or when it is read; it tells what it was told."""

    def __init__(self, *, at_open: bool) -> None:
        self._at_open = at_open
        self.forgotten: list[int] = []

    def open(self, path: Path, flags: int) -> int:
        """See Kernel."""
        if flags & os.O_DIRECT and self._at_open:
            raise OSError(errno.EINVAL, "Invalid argument")
        return super().open(path, flags)

    def read_into(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """See Kernel."""
        raise OSError(errno.EINVAL, f"Invalid argument {descriptor} {len(buffer)} {offset}")

    def forget(self, descriptor: int, offset: int, length: int) -> None:
        """See Kernel."""
        self.forgotten.append(offset)
        super().forget(descriptor, offset, length)


class Spoilt(Linux):
    """Harms what it reads at `at`, gives less of it, or fails."""

    def __init__(self, at: int, *, error: BaseException | None = None, short: bool = False) -> None:
        self._at, self._error, self._short = at, error, short

    def read_into(self, descriptor: int, buffer: memoryview, offset: int) -> int:
        """See Kernel."""
        count = super().read_into(descriptor, buffer, offset)
        if offset != self._at:
            return count
        if self._error is not None:
            raise self._error
        if self._short:
            return count // 2 - 7
        buffer[0] ^= 1
        return count


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A slot that holds IMAGE and more; no thread may be left."""
    slot = tmp_path / "slot"
    slot.write_bytes(IMAGE + b"\xff" * 5000)
    yield slot
    assert [each.name for each in threading.enumerate() if each.name in ("read back", "trail")] == []


def check(path: Path, kernel: Linux, image: Image | None = None, show=lambda _: None) -> None:
    """Read the slot back."""
    with opened_medium(SystemDisk(kernel), path) as medium:
        check_image(medium, image or image_of(IMAGE), show)


@pytest.mark.parametrize(
    "kernel",
    [Linux(), Refusing(at_open=True), Refusing(at_open=False), Spoilt(PIECE_BYTES, short=True)],
    ids=["direct", "not opened", "not read", "read in part"],
)
def test_what_was_written_is_read_back(path: Path, kernel: Linux):
    """All of it and nothing behind it; where direct reads are refused, what is cached is dropped before each read."""
    shown: list[int] = []

    check(path, kernel, show=shown.append)

    assert shown[-1] == len(IMAGE)
    if isinstance(kernel, Refusing):
        assert kernel.forgotten == list(range(0, len(IMAGE), PIECE_BYTES))


def test_one_bit_of_the_medium_is_enough(path: Path):
    """And the person reads what to suspect."""
    with pytest.raises(SlotMismatch, match="its medium may be failing"):
        check(path, Spoilt(3 * PIECE_BYTES))


def test_a_slot_that_ends_early_is_a_mismatch(path: Path):
    """Less than the image is never the image."""
    with pytest.raises(SlotMismatch, match=rf"gave back {len(IMAGE) + 5000} bytes"):
        check(path, Linux(), Image(1 << 30, image_of(IMAGE).sha256))


def test_an_error_of_the_medium_surfaces(path: Path):
    """As itself, naming slot and place; nothing hangs."""
    broken = Spoilt(PIECE_BYTES, error=OSError(errno.EIO, "Input/output error"))

    with pytest.raises(SlotError, match=rf"slot cannot be read at byte {PIECE_BYTES}: Input/output error"):
        check(path, broken)


def test_a_stop_ends_both_threads(path: Path):
    """Whoever of the two is asked to stop."""
    with pytest.raises(StopRequested):
        check(path, Spoilt(PIECE_BYTES, error=StopRequested()))

    def stop(_: int) -> None:
        raise StopRequested

    with pytest.raises(StopRequested):
        check(path, Linux(), show=stop)


class Sparse:
    """A large medium whose bytes are zeros but for `marks`; it counts the pieces read of it."""

    def __init__(self) -> None:
        self.marks: dict[int, int] = {}
        self.count = 0

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """See Medium."""
        self.count += 1
        buffer[:] = bytes(len(buffer))
        for at, mark in self.marks.items():
            if offset <= at < offset + len(buffer):
                buffer[at - offset] = mark
        return len(buffer)

    def close(self) -> None:
        """See Medium."""


def seen_early(medium: SlotMedium, durable: int) -> Seen:
    """What is read back while `durable` bytes become durable, one piece after the other."""
    trailing = Trailing(medium)
    reader = threading.Thread(target=trailing.run, name="trail")
    reader.start()
    for end in range(0, durable + 1, PIECE_BYTES):
        trailing.durable(end)
    deadline = threading.Event()
    while reader.is_alive() and durable - trailing.seen.offset >= PIECE_BYTES:
        deadline.wait(0.01)
    trailing.stop()
    reader.join()
    return trailing.seen


def test_what_was_read_early_is_not_read_again(path: Path):
    """Only what had not become durable by then, and a sample."""
    with opened_medium(SystemDisk(), path) as medium:
        seen = seen_early(medium, 5 * PIECE_BYTES + 17)
        assert seen.offset == 5 * PIECE_BYTES
        shown: list[int] = []
        check_image(medium, image_of(IMAGE), shown.append, seen)

    assert shown[0] == 6 * PIECE_BYTES
    assert shown[-1] == len(IMAGE)


def test_what_was_wrong_early_stays_wrong(path: Path):
    """Whatever the medium gives back later."""
    with opened_medium(SystemDisk(Spoilt(PIECE_BYTES)), path) as medium:
        seen = seen_early(medium, 3 * PIECE_BYTES)
    with opened_medium(SystemDisk(), path) as medium, pytest.raises(SlotMismatch, match="medium may be failing"):
        check_image(medium, image_of(IMAGE), lambda _: None, seen)


@pytest.mark.parametrize("at", [5, STRIDE * PIECE_BYTES + 4095], ids=["first", "next"])
def test_a_medium_that_writes_in_circles_is_found_out(at: int):
    """It held each byte when that was read, and lost the earlier ones afterwards: a few pieces are read again."""
    sparse, length = Sparse(), (STRIDE + 3) * PIECE_BYTES
    medium = SlotMedium(Path("slot"), sparse)
    whole = Seen()
    check_image(medium, Image(length, sha256(bytes(length))), lambda _: None, whole)
    seen, sparse.count = seen_early(medium, length), 0

    sparse.marks[at] = 1
    with pytest.raises(SlotMismatch, match=r"gives back other bytes at byte \d+ than it did while"):
        check_image(medium, Image(length, whole.hexdigest()), lambda _: None, seen)
    assert sparse.count <= 2


def test_an_early_error_is_left_to_the_check(path: Path):
    """The reader ends; whoever checks the slot meets the same."""
    broken = Spoilt(PIECE_BYTES, error=OSError(errno.EIO, "Input/output error"))
    with opened_medium(SystemDisk(broken), path) as medium:
        trailing = Trailing(medium)
        trailing.durable(len(IMAGE))
        with pytest.raises(SlotError, match=f"byte {PIECE_BYTES}"):
            trailing.run()
        with pytest.raises(SlotError, match=f"byte {PIECE_BYTES}"):
            check_image(medium, image_of(IMAGE), lambda _: None, trailing.seen)
