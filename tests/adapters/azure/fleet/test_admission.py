"""Orders that are offered to a few devices at a time: `start` again with more of them admitted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.fleet import FleetError
from bridge.names import stage_name
from bridge.release.bucket import Buckets
from bridge.release.report import Outcome, Report
from bridge.rollout.model import FleetPart
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, calls_counted, finish, order_of, put

KEY = "spring/1"
STAGE = stage_name(KEY)
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FOUR = ("gate-3", "gate-1", "gate-4", "gate-2")
"""In the order in which they are to be updated."""
BUCKET_OF = {"gate-3": 9999, "gate-1": 0, "gate-4": 1, "gate-2": 2}


@pytest.fixture
def plant(tmp_path, package):
    """Azure with four devices of two groups, each in a bucket of its own, and the artifact in the container."""
    with Plant(tmp_path).running() as plant:
        plant.add("gate-1", "gate-2", group="eu")
        plant.add("gate-3", "gate-4")
        for name, bucket in BUCKET_OF.items():
            plant.say_of_itself(name, bucket=bucket)
        put(plant.fleet, package, tmp_path)
        yield plant


@pytest.fixture(params=["by name", "by bucket"])
def order(request, package):
    """The release for all four, in both ways to name them."""
    if request.param == "by name":
        return order_of(package, FOUR)
    window = (Buckets(9999, 9999), Buckets(0, 2))
    return order_of(package, (), buckets=window, part=FleetPart("factory"), size=4)


def members(plant):
    """Who is in the stage's group."""
    return {name for name in FOUR if plant.tags(name)[0].get("ADUGroup") == STAGE}


def test_devices_are_offered_it_as_they_are_admitted(plant, order):
    """In their order; the others wait, in the tally too, and the deployment is made once."""
    for admitted in (1, 3):
        plant.fleet.start(replace(order, admitted=admitted))
        assert members(plant) == set(FOUR[:admitted])
        assert plant.fleet.tally(KEY) == Tally(waiting=4)
    assert plant.hub.wait_until(lambda: all(plant.goal(name) for name in FOUR[:3]))
    assert plant.goal("gate-2") is None
    plant.end("gate-3", KEY, INSTALLED)
    assert plant.fleet.tally(KEY) == Tally(waiting=3, installed=1)

    plant.fleet.start(replace(order, admitted=4))

    assert members(plant) == set(FOUR)
    assert plant.tags("gate-2")[0]["otabridge"] == {"stage": STAGE, "was": "eu"}
    assert plant.hub.wait_until(lambda: plant.goal("gate-2"))
    assert plant.fleet.tally(KEY) == Tally(waiting=3, installed=1)


def test_no_limit_admits_the_rest(plant, order):
    """As where the pace was taken back."""
    plant.fleet.start(replace(order, admitted=2))
    plant.fleet.start(order)

    assert members(plant) == set(FOUR)


def test_the_same_or_less_admitted_is_one_look(plant, order):
    """Nobody is taken back."""
    plant.fleet.start(replace(order, admitted=2))

    with calls_counted() as calls:
        for admitted in (2, 1):
            plant.open().start(replace(order, admitted=admitted))

    assert len([call for call in calls if not call.endswith("/token")]) == 2
    assert members(plant) == set(FOUR[:2])


def test_a_step_costs_a_job_for_each_group(plant, order):
    """However many have joined before."""
    plant.fleet.start(replace(order, admitted=1))

    with calls_counted() as calls:
        plant.fleet.start(replace(order, admitted=2))

    assert sum(call.startswith("PUT /jobs/v2/") for call in calls) == 1
    assert sum("/devices/query" in call for call in calls) <= 3


def test_what_is_partly_admitted_has_not_ended(plant, order, package):
    """A sweep by another order leaves it open though all who have the offer are done."""
    plant.fleet.start(replace(order, admitted=1))
    plant.end("gate-3", KEY, INSTALLED)
    plant.fleet.start(order_of(package, plant.add("other"), key="other/1"))
    assert plant.state(KEY) == "open"

    plant.fleet.start(order)

    assert plant.fleet.tally(KEY) == Tally(waiting=3, installed=1)


def test_nobody_admitted_is_nobody_offered(plant, order):
    """The order is there, and waits; it can be stopped, too."""
    plant.fleet.start(replace(order, admitted=0))
    assert plant.fleet.tally(KEY) == Tally(waiting=4)
    assert plant.deployment(KEY) is None

    plant.fleet.start(replace(order, admitted=2))

    assert plant.hub.wait_until(lambda: all(plant.goal(name) for name in FOUR[:2]))
    plant.fleet.start(replace(order, key="spring/2", devices=order.devices[:0], admitted=0))
    plant.fleet.stop("spring/2", "never mind")
    assert not plant.fleet.tally("spring/2").open


def test_a_stop_in_between_gives_back_everybody(plant, order):
    """Who was not admitted is withdrawn with those who did not begin; a later start admits nobody."""
    plant.fleet.start(replace(order, admitted=3))
    plant.end("gate-3", KEY, INSTALLED)

    plant.fleet.stop(KEY, "budget spent")
    plant.fleet.start(order)

    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=3, open=False, cancelled=True)
    for name in FOUR:
        assert plant.tags(name) == ({"ADUGroup": "eu"} if name in ("gate-1", "gate-2") else {}, None)
    assert STAGE not in plant.groups()


def test_a_deployment_that_others_cancelled_admits_nobody(plant, order):
    """They would wait for an offer that never comes."""
    plant.fleet.start(replace(order, admitted=1))
    plant.cancel(KEY)

    plant.fleet.start(order)

    assert members(plant) == {"gate-3"}
    assert plant.fleet.tally(KEY) == Tally(withdrawn=4, open=False, cancelled=True)


def test_a_device_that_is_gone_when_its_turn_comes_is_withdrawn(plant, package):
    """An order that is open goes on without it."""
    order = order_of(package, FOUR)
    plant.fleet.start(replace(order, admitted=1))
    plant.hub.remove_device("gate-4")

    plant.fleet.start(order)

    assert plant.fleet.tally(KEY) == Tally(waiting=3, withdrawn=1)


def test_a_device_that_a_person_took_out_stays_out(plant, package):
    """Of an order by bucket, whatever is admitted later."""
    window = (Buckets(9999, 9999), Buckets(0, 2))
    order = order_of(package, (), buckets=window, part=FleetPart("factory"), size=4)
    plant.fleet.start(replace(order, admitted=2))
    plant.hub.patch_twin("gate-1", {"tags": {"ADUGroup": "eu"}})

    plant.fleet.start(order)

    assert plant.tags("gate-1")[0]["ADUGroup"] == "eu"
    assert members(plant) == {"gate-2", "gate-3", "gate-4"}
    assert plant.fleet.tally(KEY) == Tally(waiting=4)


def test_an_index_that_lags_takes_nobody_for_lost(plant, order):
    """The step is not done before queries show who has joined."""
    plant.fleet.start(replace(order, admitted=1))

    with plant.hub.stale_index():
        with pytest.raises(FleetError, match=r"the hub (shows|does not show)") as raised:
            plant.open(patience_seconds=0.1).start(order)
        assert plant.fleet.tally(KEY) == Tally(waiting=4)
    assert raised.value.retryable

    finish(lambda: plant.fleet.start(order))

    assert plant.fleet.tally(KEY) == Tally(waiting=4)
