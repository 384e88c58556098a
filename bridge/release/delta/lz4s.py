"""Blocks of LZ4, through the package `lz4`: it is looked for when a payload names them, and only then."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from bridge.release.delta.errors import ForeignLz4, MalformedPayload

FAST = 0
"""Stands for `LZ4_compress_default`."""
LEVELS = range(13)
"""`FAST`, and those of `LZ4_compress_HC`."""


def pack(raw: bytes | bytearray, level: int) -> bytes:
    """`raw` as one block. Raises: ForeignLz4 where there is no LZ4."""
    mode = "default" if level == FAST else "high_compression"
    packed: bytes = _block().compress(raw, mode=mode, compression=level, store_size=False)
    return packed


def unpack(stored: bytes, most: int) -> bytes:
    """What `stored`, one block, holds.

    Raises: MalformedPayload where it is none, or holds more than `most`; ForeignLz4 where there is no LZ4.
    """
    block = _block()
    try:
        raw: bytes = block.decompress(stored, uncompressed_size=most)
    except block.LZ4BlockError as error:
        raise MalformedPayload(f"the payload takes bytes for an LZ4 block that are none: {error}") from error
    return raw


def name() -> str:
    """The library and its version, for people."""
    import lz4

    return f"LZ4 {lz4.library_version_string()}"


def _block() -> ModuleType:
    try:
        return import_module("lz4.block")
    except ImportError as error:
        raise ForeignLz4(
            "this device has no LZ4 (the Python package lz4), which the payload packs with: install it, or take the "
            "full artifact"
        ) from error
