"""What fleets are told of an order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.engine.orders import some, turn_back
from bridge.engine.progress import OrderKind
from bridge.engine.record import Material, Parcel
from bridge.engine.stage_orders import check_orders, key_of, stage_order
from bridge.fleet import LimitError
from bridge.planning.planned import Facts, Place
from bridge.release.bucket import Buckets
from bridge.rollout.model import FleetPart
from tests.bridge.fakes import FakeFleet
from tests.bridge.plans import F1, FACTORY, NOW, changed, ids, new_plan, running

MATERIAL = Material(Parcel(b"new", Path("new")), (b"root",), Parcel(b"old", Path("old")))


def told(plan, order, number: int = 0, place: Place = F1):
    """What the fleet of `place` is told."""
    return stage_order(plan, MATERIAL, place, number, order)


def test_a_listed_stage_is_told_by_name():
    """With the release, the roots, the time limit, and a comment for people."""
    plan = new_plan((3, 0), (1, 0), timeout_minutes=90)

    order = told(plan, running(plan, {}).at(F1)[0])

    assert (order.devices, order.buckets, order.size) == (ids("factory-s1", 3), (), 3)
    assert (order.release, order.roots, order.timeout_minutes) == (b"new", (b"root",), 90)
    assert order.key == "gates-abababab-s1"
    assert order.comment == "gates 2.0.0, stage 1 of 2, stage"
    assert (order.pace, order.admitted) == (None, None)


def test_a_bucketed_stage_is_told_by_its_ranges():
    """And for whom: the part of the fleet, and the models of the stage."""
    plan = new_plan((3, 0), by_bucket=True, stages=[{"percent": 100, "models": ["v2"]}])

    order = told(plan, running(plan, {}).at(F1)[0])

    assert (order.devices, order.buckets, order.size) == ((), (Buckets(0, 999),), 3)
    assert (order.part, order.models) == (FleetPart(FACTORY), ("v2",))


def test_named_devices_are_told_by_name_in_any_fleet():
    """A retry in a fleet that finds devices by bucket; its key has its number."""
    plan = new_plan((3, 0), by_bucket=True)

    order = told(plan, some(plan, F1, OrderKind.RETRY, ("a", "b"), NOW), 4)

    assert (order.devices, order.buckets, order.size) == (("a", "b"), (), 2)
    assert (order.key, order.comment) == ("gates-abababab-s1-5", "gates 2.0.0, stage 1 of 1, retry")


def test_the_way_back_is_the_previous_release():
    """To the same devices."""
    plan = new_plan((3, 0))

    order = told(plan, turn_back(plan, running(plan, {}), NOW).at(F1)[1], 1)

    assert (order.release, order.devices) == (b"old", ids("factory-s1", 3))
    assert order.comment == "gates 1.9.0, stage 1 of 1, back"


@pytest.mark.parametrize(
    ("paces", "pace", "expected"),
    [(0, 6, (None, 4)), (1000, 6, (4, None)), (3, 6, (3, None)), (1000, 1, (1, None)), (1000, None, (None, None))],
)
def test_the_pace_is_the_clouds_where_it_has_one(paces, pace, expected):
    """At most what it can do, at least one device; other fleets are told how many are admitted by now."""
    plan = new_plan((40, 20), facts=Facts("test", paces=paces), **({"pace": pace} if pace else {}))

    order = told(plan, running(plan, {}).at(F1)[0])

    assert (order.pace, order.admitted) == expected


def test_an_adopted_order_keeps_the_key_of_its_cloud():
    """It was made without otabridge."""
    plan = new_plan((3, 0))

    assert key_of(plan, F1, 0, changed(running(plan, {}), F1, key="job-7").at(F1)[0]) == "job-7"


def test_every_stage_and_the_way_back_is_checked_before_the_first():
    """A limit of a cloud that the last stage breaks is known at once."""
    plan = new_plan((3, 0), (0, 2))
    fleets = {"factory": FakeFleet("factory", ()), "depot": FakeFleet("depot", ())}
    check_orders(plan, MATERIAL, fleets, NOW)
    fleets["depot"].limit = "too long"

    with pytest.raises(LimitError, match="fleet depot: too long"):
        check_orders(plan, MATERIAL, fleets, NOW)
