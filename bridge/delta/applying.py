"""Applies a payload on this machine with the device's own applier, from a file into a file or into nothing.

header = read_header(payload)
pieces = apply(chunks(payload), old, expected_of(header))
write_image(pieces, output)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from bridge.delta.container import NO_SOURCE
from bridge.errors import UsageError
from bridge.release.delta.apply import ZEROS, Applier, Expected
from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.header import FIXED_BYTES, Header, decode_header, rest_of_header
from bridge.release.delta.spans import Source
from bridge.release.errors import ReleaseError
from bridge.release.image import Image

CHUNK_BYTES = 256 * 1024
"""Of the payload, read at once."""
MEMORY = 1 << 30
"""Bytes that this machine grants a payload, sixteen times what a device does unless it is configured."""

Advance = Callable[[int], None]
"""Called with the number of payload bytes that were applied since the last call."""


def read_header(payload: BinaryIO) -> Header:
    """The header at the start of `payload`, which is then at its first frame. Raises: MalformedPayload."""
    fixed = take(payload, FIXED_BYTES)
    return decode_header(fixed + take(payload, rest_of_header(fixed)))


def take(payload: BinaryIO, count: int) -> bytes:
    """The next `count` bytes. Raises: MalformedPayload where the payload ends before."""
    data = payload.read(count)
    if len(data) != count:
        raise MalformedPayload(f"the payload is cut: it ends after {payload.tell()} bytes")
    return data


def expected_of(header: Header) -> Expected:
    """The images that a payload says it is about, for whoever has no signed description of it."""
    terms = header.terms
    old = Image(terms.old_length, header.old_sha256.hex()) if terms.old_length else None
    return Expected(Image(terms.new_length, header.new_sha256.hex()), old)


def chunks(payload: BinaryIO, advance: Advance) -> Iterator[bytes]:
    """All of `payload` from its start on; `advance` hears of each chunk once the next is wanted. Raises: UsageError."""
    payload.seek(0)
    while chunk := _read(payload):
        yield chunk
        advance(len(chunk))


def _read(payload: BinaryIO) -> bytes:
    try:
        return payload.read(CHUNK_BYTES)
    except OSError as error:
        raise UsageError(f"payload {payload.name} cannot be read: {error.strerror}") from error


def apply(
    payload: Iterable[bytes], expected: Expected, old: Source = NO_SOURCE, *, memory: int = MEMORY
) -> Iterator[bytes]:
    """The pieces of the new image, in order, in at most `memory` bytes; its sha256 is checked after the last one.

    Raises: MalformedPayload, AlteredPayload, OversizedPayload, ForeignSource, ForeignZlib; and what `old` raises.
    """
    applier = Applier(old, expected, memory=memory)
    for chunk in payload:
        yield from applier.feed(chunk)
    applier.finish()


def write_image(pieces: Iterable[bytes], output: BinaryIO) -> None:
    """Write `pieces` to an empty file; long runs of zero bytes become holes in it, where the file system has such."""
    for piece in pieces:
        if piece is ZEROS:
            output.seek(len(piece), 1)
        else:
            output.write(piece)
    output.truncate()


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Refusals of a payload say which one it is."""
    try:
        yield
    except ReleaseError as error:
        raise type(error)(f"{what}: {error}") from error
