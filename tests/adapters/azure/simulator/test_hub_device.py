"""A hub as azure-iot-device sees it: identity, twin, methods and messages over TLS on port 8883."""

from __future__ import annotations

import queue

import pytest
from azure.iot.device import MethodResponse
from azure.iot.device.exceptions import ClientError, ConnectionFailedError, CredentialError, ServiceError

from adapters.azure.simulator.hub_errors import HubError
from tests.adapters.azure.simulator.hub_stand import KEY, MODEL, OTHER_KEY, SDK_NOISE, WAIT, Patches, Stand

pytestmark = SDK_NOISE


@pytest.fixture
def stand(tmp_path):
    """A fresh hub."""
    with Stand(tmp_path) as running:
        yield running


def refused(client):
    """The service's own error below the SDK's."""
    return client.value.__cause__


def test_a_device_reads_its_twin(stand):
    """Both halves with their versions, and nothing that is the service's."""
    stand.hub.add_device("pump", key=KEY, tags={"secret": 1})
    stand.hub.patch_twin("pump", {"properties": {"desired": {"a": {"b": [1, None, "ü"]}}}})
    twin = stand.device().get_twin()

    assert twin == {"desired": {"a": {"b": [1, None, "ü"]}, "$version": 2}, "reported": {"$version": 1}}


def test_what_a_device_reports_is_merged(stand):
    """None removes."""
    client = stand.device()
    client.patch_twin_reported_properties({"ota": {"slot": "a", "old": 1}})
    client.patch_twin_reported_properties({"ota": {"slot": "b", "old": None}})

    assert stand.hub.reported("pump") == {"ota": {"slot": "b"}}
    assert client.get_twin()["reported"] == {"ota": {"slot": "b"}, "$version": 3}


def test_a_connected_device_hears_what_is_desired(stand):
    """The patch as it was written, null included, with its version; others hear nothing."""
    heard = Patches(stand.device())
    other = Patches(stand.device("valve"))
    stand.hub.patch_twin("pump", {"properties": {"desired": {"x": {"y": 1}}}})
    stand.hub.patch_twin("pump", {"properties": {"desired": {"x": None}}, "tags": {"t": 1}})
    stand.hub.patch_twin("pump", {"tags": {"t": 2}})
    stand.hub.patch_twin("valve", {"properties": {"desired": {"z": 1}}})

    assert [heard.next(), heard.next()] == [{"x": {"y": 1}, "$version": 2}, {"x": None, "$version": 3}]
    assert other.next() == {"z": 1, "$version": 2}
    assert heard.heard.empty()


def test_what_was_desired_meanwhile_is_in_the_twin(stand):
    """A device that was away is sent no patches; after its return the SDK reads the twin by itself."""
    client = stand.device()
    client.get_twin()
    heard = Patches(client)
    stand.hub.patch_twin("pump", {"properties": {"desired": {"n": 0}}})
    assert heard.next() == {"n": 0, "$version": 2}
    client.disconnect()
    assert stand.hub.wait_until(lambda: not stand.hub.device("pump").connected)
    for number in (1, 2):
        stand.hub.patch_twin("pump", {"properties": {"desired": {"n": number}}})
    client.connect()

    assert heard.next() == {"n": 2, "$version": 4}
    stand.hub.patch_twin("pump", {"properties": {"desired": {"n": 3}}})
    assert heard.next() == {"n": 3, "$version": 5}  # the session has kept its subscriptions


def test_the_hub_follows_connections_and_models(stand):
    """The model is announced in the user name."""
    client = stand.device()
    device = stand.hub.device("pump")
    assert (device.connected, device.model_id) == (True, MODEL)
    client.disconnect()

    assert stand.hub.wait_until(lambda: not stand.hub.device("pump").connected)
    assert stand.hub.model_id("pump") == MODEL


def test_a_newer_connection_takes_over(stand):
    """The same device twice: the older is hung up on, and the twin says connected throughout."""
    first = stand.device(connection_retry=False)
    gone = queue.Queue()
    first.on_connection_state_change = lambda: gone.put(first.connected)
    second = stand.device()

    assert gone.get(timeout=WAIT) is False
    assert second.get_twin()["desired"] == {"$version": 1}
    assert stand.hub.device("pump").connected


def test_a_certificate_is_its_own_device_only(stand):
    """The common name is the device id; a SAS device may not come with one instead."""
    stand.hub.add_device("pump", certificate_cn="pump")
    stand.hub.add_device("valve", certificate_cn="valve")
    assert stand.device_x509("pump").get_twin()["reported"] == {"$version": 1}

    with pytest.raises(CredentialError):
        stand.device_x509("valve", certificate_of="pump")
    with pytest.raises(CredentialError):
        stand.device("pump", register=False)


@pytest.mark.parametrize("case", ["wrong key", "unknown", "disabled", "expired"])
def test_who_may_not_connect(stand, case):
    """The SDK calls it a credential error, and does not try again."""
    if case != "unknown":
        stand.hub.add_device("pump", key=KEY)
    if case == "disabled":
        credentials = stand.hub.device("pump").credentials
        stand.hub.change_registration("pump", credentials=credentials, enabled=False)
    if case == "expired":
        stand.clock.advance(3700)

    with pytest.raises(CredentialError):
        stand.device(register=False, key=OTHER_KEY if case == "wrong key" else KEY)


def test_a_signature_that_expires_ends_the_connection(stand):
    """By the hub's clock."""
    stand.device(connection_retry=False)
    stand.clock.advance(3700)

    assert stand.hub.wait_until(lambda: not stand.hub.device("pump").connected)


def test_a_removed_device_is_hung_up_on(stand):
    """And cannot come back."""
    client = stand.device(connection_retry=False)
    gone = queue.Queue()
    client.on_connection_state_change = lambda: gone.put(client.connected)
    stand.hub.remove_device("pump")

    assert gone.get(timeout=WAIT) is False
    with pytest.raises(CredentialError):
        client.connect()


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ({"a": "x" * 4097}, "400"),
        ({"a b": 1}, "400"),
        ({f"k{index}": "x" * 4000 for index in range(9)}, "413"),
    ],
)
def test_a_report_beyond_the_limits_is_refused(stand, patch, status):
    """The status is in the topic; nothing is stored."""
    client = stand.device()
    with pytest.raises(ClientError) as caught:
        client.patch_twin_reported_properties(patch)

    assert isinstance(refused(caught), ServiceError)
    assert status in str(refused(caught))
    assert stand.hub.reported("pump") == {}


def test_direct_methods(stand):
    """Name and payload arrive, status and payload return; an absent device is not online."""
    client = stand.device()

    def answer(request):
        client.send_method_response(MethodResponse.create_from_method_request(request, 207, [request.payload]))

    client.on_method_request_received = answer
    assert stand.topics.methods.invoke("pump", "re boot", {"now": True}, seconds=WAIT) == {
        "status": 207,
        "payload": [{"now": True}],
    }
    with pytest.raises(HubError, match="Device valve is not online"):
        stand.topics.methods.invoke("valve", "reboot", None, seconds=1)


def test_a_method_nobody_answers_times_out(stand):
    """Within the time that the caller gave."""
    client = stand.device()
    asked = queue.Queue()
    client.on_method_request_received = asked.put

    with pytest.raises(HubError, match="did not answer within 1 s"):
        stand.topics.methods.invoke("pump", "reboot", None, seconds=1)
    assert asked.get(timeout=WAIT).name == "reboot"


def test_messages_are_taken(stand):
    """Telemetry is acknowledged and kept for the test to see."""
    client = stand.device()
    client.send_message("hello")

    assert [each.payload for each in stand.topics.messages("pump")] == [b"hello"]


def test_a_foreign_certificate_is_no_device(stand, tmp_path):
    """TLS ends before MQTT begins."""
    from adapters.simulation.pki import CertificateAuthority

    stand.hub.add_device("pump", certificate_cn="pump")
    stand.authority.device = CertificateAuthority(tmp_path / "foreign").device

    with pytest.raises(ConnectionFailedError):
        stand.device_x509("pump")
