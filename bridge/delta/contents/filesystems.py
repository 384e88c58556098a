"""Squashfs images inside an image: their packed blocks as candidates, or a note why there are none."""

from __future__ import annotations

import struct

from bridge.delta.contents.candidates import Candidate, Found, What, lz4_way, zlib_way
from bridge.delta.contents.squashfs import Compressor, Squashfs
from bridge.delta.contents.squashfs_blocks import METADATA_BYTES, Damaged, packed_blocks
from bridge.release.delta.packing import Packing
from bridge.release.delta.spans import Source

_GZIP_OPTIONS = struct.Struct("<IHH")
_LZ4_OPTIONS = struct.Struct("<II")
LZ4_IS_HC = 1
HC_LEVEL = 12
"""`mksquashfs -Xhc` packs with LZ4HC_CLEVEL_MAX."""
USUAL_GZIP = (9, 15, 1)
"""Level, window bits, and strategies as a set of bits, of `mksquashfs -comp gzip`."""
STRATEGIES = range(5)
MAX_LEVEL = 9
WINDOWS = range(9, 16)


def blocks_of(image: Source, found: Squashfs) -> Found:
    """The candidates of a squashfs."""
    ways = _ways(found)
    if not ways:
        return Found([], [_advice(found)])
    try:
        blocks = packed_blocks(image, found, lambda stored: ways[0].unpack_up_to(stored, METADATA_BYTES))
    except Damaged as error:
        return Found([], [f"{error}; it is taken as plain bytes"])
    return Found([Candidate(offset, length, most, ways, What.SQUASHFS) for offset, length, most in blocks])


def _ways(found: Squashfs) -> tuple[Packing, ...]:
    if found.compressor is Compressor.LZ4 and len(found.options) >= _LZ4_OPTIONS.size:
        is_hc = _LZ4_OPTIONS.unpack_from(found.options)[1] & LZ4_IS_HC
        return (lz4_way(HC_LEVEL if is_hc else 0),)
    if found.compressor is not Compressor.GZIP:
        return ()
    level, window, strategies = _GZIP_OPTIONS.unpack_from(found.options) if found.options else USUAL_GZIP
    if not 1 <= level <= MAX_LEVEL or window not in WINDOWS:
        return ()
    return tuple(zlib_way(level, window, strategy) for strategy in STRATEGIES if (strategies or 1) >> strategy & 1)


def _advice(found: Squashfs) -> str:
    return (
        f"a squashfs of {found.length} bytes at byte {found.offset} is packed with {found.compressor.name.lower()}, "
        "which cannot be packed again bit by bit, so that a small change in a file changes whole blocks; built with "
        "`mksquashfs -comp gzip`, or with `-comp lz4`, it would make deltas several times smaller"
    )
