"""Cohorts: stable order, another one for each rollout, exact counts, windows of buckets that neither overlap nor leave
anybody out.
"""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.planning.cohort import allot, offset, ranges, rank, ranked, share
from bridge.release.bucket import BUCKETS, Buckets, bucket
from tests.bridge.plans import ids

DEVICES = st.sets(st.text(min_size=1, max_size=8), max_size=60)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
POSITIONS = st.integers(0, BUCKETS)


def test_where_a_rollout_begins_to_count_is_the_documented_number():
    """Others can compute it: sha256 of the rollout's name, modulo 10000."""
    assert offset("gates") == int(hashlib.sha256(b"gates").hexdigest(), 16) % 10_000


def test_a_position_is_the_bucket_counted_from_there():
    """And the id, where two devices have one bucket."""
    assert rank("gates", "press-7") == ((bucket("press-7") - offset("gates")) % 10_000, "press-7")


@pytest.mark.parametrize(
    ("percent", "count", "expected"),
    [
        (10, 20, 2),
        (10, 21, 3),
        (1, 20, 1),
        (100, 20, 20),
        (50, 1, 1),
        (50, 0, 0),
        (33.3, 1000, 333),
        (0.1, 1000, 1),
        (55, 100, 55),
        (7, 100, 7),
    ],
)
def test_a_percentage_is_a_count_rounded_up(percent, count, expected):
    """Also where binary fractions would say 55.000000000000007."""
    assert share(percent, count) == expected


def test_rollouts_choose_different_canaries():
    """The same devices are not the first of every release."""
    canaries = {ranked(f"rollout-{number}", ids("d", 100))[0] for number in range(50)}

    assert len(canaries) > 20


@given(DEVICES)
def test_the_order_does_not_depend_on_that_of_the_list(devices):
    """Each device once, the first position first."""
    order = ranked("gates", sorted(devices))

    assert order == ranked("gates", [*sorted(devices, reverse=True), *devices])
    assert sorted(order) == sorted(devices)
    assert [rank("gates", device) for device in order] == sorted(rank("gates", device) for device in devices)


@given(NAMES, DEVICES, POSITIONS, POSITIONS)
def test_a_window_of_positions_is_one_or_two_ranges_of_buckets(name, devices, first, end):
    """Exactly the devices at those positions have such a bucket."""
    window = ranges(name, first, end)
    inside = {device for device in devices if first <= rank(name, device)[0] < end}

    assert inside == {device for device in devices if any(low <= bucket(device) <= high for low, high in window)}
    assert sum(high - low + 1 for low, high in window) == max(0, end - first)
    assert len(window) <= 2


@given(NAMES, st.lists(POSITIONS, max_size=6))
def test_windows_that_follow_each_other_cover_every_bucket_once(name, cuts):
    """Nobody is left out, nobody is in two stages."""
    bounds = [0, *sorted(cuts), BUCKETS]
    windows = [window for first, end in itertools.pairwise(bounds) for window in ranges(name, first, end)]

    assert sum(window.last - window.first + 1 for window in windows) == BUCKETS
    ordered = sorted(windows)
    assert all(before.last < after.first for before, after in itertools.pairwise(ordered))


def test_the_whole_order_is_every_bucket():
    """One range, or two around the end of the numbers."""
    first = offset("gates")

    assert ranges("gates", 0, BUCKETS) == (Buckets(first, 9999), Buckets(0, first - 1))
    assert ranges("gates", 5, 5) == ()


@pytest.mark.parametrize(
    ("count", "sizes", "expected"),
    [
        (10, (20, 20), (5, 5)),
        (3, (20, 10), (2, 1)),
        (1, (1, 1), (1, 0)),
        (1, (1, 2), (0, 1)),
        (100, (3, 4), (3, 4)),
        (5, (0, 10), (0, 5)),
        (5, (0, 0), (0, 0)),
    ],
)
def test_a_count_is_shared_out_in_proportion(count, sizes, expected):
    """The largest remainders get what is left; nobody gives more than there are."""
    assert allot(count, sizes) == expected


@given(st.integers(0, 1000), st.lists(st.integers(0, 500), min_size=1, max_size=8).map(tuple))
def test_a_count_is_shared_out_whole(count, sizes):
    """To the last device, as far as there are any, and none above its size."""
    shares = allot(count, sizes)

    assert sum(shares) == min(count, sum(sizes))
    assert all(0 <= part <= size for part, size in zip(shares, sizes, strict=True))
