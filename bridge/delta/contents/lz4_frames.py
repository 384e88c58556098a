"""Legacy frames of LZ4, as in kernel images: blocks of 8 MiB, each packed on its own.

Format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md (Legacy frame). Nothing marks its end: what is no
block, or the first block that is not full, is the last.
"""

from __future__ import annotations

import struct

from bridge.delta.contents.candidates import Candidate, What, lz4_way
from bridge.release.delta.errors import MalformedPayload
from bridge.release.delta.spans import Source

BLOCK_BYTES = 8 << 20
MAX_PACKED = BLOCK_BYTES + BLOCK_BYTES // 255 + 16
"""LZ4_compressBound."""
LEVELS = (9, 12, 1)
"""Of `lz4 -l -9`, as kernels are packed, `-12`, and plain `lz4 -l`."""
_SIZE = struct.Struct("<I")


def frame_at(image: Source, place: int, end: int) -> list[Candidate]:
    """The blocks of the frame whose magic is at byte `place` of an image of `end` bytes, none where it is none."""
    blocks: list[Candidate] = []
    at = place + _SIZE.size
    while block := _block(image, at, end):
        candidate, raw = block
        blocks.append(candidate)
        at = candidate.end
        if raw < BLOCK_BYTES:
            break
    return blocks


def _block(image: Source, at: int, end: int) -> tuple[Candidate, int] | None:
    head = image.pread(at, _SIZE.size)
    length = _SIZE.unpack(head)[0] if len(head) == _SIZE.size else 0
    at += _SIZE.size
    if not 0 < length <= min(MAX_PACKED, end - at):
        return None
    ways = tuple(map(lz4_way, LEVELS))
    try:
        raw = len(ways[0].unpack_up_to(image.pread(at, length), BLOCK_BYTES))
    except MalformedPayload:
        return None
    return (Candidate(at, length, BLOCK_BYTES, ways, What.LZ4), raw) if raw else None
