"""The provisioning service as azure-iot-device sees it: register, wait, be told hub and device id."""

from __future__ import annotations

import pytest
from azure.iot.device.exceptions import CredentialError

from adapters.azure.simulator.twins import Credentials
from adapters.simulation.faults import Effect
from tests.adapters.azure.simulator.hub_stand import KEY, MODEL, OTHER_KEY, SDK_NOISE, Stand

pytestmark = SDK_NOISE


@pytest.fixture
def stand(tmp_path):
    """A fresh hub, with an enrolment by key."""
    with Stand(tmp_path) as running:
        running.provisioning.enrol("pump", Credentials((KEY,)), device_id="pump-17")
        yield running


def test_a_device_is_assigned_to_the_hub(stand):
    """It may hear `assigning` several times; then it connects where it was told, with the same key."""
    stand.provisioning.polls = 3
    registrant = stand.registrant(key=KEY)
    registrant.provisioning_payload = {"modelId": MODEL}
    result = registrant.register()

    assert (result.status, result.registration_state.device_id) == ("assigned", "pump-17")
    assert result.registration_state.assigned_hub == stand.host
    assert stand.provisioning.enrolment("pump").payload == {"modelId": MODEL}
    assert stand.device("pump-17", register=False).get_twin()["desired"] == {"$version": 1}


def test_registering_again_changes_nothing(stand):
    """The device keeps its twin."""
    stand.registrant(key=KEY).register()
    stand.hub.report("pump-17", {"slot": "a"})
    stand.registrant(key=KEY).register()

    assert stand.hub.reported("pump-17") == {"slot": "a"}


def test_a_certificate_registers_too(stand):
    """And opens the hub afterwards."""
    stand.provisioning.enrol("tank", Credentials(certificate_cn="tank"))
    assert stand.registrant("tank").register().registration_state.device_id == "tank"

    assert stand.device_x509("tank").get_twin()["reported"] == {"$version": 1}


@pytest.mark.parametrize(("name", "key"), [("pump", OTHER_KEY), ("nobody", KEY), ("pump", None)])
def test_who_may_not_register(stand, name, key):
    """A wrong key, an unknown registration, a certificate instead of the key."""
    with pytest.raises(CredentialError):
        stand.registrant(name, key=key).register()

    assert stand.hub.devices() == ()


def test_a_busy_service_is_asked_again(stand):
    """The SDK waits as long as it is told and repeats."""
    stand.faults.plan("register", Effect.THROTTLE, "pump", times=2)

    assert stand.registrant(key=KEY).register().status == "assigned"
    assert len(stand.faults.hits()) == 2


def test_a_service_in_trouble_is_asked_again(stand):
    """The SDK repeats the poll; the device is registered once."""
    stand.faults.plan("register", Effect.SERVER_ERROR, "pump", skip=1)

    assert stand.registrant(key=KEY).register().status == "assigned"
    assert [each.device_id for each in stand.hub.devices()] == ["pump-17"]
