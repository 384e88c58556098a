"""Reads a whole image once: its sha256, and of each block a hash and whether it says anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridge.delta.image_file import ImageFile
from bridge.delta.steps import BLOCK_BYTES
from bridge.release.image import Image

WORDS = BLOCK_BYTES // 8
LONGEST_PERIOD = 16
"""In words of 8 bytes: a block that repeats within so many words is monotonous."""

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Survey:
    """An image, and its whole blocks of 4 KiB: a 64-bit hash of each, which are zero, which repeat a short pattern.

    Equal blocks have equal hashes; the reverse must be looked up. Zero blocks are monotonous as well.
    """

    image: Image
    hashes: Hashes
    zero: Mask
    monotonous: Mask


def survey(image: ImageFile, advance: Callable[[int], None]) -> Survey:
    """Read `image`, telling `advance` each number of bytes read.

    Raises: UsageError where it cannot be read, or has changed.
    """
    sha256, parts = hashlib.sha256(), []
    for piece in image.pieces():
        sha256.update(piece)
        parts.append(_blocks(piece))
        advance(len(piece))
    hashes, zero, monotonous = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Survey(Image(image.length, sha256.hexdigest()), hashes, zero, monotonous)


def _factors() -> Hashes:
    """Odd numbers, the same on every machine."""
    stream = hashlib.shake_256(b"otabridge blocks").digest(8 * WORDS)
    return np.frombuffer(stream, "<u8").astype(np.uint64) | np.uint64(1)


FACTORS = _factors()


def _blocks(piece: bytes) -> tuple[Hashes, Mask, Mask]:
    words = np.frombuffer(piece, "<u8", len(piece) // BLOCK_BYTES * WORDS).reshape(-1, WORDS)
    hashes = words @ FACTORS
    monotonous = np.zeros(len(words), bool)
    for period in range(1, LONGEST_PERIOD + 1):
        likely = np.flatnonzero((words[:, 0] == words[:, period]) & (words[:, 1] == words[:, 1 + period]) & ~monotonous)
        monotonous[likely] = (words[likely, period:] == words[likely, :-period]).all(axis=1)
    zero = monotonous & (hashes == 0)
    zero[zero] = ~words[zero].any(axis=1)
    return hashes, zero, monotonous
