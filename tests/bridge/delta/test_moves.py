"""Content that moved as it is is found by its anchors, at any alignment, to the last byte."""

from __future__ import annotations

import pytest

from bridge.delta.anchors import ANCHOR_BYTES, AnchorIndex, sample, shift_for
from bridge.delta.image_file import READ_BYTES
from bridge.delta.moves import exact_moves
from bridge.delta.pieces import Extents, column
from tests.bridge.delta.pairs import noise


def whole(image):
    """All of it."""
    return Extents(column([0]), column([image.length]))


def moves_in(images, least=2000, margin=0, extents=None, shift=6):
    """What moved."""
    index = AnchorIndex(sample(images.old, whole(images.old), shift))
    extents = extents or whole(images.new)
    return exact_moves(index.matches(sample(images.new, extents, shift)), extents, images, least, margin).rows()


@pytest.mark.parametrize("by", [1, 7, 8, 4095])
def test_equal_content_has_equal_anchors_at_any_shift(images_of, by):
    """Also across the borders of what is read at once."""
    content = noise(1, READ_BYTES + 50_000)
    images = images_of(content, noise(2, by) + content)
    old, new = (sample(image, whole(image), 6) for image in (images.old, images.new))
    moved = dict(zip((new.offsets - by).tolist(), new.hashes.tolist(), strict=True))

    assert len(content) / 64 * 0.9 < len(old.offsets) < len(content) / 64 * 1.1
    assert all(moved[at] == value for at, value in zip(old.offsets.tolist(), old.hashes.tolist(), strict=True))
    assert (old.offsets[1:] > old.offsets[:-1]).all()


def test_runs_of_equal_bytes_have_no_anchors(images_of):
    """They would all be the same, and tell nothing."""
    images = images_of(bytes(100_000), b"12345678" * 9000)

    assert not len(sample(images.old, whole(images.old), 1).offsets)
    assert not len(sample(images.new, whole(images.new), 1).offsets)
    assert not len(sample(images.new, Extents(column([3]), column([3 + ANCHOR_BYTES - 9])), 1).offsets)


def test_index_stays_bounded_whatever_the_image():
    """Anchors become sparser: of any length there are at most some eight million."""
    for length in (1, 300 << 20, 4 << 30, 1 << 40):
        assert length >> shift_for(length) <= 1 << 23


def test_moves_are_found_to_the_last_byte(images_of):
    """Two ranges that changed places, with new bytes around them."""
    first, second = noise(3, 30_001), noise(4, 50_003)
    images = images_of(b"a" * 99 + first + second, noise(5, 1000) + second + noise(6, 77) + first)

    assert moves_in(images) == [(1000, 50_003, 30_100), (51_080, 30_001, 99)]


def test_moves_end_at_the_first_difference_and_at_their_extent(images_of):
    """One byte differs in the middle; what lies outside the extents is not touched."""
    content = noise(7, 60_000)
    changed = content[:30_000] + bytes([content[30_000] ^ 1]) + content[30_001:]
    images = images_of(content, b"x" + changed)
    extents = Extents(column([5_001]), column([50_001]))

    assert moves_in(images) == [(1, 30_000, 0), (30_002, 29_999, 30_001)]
    assert moves_in(images, extents=extents) == [(5_001, 25_000, 5_000), (30_002, 19_999, 30_001)]


def test_margins_are_left_where_something_goes_on(images_of):
    """At an end that is no end of the extent; comparing continues from them."""
    content = noise(8, 20_000)

    assert moves_in(images_of(content, noise(9, 500) + content), margin=64) == [(564, 19_936, 64)]


def test_short_moves_are_left_to_comparing(images_of):
    """Below the least length nothing is taken out."""
    content = noise(10, 1999)

    assert moves_in(images_of(content, noise(11, 500) + content)) == []


def test_content_that_occurs_often_is_found_once_each(images_of):
    """Copies in the new image all come from the old one; none of them overlap."""
    content = noise(12, 9000)
    rows = moves_in(images_of(content, content[5:] + content + b"!" + content))

    assert [(start, length, source) for start, length, source in rows] == [
        (0, 8995, 5),
        (8995, 9000, 0),
        (17_996, 9000, 0),
    ]
