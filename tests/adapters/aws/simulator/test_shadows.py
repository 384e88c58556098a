"""Device shadows over MQTT with the real SDK: what a device reports, the cloud reads through boto3."""

from __future__ import annotations

import json
import queue

import awsiot
import pytest
from awscrt import mqtt_request_response as request_response
from awsiot import iotshadow

from adapters.simulation.faults import Effect

WAIT = 30
NAME = "otabridge"


@pytest.fixture
def shadows(device):
    """The SDK's shadow client of the thing `pump`."""
    options = request_response.ClientOptions(
        max_request_response_subscriptions=4, max_streaming_subscriptions=2, operation_timeout_in_seconds=WAIT
    )
    return iotshadow.IotShadowClientV2(device().client, options)


def report(shadows, reported, **kwargs):
    """UpdateNamedShadow with reported state."""
    state = iotshadow.ShadowState(reported=reported)
    request = iotshadow.UpdateNamedShadowRequest(thing_name="pump", shadow_name=NAME, state=state, **kwargs)
    return shadows.update_named_shadow(request).result(WAIT)


def read(shadows):
    """GetNamedShadow."""
    request = iotshadow.GetNamedShadowRequest(thing_name="pump", shadow_name=NAME)
    return shadows.get_named_shadow(request).result(WAIT)


def refusal(call, *args, **kwargs):
    """Code and message of a refused call."""
    with pytest.raises(awsiot.V2ServiceException) as caught:
        call(*args, **kwargs)
    return caught.value.modeled_error.code, caught.value.modeled_error.message


def test_what_a_device_reports_the_cloud_can_read(simulator, shadows):
    """Reports merge; None removes."""
    first = report(shadows, {"bucket": 4711, "slot": "a", "old": 1})
    report(shadows, {"slot": "b", "old": None})

    seen = simulator.client("iot-data").get_thing_shadow(thingName="pump", shadowName=NAME)

    assert first.version == 1
    assert json.loads(seen["payload"].read())["state"] == {"reported": {"bucket": 4711, "slot": "b"}}
    assert read(shadows).version == 2


def test_a_stale_version_is_refused(shadows):
    """409, and the shadow stays."""
    report(shadows, {"slot": "a"})

    assert refusal(report, shadows, {"slot": "b"}, version=7) == (409, "Version conflict")
    assert read(shadows).state.reported == {"slot": "a"}


def test_a_shadow_that_is_not_there_is_not_found(shadows):
    """404 before the first report and after the deletion."""
    assert refusal(read, shadows)[0] == 404
    report(shadows, {"slot": "a"})
    request = iotshadow.DeleteNamedShadowRequest(thing_name="pump", shadow_name=NAME)
    assert shadows.delete_named_shadow(request).result(WAIT).version == 1

    assert refusal(read, shadows) == (404, f"No shadow exists with name: '{NAME}'")


def test_a_shadow_is_small(shadows):
    """Above 8 KiB the service says 413."""
    assert refusal(report, shadows, {"log": "x" * 9000})[0] == 413


def test_the_classic_shadow_works_too(simulator, shadows):
    """The one without a name."""
    state = iotshadow.ShadowState(reported={"on": True})
    shadows.update_shadow(iotshadow.UpdateShadowRequest(thing_name="pump", state=state)).result(WAIT)

    seen = simulator.client("iot-data").get_thing_shadow(thingName="pump")

    assert json.loads(seen["payload"].read())["state"] == {"reported": {"on": True}}


def test_a_duplicate_answer_does_no_harm(simulator, shadows):
    """The SDK takes the first and ignores the second."""
    simulator.faults.plan("UpdateThingShadow", Effect.DUPLICATE)
    report(shadows, {"slot": "a"})

    assert read(shadows).version == 1


def test_what_was_wished_and_is_not_reported_reaches_the_device(simulator, shadows):
    """The delta with its version and times, once and again until the device reports it."""
    wishes = queue.Queue()
    ready = queue.Queue()
    options = awsiot.ServiceStreamOptions(incoming_event_listener=wishes.put, subscription_status_listener=ready.put)
    request = iotshadow.NamedShadowDeltaUpdatedSubscriptionRequest(thing_name="pump", shadow_name=NAME)
    stream = shadows.create_named_shadow_delta_updated_stream(request, options)
    stream.open()
    ready.get(timeout=WAIT)
    report(shadows, {"level": 1, "slot": "a"})

    wish = json.dumps({"state": {"desired": {"level": 2, "slot": "a"}}})
    simulator.client("iot-data").update_thing_shadow(thingName="pump", shadowName=NAME, payload=wish)

    told = wishes.get(timeout=WAIT)
    assert (told.version, told.state, set(told.metadata)) == (2, {"level": 2}, {"level"})
    assert read(shadows).state.delta == {"level": 2}
    report(shadows, {"level": 2})
    assert read(shadows).state.delta is None
    assert wishes.empty()
    del stream


def test_a_field_tells_when_it_was_last_given(shadows, monkeypatch):
    """Fields that a later report leaves out keep their times."""
    report(shadows, {"slot": "a", "deep": {"old": 1, "new": 1}})
    before = read(shadows).metadata.reported
    monkeypatch.setattr("moto.iotdata.models.time.time", lambda: before["slot"]["timestamp"] + 100)
    report(shadows, {"deep": {"new": 2}})

    after = read(shadows).metadata.reported

    assert after["slot"] == before["slot"]
    assert after["deep"]["old"] == before["deep"]["old"]
    assert after["deep"]["new"]["timestamp"] == before["slot"]["timestamp"] + 100


def test_over_https_it_is_the_same_shadow(simulator, shadows):
    """Versions, refusals and deletion in HTTP's own words."""
    data = simulator.client("iot-data")
    place = {"thingName": "pump", "shadowName": NAME}
    report(shadows, {"slot": "a"})

    stale = json.dumps({"state": {"reported": {"slot": "b"}}, "version": 9})
    with pytest.raises(data.exceptions.ConflictException, match="Version conflict"):
        data.update_thing_shadow(**place, payload=stale)
    with pytest.raises(data.exceptions.RequestEntityTooLargeException):
        data.update_thing_shadow(**place, payload=json.dumps({"state": {"reported": {"log": "x" * 9000}}}))
    with pytest.raises(data.exceptions.InvalidRequestException, match="Missing required node: state"):
        data.update_thing_shadow(**place, payload="{}")
    data.delete_thing_shadow(**place)

    with pytest.raises(data.exceptions.ResourceNotFoundException, match=f"No shadow exists with name: '{NAME}'"):
        data.get_thing_shadow(**place)
