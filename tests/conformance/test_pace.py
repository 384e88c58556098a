"""How fast a release is offered, whoever sees to it: the cloud, or otabridge that admits a few devices at a time."""

from __future__ import annotations

from tests.conformance.cloud import SIMULATED

CLOUDS = SIMULATED
NOTHING = 0.3
"""Seconds after which an offer is taken for none."""


def test_no_more_devices_are_offered_it_than_the_pace_allows(cloud, staged, line, devices):
    """A cloud that paces by itself is told how fast; another one is told again and again how many."""
    paces = staged.fleet.facts().paces
    for allowed in (1, 2, 3):
        order = staged.start(pace=1 if paces else None, admitted=None if paces else allowed)
        if paces and allowed > 1:
            cloud.pass_minute()
        offered = [line(device).next_offer(NOTHING) for device in devices]
        assert sum(offer is not None for offer in offered) == allowed
        assert staged.tally(order).total == len(devices)


def test_a_paced_order_may_be_stopped_between_two_steps(staged, line, devices):
    """Who was not offered it yet is withdrawn with the others, and never hears of it."""
    paces = staged.fleet.facts().paces
    order = staged.start(pace=1 if paces else None, admitted=None if paces else 1)

    staged.stop(order)

    assert staged.tally(order).withdrawn == len(devices)
    assert [line(device).next_offer(NOTHING) for device in devices] == [None] * len(devices)
