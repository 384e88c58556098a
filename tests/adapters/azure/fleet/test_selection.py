"""Which devices a selection means: read by the simulated hub's own parser, held against twins."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.fleet.queries import MOST_CHARACTERS
from adapters.azure.fleet.selection import ROOM, Selection
from adapters.azure.simulator.query import matches
from adapters.azure.simulator.query_language import parse_condition
from bridge.release.bucket import BUCKETS, Buckets, bucket
from bridge.rollout.model import FleetPart

NUMBERS = st.integers(0, BUCKETS - 1)
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS).map(lambda pair: Buckets(min(pair), max(pair))), min_size=1, max_size=2)


def part(**selectors):
    """A part of the fleet."""
    return FleetPart("factory", **selectors)


def twin(device="gate-1", tags=None, agent_model=None, **own):
    """A twin as queries see it."""
    agent = {"deviceUpdate": {"agent": {"deviceProperties": {"model": agent_model}}}} if agent_model else {}
    return {"deviceId": device, "tags": tags or {}, "properties": {"reported": {"otabridge": own, **agent}}}


def holds(selection, device):
    """Whether the hub finds it."""
    return any(matches(parse_condition(each), device) for each in selection.conditions())


CASES = [
    (Selection(), twin(), True),
    (Selection(buckets=(Buckets(10, 20),)), twin(bucket=10), True),
    (Selection(buckets=(Buckets(10, 20),)), twin(bucket=20), True),
    (Selection(buckets=(Buckets(10, 20),)), twin(bucket=21), False),
    (Selection(buckets=(Buckets(10, 20),)), twin(), False),
    (Selection(buckets=(Buckets(10, 20),)), twin(bucket="15"), False),
    (Selection(buckets=(Buckets(9990, 9999), Buckets(0, 5))), twin(bucket=3), True),
    (Selection(part(group="eu")), twin(tags={"ADUGroup": "eu"}), True),
    (Selection(part(group="eu")), twin(tags={"ADUGroup": "x", "otabridge": {"stage": "x", "was": "eu"}}), True),
    (Selection(part(group="eu")), twin(tags={"ADUGroup": "us"}), False),
    (Selection(part(query="tags.a = 1 OR tags.b = 1", group="eu")), twin(tags={"b": 1}), False),
    (Selection(part(query="tags.a = 1 OR tags.b = 1")), twin(tags={"b": 1}), True),
    (Selection(models=("x1", "x2")), twin(model="x2"), True),
    (Selection(models=("x1",)), twin(model="x9"), False),
    (Selection(models=("x1",)), twin(agent_model="x1"), True),
    (Selection(models=("x1",)), twin(model="x9", agent_model="x1"), False),
    (Selection(models=("x1",)), twin(), False),
    (Selection(models=("",)), twin(), True),
    (Selection(models=("x1", "")), twin(model="x9"), False),
    (Selection(part(devices=("gate-1",))), twin(), True),
    (Selection(part(devices=("gate-2",))), twin(), False),
    (Selection(part(devices=("gate-1",), group="eu")), twin(), False),
]


@pytest.mark.parametrize(("selection", "device", "expected"), CASES)
def test_every_selector_must_choose_the_device(selection, device, expected):
    """What is not given chooses all."""
    assert holds(selection, device) is expected


@given(RANGES, st.integers(0, BUCKETS * 2))
def test_the_first_buckets_are_taken_in_the_order_of_the_ranges(ranges, count):
    """As many as there are."""
    selection = Selection(buckets=tuple(ranges))
    everything = [number for first, last in ranges for number in range(first, last + 1)]

    taken = [number for first, last in selection.first(count).buckets for number in range(first, last + 1)]

    assert selection.width == len(everything)
    assert taken == everything[:count]


@given(st.lists(st.text("abc019-'", min_size=1, max_size=128), max_size=300))
def test_a_list_is_placed_by_the_ids_and_each_condition_fits(devices):
    """Devices need not report what their names tell."""
    half = (Buckets(0, BUCKETS // 2),)
    group = "'" * 255
    conditions = Selection(part(devices=tuple(devices), group=group), half).conditions()

    assert all(len(each) <= ROOM < MOST_CHARACTERS for each in conditions)
    chosen = {device for device in devices if bucket(device) <= BUCKETS // 2}
    tags = {"ADUGroup": group}
    parsed = [parse_condition(each) for each in conditions]
    for device in set(devices):
        assert sum(matches(each, twin(device, tags)) for each in parsed) == (device in chosen)


WRONG = [
    (Selection(part(query="a = 1) OR (b = 2")), r"query: .*closes nothing"),
    (Selection(part(devices=("a b",))), r"devices: 'a b'; no id that IoT Hub could know"),
    (Selection(part(devices=("a",) * 10_001)), r"devices: 10001 devices; at most 10000"),
    (Selection(buckets=(Buckets(0, BUCKETS),)), r"buckets: 0 to 10000; must be within 0 to 9999"),
    (Selection(buckets=(Buckets(5, 4),)), r"buckets: 5 to 4"),
    (Selection(models=("'" * 64,) * 32), r"models: 32 models; too long for one query"),
]


@pytest.mark.parametrize(("selection", "words"), WRONG)
def test_what_cannot_be_asked_is_named(selection, words):
    """Before anything is called."""
    [violation] = selection.violations()

    assert re.search(words, str(violation))
