"""What ours is held against."""

from __future__ import annotations

import sys

from benchmarks.delta.tools import Tool, installed, program, said


def _xdelta3(name: str, *window: str) -> Tool:
    make = ("xdelta3", "-e", "-9", "-S", "lzma", *window, "-f", "-s", "{old}", "{new}", "{patch}")
    apply = ("xdelta3", "-d", *window[:2], "-f", "-s", "{old}", "{patch}", "{new}")
    return Tool(name, make, apply, said("xdelta3", "-V"))


def _zstd(level: int) -> Tool:
    options = ("-q", "-f", "--ultra", f"-{level}", "-T1", "--long=31")
    make = ("zstd", *options, "--patch-from", "{old}", "{new}", "-o", "{patch}")
    apply = ("zstd", "-q", "-d", "-f", "--long=31", "--patch-from", "{old}", "{patch}", "-o", "{new}")
    return Tool(f"zstd -{level} --patch-from", make, apply, said("zstd", "--version"))


def _hdiffpatch(codec: str) -> Tool:
    make = program("hdiffpatch_whole", "make", "{old}", "{new}", "{patch}", codec)
    apply = program("hdiffpatch_whole", "apply", "{old}", "{patch}", "{new}")
    return Tool(f"hdiffpatch {codec}", make, apply, installed("hdiffpatch"))


def _detools(name: str, kind: str, algorithm: str, codec: str) -> Tool:
    make = program("detools_patch", "make", "{old}", "{new}", "{patch}", kind, algorithm, codec)
    apply = program("detools_patch", "apply", "{old}", "{patch}", "{new}", kind)
    return Tool(f"detools {name}", make, apply, installed("detools"))


def _casync(kibibytes: int) -> Tool:
    average = str(kibibytes << 10)
    make = program("casync_chunks", "make", "{old}", "{new}", "{patch}", average)
    apply = program("casync_chunks", "apply", "{old}", "{patch}", "{new}", average)
    return Tool(f"casync, chunks of {kibibytes} KiB", make, apply, said("casync", "--version"))


BSDIFF = Tool(
    "bsdiff4, whole file",
    program("bsdiff4_whole", "make", "{old}", "{new}", "{patch}"),
    program("bsdiff4_whole", "apply", "{old}", "{patch}", "{new}"),
    installed("bsdiff4"),
)
RDIFF = Tool(
    "rdiff, zstd -19",
    program("rdiff_zstd", "make", "{old}", "{new}", "{patch}"),
    program("rdiff_zstd", "apply", "{old}", "{patch}", "{new}"),
    said("rdiff", "--version"),
)
FIXED = Tool(
    "blocks of 4 KiB",
    program("fixed_blocks", "make", "{old}", "{new}", "{patch}"),
    program("fixed_blocks", "apply", "{old}", "{patch}", "{new}"),
    said(sys.executable, "--version"),
)
PEERS = (
    _hdiffpatch("lzma2"),
    _hdiffpatch("zstd"),
    _hdiffpatch("bzip2"),
    _detools("hdiffpatch lzma", "hdiffpatch", "hdiffpatch", "lzma"),
    _detools("match-blocks lzma", "hdiffpatch", "match-blocks", "lzma"),
    _detools("sequential lzma", "sequential", "bsdiff", "lzma"),
    _detools("bsdiff bz2", "bsdiff", "bsdiff", "bz2"),
    BSDIFF,
    _zstd(19),
    _zstd(22),
    _xdelta3("xdelta3 -9 -S lzma"),
    _xdelta3("xdelta3 -9 -S lzma -B old", "-B", "{window}", "-W", "16777216"),
    RDIFF,
    FIXED,
    _casync(16),
    _casync(64),
)
XZ = Tool(
    "full image, xz -6",
    make=("sh", "-c", 'xz -6 -T1 -c "$0" > "$1"', "{new}", "{patch}"),
    apply=("sh", "-c", 'xz -dc "$0" > "$1"', "{patch}", "{new}"),
    version=said("xz", "--version"),
)
"""Not a peer: what shares are shares of."""
