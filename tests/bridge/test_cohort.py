"""Cohorts: exact counts, stable order, another order for another rollout."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cohort import BUCKETS, bucket, share, split
from tests.bridge.worlds import ids

DEVICES = st.sets(st.text(min_size=1, max_size=8), max_size=60)
PERCENTS = st.sets(st.decimals(min_value="0.1", max_value=100, places=1).map(float), min_size=1, max_size=5).map(sorted)


def test_the_bucket_is_the_documented_number():
    """Others can compute it: sha256 of salt and id, modulo 10000."""
    digest = hashlib.sha256(b"gates" + b"press-7").hexdigest()

    assert bucket("gates", "press-7") == int(digest, 16) % 10_000


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


def test_ten_per_cent_of_twenty_devices_are_two():
    """What a release manager expects, in every rollout."""
    sizes = {tuple(map(len, split(f"rollout-{number}", ids("d", 20), [10, 50, 100]))) for number in range(50)}

    assert sizes == {(2, 8, 10)}


def test_rollouts_choose_different_canaries():
    """The same devices are not the first of every release."""
    canaries = {split(f"rollout-{number}", ids("d", 100), [1])[0] for number in range(50)}

    assert len(canaries) > 25


@given(DEVICES, PERCENTS)
def test_every_device_is_in_exactly_one_stage_up_to_a_hundred(devices, percents):
    """Nobody is left out, nobody is updated twice."""
    stages = split("salt", devices, [*(p for p in percents if p < 100), 100.0])

    assert sorted(device for stage in stages for device in stage) == sorted(devices)


@given(DEVICES, PERCENTS)
def test_stages_nest(devices, percents):
    """Who is in a small first stage is among the first of any larger one."""
    stages = split("salt", devices, percents)
    taken = [device for stage in stages for device in stage]

    assert tuple(taken) == split("salt", devices, [percents[-1]])[0]
    assert [bucket("salt", device) for device in taken] == sorted(bucket("salt", device) for device in taken)


@given(st.lists(st.text(min_size=1, max_size=8), max_size=40), PERCENTS, st.randoms())
def test_the_order_of_listing_does_not_matter(devices, percents, random):
    """A cloud lists as it likes, also a device twice."""
    shuffled = devices + devices[:3]
    random.shuffle(shuffled)

    assert split("salt", devices, percents) == split("salt", shuffled, percents)


@given(DEVICES, st.text(min_size=1, max_size=8), PERCENTS)
def test_a_device_that_joins_moves_at_most_one_other_across_each_end(devices, newcomer, percents):
    """Plans made on two days differ little."""
    before = _stage_of(split("salt", devices - {newcomer}, percents))
    after = _stage_of(split("salt", devices | {newcomer}, percents))

    moved = [device for device in devices - {newcomer} if before.get(device) != after.get(device)]

    assert len(moved) <= len(percents)


@given(st.text(max_size=20), st.text(max_size=20))
def test_buckets_lie_in_range(salt, device):
    """0 to 9999."""
    assert 0 <= bucket(salt, device) < BUCKETS


def _stage_of(stages):
    return {device: number for number, stage in enumerate(stages) for device in stage}
