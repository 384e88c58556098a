"""What the survey of an image sees, and what of it is found again in another."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bridge.delta.identical import identical_pieces, verified, zero_pieces
from bridge.delta.pieces import ZERO
from bridge.delta.steps import BLOCK_BYTES
from bridge.delta.survey import survey
from bridge.errors import UsageError
from tests.bridge.delta.pairs import noise

A, B, C, D = (noise(seed, BLOCK_BYTES) for seed in range(4))
NOTHING = bytes(BLOCK_BYTES)


def surveys_of(images):
    """Both surveys."""
    return survey(images.old, lambda _: None), survey(images.new, lambda _: None)


def found_in(images):
    """The identical pieces, in blocks."""
    old, new = surveys_of(images)
    pieces = verified(identical_pieces(old, new), images.old, images.new)
    return [tuple(value // BLOCK_BYTES for value in row) for row in pieces.rows()]


def test_survey_hashes_the_image_and_tells_dull_blocks(images_of):
    """Zero blocks, blocks that repeat a short pattern, and all others; an end that is no whole block is only hashed."""
    data = A + NOTHING + b"\xff" * BLOCK_BYTES + (b"0123456789ab" * 400)[:BLOCK_BYTES] + B + b"end"
    seen, _ = surveys_of(images_of(data, A))

    assert (seen.image.length, seen.image.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert seen.zero.tolist() == [False, True, False, False, False]
    assert seen.monotonous.tolist() == [False, True, True, True, False]
    assert len(set(seen.hashes.tolist())) == 5


@pytest.mark.parametrize("period", [1, 2, 3, 5, 8, 12, 16, 24, 28, 32, 48, 60, 64, 104, 128])
def test_short_patterns_of_any_period_are_dull(images_of, period):
    """All periods up to 16 bytes, and longer ones that fit machine words."""
    block = (noise(period, period) * BLOCK_BYTES)[:BLOCK_BYTES]
    seen, _ = surveys_of(images_of(block, A))

    assert seen.monotonous.all()


def test_progress_counts_every_byte(images_of):
    """What a bar shows ends where the image ends."""
    seen = []
    survey(images_of(noise(1, 3_000_001), A).old, seen.append)

    assert sum(seen) == 3_000_001


def test_blocks_are_found_where_they_were_or_anywhere(images_of):
    """Same place, moved, or repeated; zero blocks are not looked for."""
    assert found_in(images_of(A + B + C + NOTHING, A + C + B + NOTHING + B + D)) == [
        (0, 1, 0),
        (1, 1, 2),
        (2, 1, 1),
        (4, 1, 1),
    ]


def test_blocks_go_on_where_their_neighbours_lead(images_of):
    """A block that occurs often is taken from where the block before, or after, was found: one long piece."""
    assert found_in(images_of(A + B + C + B + D, NOTHING + NOTHING + C + B + D)) == [(2, 3, 2)]
    assert found_in(images_of(B + A + D + D + D + B + C, D + NOTHING * 4 + B + C)) == [(0, 1, 2), (5, 2, 5)]


def test_image_without_a_whole_block_is_no_trouble(images_of):
    """Nothing is found, nothing fails."""
    assert found_in(images_of(b"short", b"shorter")) == []
    assert found_in(images_of(b"short", A)) == []


def test_equal_hashes_alone_prove_nothing(images_of):
    """Blocks that differ under the same hash are taken out of the pieces that they were in."""
    images = images_of(A + B + C, A + D + C)
    old, new = surveys_of(images)
    new.hashes[:] = old.hashes

    assert identical_pieces(old, new).rows() == [(0, 3 * BLOCK_BYTES, 0)]
    assert verified(identical_pieces(old, new), images.old, images.new).rows() == [
        (0, BLOCK_BYTES, 0),
        (2 * BLOCK_BYTES, BLOCK_BYTES, 2 * BLOCK_BYTES),
    ]


def test_zero_blocks_are_pieces(images_of):
    """Runs of them, wherever they are."""
    _, new = surveys_of(images_of(A, NOTHING * 2 + A + NOTHING + b"end"))

    assert zero_pieces(new).rows() == [(0, 2 * BLOCK_BYTES, ZERO), (3 * BLOCK_BYTES, BLOCK_BYTES, ZERO)]
    assert np.array_equal(new.zero, [True, True, False, True])


def test_image_that_shrinks_while_it_is_read_is_told(images_of):
    """Never half of an image."""
    images = images_of(noise(2, 3 << 20), A)
    images.old.path.write_bytes(A)

    with pytest.raises(UsageError, match=r"old\.bin changed while it was read; start again"):
        survey(images.old, lambda _: None)
