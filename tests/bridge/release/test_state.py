"""What a device says of itself: one set of fields for every cloud, within every cloud's bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.release.bucket import BUCKETS, bucket
from bridge.release.details import MAX_SAVED
from bridge.release.state import MAX_COUNT, MAX_TEXT, DeviceState, render

STATE = DeviceState("gateway-3", "2.1.0", 21, "b", "b", 4, 1, 2, "1.0.0", "installed", 5_000_000_000)


def test_the_fields_that_clouds_are_asked_for():
    """Their names are a contract: queries and indexes of both clouds use them."""
    assert render(STATE, "gate-17") == {
        "bucket": bucket("gate-17"),
        "model": "gateway-3",
        "release": "2.1.0",
        "sequence": 21,
        "slot": "b",
        "expected_slot": "b",
        "boots": 4,
        "fallbacks": 1,
        "watchdog_resets": 2,
        "agent": "1.0.0",
        "outcome": "installed",
        "saved": 5_000_000_000,
    }


def test_the_bucket_is_of_the_name_by_which_the_cloud_knows_it():
    """A device that two clouds know by two names has two; each cloud's query finds it by its own."""
    assert render(STATE, "gate-17")["bucket"] != render(STATE, "thing-17")["bucket"]


@given(st.text(max_size=400), st.text(max_size=200), st.integers())
def test_nothing_leaves_the_bounds(text, device, number):
    """Whatever a configuration, a release or a journal holds."""
    fields = render(replace(STATE, model=text, outcome=text, boots=number, sequence=number, saved=number), device)

    assert 0 <= fields["bucket"] < BUCKETS
    assert all(len(each) <= MAX_TEXT and each.isprintable() for each in fields.values() if isinstance(each, str))
    assert 0 <= fields.pop("saved") <= MAX_SAVED
    assert all(0 <= each <= MAX_COUNT for each in fields.values() if isinstance(each, int))


@pytest.mark.parametrize(("boots", "told"), [(-1, 0), (MAX_COUNT + 1, MAX_COUNT)])
def test_a_count_stays_at_its_bound(boots, told):
    """It does not wrap, and is not left out."""
    assert render(replace(STATE, boots=boots), "gate-17")["boots"] == told


@pytest.mark.parametrize(("saved", "told"), [(-1, 0), (2**31, 2**31), (MAX_SAVED + 1, MAX_SAVED)])
def test_bytes_saved_have_a_bound_of_their_own(saved, told):
    """A delta may save more than a count can say, and no more than an artifact has: both clouds hold it exactly."""
    assert render(replace(STATE, saved=saved), "gate-17")["saved"] == told
    assert MAX_SAVED < 2**52
