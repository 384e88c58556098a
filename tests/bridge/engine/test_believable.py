"""Counts that cannot be."""

from __future__ import annotations

import pytest

from bridge.engine.believable import MOST, believable, healthy
from bridge.fleet import FleetError, HealthCount
from bridge.tally import Tally


@pytest.mark.parametrize(
    "tally", [None, Tally(), Tally(waiting=MOST), Tally(installed=3, failed=1, open=False)], ids=str
)
def test_counts_that_can_be_are_taken_as_they_are(tally):
    """Whether they add up to an order's devices is for others to judge: clouds count late."""
    assert believable("factory", tally) is tally


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(installed=3, running=-1), "-1 devices are running"),
        (Tally(timed_out=-2), "-2 devices are timed out"),
        (Tally(installed=10**12), "1000000000000 devices are installed"),
    ],
)
def test_counts_that_cannot_be_are_refused(tally, words):
    """With the fleet and the count; asking again may help."""
    with pytest.raises(FleetError, match=f"fleet factory says that {words}, which cannot be") as caught:
        believable("factory", tally)

    assert caught.value.retryable


@pytest.mark.parametrize("count", [(5, 4, 0, 0), (-1, 4, 0, 0), (0, 0, 1, 0), (0, MOST + 1, 0, 0), (0, -1, 0, 0)])
def test_more_unhealthy_devices_than_there_are_cannot_be(count):
    """Of the updated ones, or of the others."""
    with pytest.raises(FleetError, match="devices are unhealthy, which cannot be"):
        healthy("factory", HealthCount(*count))


def test_health_that_can_be_is_taken_as_it_is():
    """All of them may be unhealthy."""
    count = HealthCount(4, 4, 0, 0)

    assert healthy("factory", count) is count
