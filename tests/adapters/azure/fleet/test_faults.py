"""Lost requests, lost replies, throttling and servers that fail, at any service in the middle of a start or stop."""

from __future__ import annotations

import pytest

from adapters.simulation.faults import Effect
from bridge.fleet import FleetError
from bridge.names import stage_name
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, finish, order_of, put

KEY = "spring/1"
STAGE = stage_name(KEY)


@pytest.fixture
def plant(tmp_path, package):
    """Azure with two devices, one of them in the group eu, and the artifact in the container."""
    with Plant(tmp_path).running() as plant:
        plant.add("gate-1", group="eu")
        plant.add("gate-2")
        put(plant.fleet, package, tmp_path)
        yield plant


@pytest.fixture
def order(package):
    """The release for both."""
    return order_of(package, ("gate-1", "gate-2"))


@pytest.mark.parametrize("operation", ["query", "job", "import", "deployment", "group", "blob", "token"])
@pytest.mark.parametrize("effect", [Effect.LOSE_REPLY, Effect.LOSE_REQUEST, Effect.THROTTLE, Effect.SERVER_ERROR])
def test_a_fault_in_the_middle_of_a_start_is_survived(plant, order, operation, effect):
    """At the latest by the next call; what took effect without a reply is found, not done twice."""
    plant.faults.plan(operation, effect)

    finish(lambda: plant.open().start(order))

    assert len(plant.faults.hits()) == 1
    assert plant.fleet.tally(KEY) == Tally(waiting=2)
    assert plant.tags("gate-1")[0] == {"ADUGroup": STAGE, "otabridge": {"stage": STAGE, "was": "eu"}}


@pytest.mark.parametrize("operation", ["query", "job", "deployment", "group", "blob", "token"])
@pytest.mark.parametrize("effect", [Effect.LOSE_REPLY, Effect.THROTTLE])
def test_a_fault_in_the_middle_of_a_stop_is_survived(plant, order, operation, effect):
    """At the latest by the next call; nothing borrowed is kept."""
    plant.fleet.start(order)
    plant.faults.plan(operation, effect)

    finish(lambda: plant.open().stop(KEY, "budget spent"))

    assert len(plant.faults.hits()) == 1
    assert plant.fleet.tally(KEY) == Tally(withdrawn=2, open=False, cancelled=True)
    assert plant.tags("gate-1") == ({"ADUGroup": "eu"}, None)
    assert plant.tags("gate-2") == ({}, None)
    assert STAGE not in plant.groups()


def test_a_hub_that_stays_silent_is_a_retryable_error(plant, order):
    """It names the fleet and the network."""
    plant.faults.plan("query", Effect.LOSE_REQUEST, times=9)

    with pytest.raises(FleetError, match=r"fleet factory: .*Check the network, and the names of hub") as raised:
        plant.fleet.start(order)
    assert raised.value.retryable
