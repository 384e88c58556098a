"""Faults on the device side, seen through azure-iot-device."""

from __future__ import annotations

import queue
import threading

import pytest
from azure.iot.device.exceptions import ClientError, ConnectionFailedError, NoConnectionError, ServiceError

from adapters.simulation.faults import Effect
from tests.adapters.azure.simulator.hub_stand import SDK_NOISE, WAIT, Patches, Stand

pytestmark = SDK_NOISE


@pytest.fixture
def stand(tmp_path):
    """A fresh hub."""
    with Stand(tmp_path) as running:
        yield running


def desire(stand, **values):
    """Write desired properties."""
    stand.hub.patch_twin("pump", {"properties": {"desired": values}})


def accepted(client, report):
    """Whether the SDK took a report: it tells of a line that it finds gone, and connects again by itself."""
    try:
        client.patch_twin_reported_properties(report)
    except NoConnectionError:
        return False
    return True


@pytest.mark.parametrize(("effect", "status"), [(Effect.THROTTLE, "429"), (Effect.SERVER_ERROR, "500")])
@pytest.mark.parametrize("operation", ["twin_get", "twin_patch"])
def test_a_twin_request_is_refused_for_a_while(stand, operation, effect, status):
    """Once refused with the status in the topic, then served."""
    client = stand.device()
    stand.faults.plan(operation, effect, "pump")
    act = client.get_twin if operation == "twin_get" else lambda: client.patch_twin_reported_properties({"a": 1})
    with pytest.raises(ClientError) as caught:
        act()
    assert isinstance(caught.value.__cause__, ServiceError)
    assert status in str(caught.value.__cause__)

    act()
    assert stand.hub.reported("pump") == ({} if operation == "twin_get" else {"a": 1})


@pytest.mark.parametrize(("effect", "reported"), [(Effect.LOSE_REQUEST, {}), (Effect.LOSE_REPLY, {"a": 1})])
def test_a_report_without_an_answer(stand, effect, reported):
    """The SDK waits on; whether it happened is the question."""
    client = stand.device()
    stand.faults.plan("twin_patch", effect, "pump")
    stuck = threading.Thread(target=lambda: client.patch_twin_reported_properties({"a": 1}), daemon=True)
    stuck.start()

    assert stand.faults.wait_for_hits(1)
    client.patch_twin_reported_properties({"b": 2})
    assert stand.hub.reported("pump") == {**reported, "b": 2}


def test_an_answer_may_come_twice(stand):
    """The SDK takes the first."""
    client = stand.device()
    stand.faults.plan("twin_patch", Effect.DUPLICATE, "pump")
    client.patch_twin_reported_properties({"a": 1})

    assert client.get_twin()["reported"] == {"a": 1, "$version": 2}


def test_a_line_that_breaks_before_the_acknowledgement(stand):
    """The report has happened, and is sent again: by the SDK after its return, by whom it told of the end, or both."""
    client = stand.device(connection_retry_interval=1)
    stand.faults.plan("twin_patch", Effect.DISCONNECT, "pump")
    while not accepted(client, {"a": 1}):
        assert stand.hub.wait_until(lambda: stand.hub.device("pump").connected)

    assert stand.hub.reported("pump") == {"a": 1}
    assert stand.hub.device("pump").reported.version >= 3


def test_a_push_is_lost_or_doubled(stand):
    """A patch is a hint: the twin has all of it."""
    client = stand.device()
    heard = Patches(client)
    stand.faults.plan("desired", Effect.LOSE_REQUEST, "pump")
    stand.faults.plan("desired", Effect.DUPLICATE, "pump")
    desire(stand, a=1)
    desire(stand, b=2)

    assert [heard.next(), heard.next()] == [{"b": 2, "$version": 3}] * 2
    assert client.get_twin()["desired"] == {"a": 1, "b": 2, "$version": 3}


def test_a_connection_is_refused_for_a_while(stand):
    """Unavailable is no credential error: later it works. The SDK would blame the next attempt for this one's end."""
    stand.faults.plan("connect", Effect.SERVER_ERROR, "pump")
    with pytest.raises(ConnectionFailedError):
        stand.device()

    assert stand.device().connected


def test_a_connection_that_drops_at_once(stand):
    """Accepted, then hung up on."""
    client = stand.device(connect=False, connection_retry=False)
    states = queue.Queue()
    stand.hub.listen(lambda device, part: states.put((part, stand.hub.device(device).connected)))
    stand.faults.plan("connect", Effect.DISCONNECT, "pump")
    client.connect()

    heard = [states.get(timeout=WAIT), states.get(timeout=WAIT)]
    assert heard == [("connection", True), ("connection", False)]
