"""Streams of zlib, and members of gzip, anywhere in an image: as programs store them in files.

A gzip member is taken without its head and trailer, as raw deflate: what these hold is not zlib's to repeat.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial

from bridge.delta.contents.candidates import Candidate, Image, What, zlib_way

LEAST = 256
"""Bytes as stored from which on a stream is worth its operations."""
FIRST_BYTES = 4096
"""Read at first: most that looks like a stream ends in nonsense before."""
READ_BYTES = 256 << 10
ZLIB, RAW = 15, -15
"""Window bits."""
ZLIB_LEVELS = {0x01: (1,), 0x5E: (5, 3), 0x9C: (6,), 0xDA: (9, 8)}
"""By the second byte of a zlib stream, which tells the level roughly: those to try."""
GZIP_LEVELS = {2: (9,), 4: (1,)}
"""The same by the extra flags of a gzip head."""
USUAL = (6, 9)
BATCH = 256
"""Places that are looked at together."""
WORK = 4
"""Bytes unpacked in one search, for each of the image, after which it ends."""
HEAD_BYTES, TRAILER_BYTES = 10, 8
MAX_HEAD = 1024
HAS_CHECK, HAS_EXTRA, HAS_NAME, HAS_COMMENT, RESERVED = 2, 4, 8, 16, 0xE0

Seen = tuple[Candidate | None, int]
"""What is at a place, and how many bytes were unpacked to find out."""
Look = Callable[[Image, int, int], Seen]
"""Looks at a place of an image, for streams of at most so many bytes unpacked."""


def find_streams(image: Image, places: Sequence[int], look: Look, executor: Executor, most: int) -> Iterator[Candidate]:
    """The streams that `look` finds at `places`, in order, none inside another; fewer where it is too much to try."""
    end, left = 0, WORK * image.length + most
    for at in range(0, len(places), BATCH):
        batch = [place for place in places[at : at + BATCH] if place >= end]
        for found, work in executor.map(partial(_seen, look, image, most), batch):
            left -= work
            if found and found.offset >= end:
                end = found.end
                yield found
        if left < 0:
            return


def _seen(look: Look, image: Image, most: int, place: int) -> Seen:
    return look(image, place, most)


def zlib_at(image: Image, place: int, most: int) -> Seen:
    """The zlib stream that begins at `place`."""
    second = image.pread(place + 1, 1)
    levels = ZLIB_LEVELS.get(second[0]) if second else None
    return _stream(image, place, ZLIB, levels, most) if levels else (None, 0)


def gzip_at(image: Image, place: int, most: int) -> Seen:
    """What the gzip member packs that begins at `place`."""
    head = image.pread(place, MAX_HEAD)
    size = _head_size(head)
    if not size:
        return None, 0
    found, raw = _stream(image, place + size, RAW, GZIP_LEVELS.get(head[8], USUAL), most)
    if not found or raw > most:
        return found, raw
    length = image.pread(found.end, TRAILER_BYTES)[4:]
    return (found if length == (raw & 0xFFFFFFFF).to_bytes(4, "little") else None), raw


def _stream(image: Image, place: int, bits: int, levels: tuple[int, ...], most: int) -> Seen:
    """The stream there; one that unpacks to more than `most` counts as far as it was unpacked."""
    unpacker, at, raw, size = zlib.decompressobj(bits), place, 0, FIRST_BYTES
    while not unpacker.eof and raw <= most:
        data = image.pread(at, size)
        try:
            raw += len(unpacker.decompress(data, most + 1 - raw))
        except zlib.error:
            return None, raw
        if not data:
            return None, raw
        at, size = at + len(data), READ_BYTES
    length = at - place - len(unpacker.unused_data)
    if length < LEAST or not raw:
        return None, raw
    return Candidate(place, length, raw, tuple(zlib_way(level, bits) for level in levels), _WHAT[bits]), raw


_WHAT = {ZLIB: What.ZLIB, RAW: What.GZIP}


def _head_size(head: bytes) -> int:
    """Bytes of the head of a gzip member (RFC 1952), 0 where it is none, or too long."""
    if len(head) < HEAD_BYTES or head[3] & RESERVED:
        return 0
    at, flags = HEAD_BYTES, head[3]
    if flags & HAS_EXTRA:
        at += 2 + int.from_bytes(head[at : at + 2], "little")
    for flag in (HAS_NAME, HAS_COMMENT):
        if flags & flag:
            at = head.find(b"\0", at) + 1
            if not at:
                return 0
    at += 2 if flags & HAS_CHECK else 0
    return at if at <= len(head) else 0
