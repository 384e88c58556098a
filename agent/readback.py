"""Reads a slot back: what was written is what was signed, or it is never booted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from agent.slotfile import SlotFile
from bridge.release.errors import FailureCode, SlotError
from bridge.release.image import Image

READ_BYTES = 1024 * 1024


class SlotMismatch(SlotError):
    """The slot gave back other bytes than those that were signed."""

    code = FailureCode.SLOT_MISMATCH


def check_image(slot: SlotFile, image: Image, show: Callable[[int], None]) -> None:
    """Read `image` back from `slot` and compare its sha256; `show` is told the bytes read so far.

    Raises:
        SlotMismatch: the slot holds something else, or less.
        SlotError: the device failed.
    """
    seen = hashlib.sha256()
    offset = 0
    for chunk in _content(slot, image.length):
        seen.update(chunk)
        offset += len(chunk)
        show(offset)
    if offset != image.length or seen.hexdigest() != image.sha256:
        raise SlotMismatch(
            f"the slot gave back {offset} bytes with sha256 {seen.hexdigest()}; {image.length} bytes with sha256 "
            f"{image.sha256} were written: its medium may be failing"
        )


def _content(slot: SlotFile, length: int) -> Iterator[bytes]:
    offset = 0
    while chunk := slot.read(offset, min(READ_BYTES, length - offset)):
        offset += len(chunk)
        yield chunk
