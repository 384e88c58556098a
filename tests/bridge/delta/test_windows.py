"""Windows have what a group resembles, and nothing that makes bsdiff slow."""

from __future__ import annotations

from bridge.delta.anchors import AnchorIndex, sample
from bridge.delta.groups import groups_of
from bridge.delta.pieces import Extents, column, pieces_of
from bridge.delta.survey import survey
from bridge.delta.windows import Plan, Windows, telling_extents
from tests.bridge.delta.pairs import noise

BLOCK = 4096


def extents(*ranges):
    """From pairs of start and end."""
    return Extents(column([a for a, _ in ranges]), column([b for _, b in ranges]))


def ranges_of(found):
    """Pairs of start and end."""
    return list(zip(found.start.tolist(), found.end.tolist(), strict=True))


def test_groups_are_full_and_lose_nothing():
    """Extents are cut where a group is full; each knows where its neighbours came from."""
    left = extents((0, 10), (20, 55), (60, 61))
    found = pieces_of([(10, 10, 1010), (55, 5, 3)])
    groups = list(groups_of(left, found, 20))

    assert [ranges_of(group.extents) for group in groups] == [[(0, 10), (20, 30)], [(30, 50)], [(50, 55), (60, 61)]]
    assert groups[0].shifts.tolist() == [[0, 1000, 1000], [0, 1000, -52]]
    assert groups[2].shifts.tolist() == [[0, 1000, -52], [0, -52, -52]]


def test_group_without_any_neighbour_has_the_same_place():
    """Nothing else is known of it."""
    (group,) = groups_of(extents((3, 9)), pieces_of([]), 20)

    assert group.shifts.tolist() == [[0]]


def windows_of(images):
    """Windows of the old image for the new one, and the group that is all of it."""
    old = survey(images.old, lambda _: None)
    index = AnchorIndex(sample(images.old, telling_extents(old), 6))
    everything = extents((0, images.new.length))
    (group,) = groups_of(everything, pieces_of([]), 1 << 30)
    return Windows(old, index.matches(sample(images.new, everything, 6))), group


def test_window_is_where_anchors_vote(images_of):
    """Content from far away is in the window, as far as there is room; places without votes are not."""
    content = noise(1, 64 << 10)
    old = noise(2, 1 << 20) + content + noise(3, 1 << 20)
    windows, group = windows_of(images_of(old, content))
    chosen = ranges_of(windows.window(group, Plan(8, 1 << 20)))

    assert any(start <= 1 << 20 and end >= (1 << 20) + len(content) for start, end in chosen)
    assert sum(end - start for start, end in chosen) < 200_000
    assert len(ranges_of(windows.window(group, Plan(8, 0)))) == 2
    assert ranges_of(windows.window(group, Plan(1 << 20, 1 << 30))) == [(0, len(content) + (8 << 10))]


def test_windows_have_no_dull_and_no_repeated_blocks(images_of):
    """They make bsdiff slow and tell it nothing; ranges that are no whole block stay."""
    a, b = noise(4, BLOCK), noise(5, BLOCK)
    windows, _ = windows_of(images_of(a + bytes(BLOCK * 3) + b + a + b"\xff" * BLOCK + b[:100] + a[:77], a))

    assert ranges_of(windows.whole()) == [(0, BLOCK), (4 * BLOCK, 5 * BLOCK), (7 * BLOCK, 7 * BLOCK + 177)]


def test_anchors_are_taken_where_content_is_new(images_of):
    """Once of repeated blocks, never of dull ones."""
    a = noise(6, BLOCK)
    found = telling_extents(survey(images_of(a + bytes(BLOCK) + a + b"end", a).old, lambda _: None))

    assert ranges_of(found) == [(0, BLOCK), (3 * BLOCK, 3 * BLOCK + 3)]
