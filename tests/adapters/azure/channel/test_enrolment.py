"""Devices that learn from the Device Provisioning Service which hub is theirs."""

from __future__ import annotations

import json
import time

import pytest

from adapters.azure.channel.enrolment import Assignment, Enrolment
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.device import AzureChannel
from adapters.azure.formats.component import MODEL_ID
from adapters.simulation.faults import Effect
from bridge.release.errors import ChannelError
from bridge.release.report import Outcome, Report
from tests.adapters.azure.deployer import Deployer

WAIT = 30.0
NAME = "newcomer"
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


@pytest.fixture
def newcomer(simulator, patience, tmp_path, request):
    """Settings of a device that knows no hub, and remembers the one it is assigned; with a key if so wished."""
    identity = simulator.add_device(NAME, symmetric=getattr(request, "param", False), enrol=True)
    proof = {
        "certificate_file": identity.cert_file,
        "key_file": identity.key_file,
        "symmetric_key_file": identity.symmetric_key_file,
    }
    return {
        **patience,
        **{name: str(path) for name, path in proof.items() if path is not None},
        "id_scope": simulator.id_scope,
        "registration_id": NAME,
        "provisioning_host": simulator.provisioning_host,
        "assignment_file": str(tmp_path / "assignment.json"),
        "connect_seconds": 10.0,
    }


def remembered(settings):
    """What the assignment file says."""
    with open(settings["assignment_file"]) as file:  # noqa: PTH123 - as short as it gets
        return json.load(file)


@pytest.mark.parametrize("newcomer", [False, True], indirect=True, ids=["certificate", "key"])
def test_a_device_finds_its_hub(simulator, newcomer, package):
    """It enrols, connects to what it was assigned, and installs from there; it names its model at enrolment."""
    channel = AzureChannel(AzureSettings(**newcomer))
    assert channel.next_offer(0.1) is None
    with Deployer(simulator.hub, NAME) as deployer:
        deployer.deploy(package)
        channel.conclude(channel.next_offer(WAIT).id, INSTALLED)
        channel.close()

        assert deployer.result[:2] == (0, 700)
    assert simulator.provisioning.enrolment(NAME).payload == {"modelId": MODEL_ID}
    assert remembered(newcomer)["assignment"] == {"host": simulator.host, "device": NAME}


def test_a_restart_does_not_enrol_again(simulator, newcomer):
    """The service is asked once; devices of a whole fleet that restart at once do not all stand before it."""
    Enrolment(AzureSettings(**newcomer)).assignment()
    simulator.faults.plan("register", Effect.SERVER_ERROR, times=100)

    assert Enrolment(AzureSettings(**newcomer)).assignment() == Assignment(simulator.host, NAME)
    assert not simulator.faults.hits()


def known_of(simulator):
    """What the file says after an enrolment."""
    assignment = {"host": simulator.host, "device": NAME}
    return {"idScope": simulator.id_scope, "registrationId": NAME, "assignment": assignment}


FOREIGN = [
    ("of another enrolment", lambda known: {**known, "registrationId": "somebody-else"}),
    ("of another scope", lambda known: {**known, "idScope": "0ne99999999"}),
    ("with a host that is none", lambda known: {**known, "assignment": {"host": "a/b", "device": NAME}}),
    ("garbled", lambda _: "not an assignment"),
]


@pytest.mark.parametrize("change", [row[1] for row in FOREIGN], ids=[row[0] for row in FOREIGN])
def test_a_file_that_does_not_fit_is_as_good_as_none(simulator, newcomer, tmp_path, change):
    """The service is asked, and the file replaced."""
    known = known_of(simulator)
    (tmp_path / "assignment.json").write_text(json.dumps(change(known)))

    assert Enrolment(AzureSettings(**newcomer)).assignment().host == simulator.host
    assert remembered(newcomer) == known


def test_a_torn_file_is_as_good_as_none(simulator, newcomer, tmp_path):
    """A card that lost power writes anything."""
    (tmp_path / "assignment.json").write_bytes(b'{"idScope":"\xff\xfe"')

    assert Enrolment(AzureSettings(**newcomer)).assignment().host == simulator.host


def test_a_hub_that_refuses_the_device_is_forgotten(simulator, newcomer, tmp_path):
    """The device was moved to another hub: the old one does not know it, the service names the new one."""
    known = known_of(simulator)
    simulator.hub.add_device(NAME, credentials=simulator.provisioning.enrolment(NAME).credentials)
    stale = {**known, "assignment": {"host": simulator.host, "device": "stranger"}}
    (tmp_path / "assignment.json").write_text(json.dumps(stale))
    channel = AzureChannel(AzureSettings(**newcomer))

    assert channel.next_offer(WAIT / 100) is None
    channel.close()

    assert remembered(newcomer) == known


REFUSALS = [
    ({"registration_id": "nobody"}, "enrolment of nobody at 127.* does not let this device in"),
    ({"id_scope": "0ne77777777"}, "does not let this device in"),
    ({"provisioning_host": "127.0.0.1"}, "enrolment of newcomer at 127.0.0.1: no connection"),
]


@pytest.mark.parametrize("newcomer", [False, True], indirect=True, ids=["certificate", "key"])
@pytest.mark.parametrize(("change", "message"), REFUSALS)
def test_a_refused_enrolment_says_why(newcomer, change, message):
    """With the name that was tried, and where."""
    with pytest.raises(ChannelError, match=message) as raised:
        Enrolment(AzureSettings(**{**newcomer, **change})).assignment()
    assert raised.value.retryable


def test_a_device_that_is_told_its_hub_keeps_to_it(settings):
    """There is nobody else to ask."""
    enrolment = Enrolment(AzureSettings(**settings))

    enrolment.forget()

    assert enrolment.assignment() == Assignment(settings["host"], settings["device"])


def test_an_enrolment_without_an_answer_ends_in_time(simulator, newcomer):
    """And the next try is not in the way of the one given up."""
    simulator.faults.plan("register", Effect.LOSE_REQUEST)
    with pytest.raises(ChannelError, match="no answer within 1 seconds"):
        Enrolment(AzureSettings(**{**newcomer, "connect_seconds": 1.0})).assignment()

    assert Enrolment(AzureSettings(**newcomer)).assignment().host == simulator.host


def test_an_enrolment_that_was_given_up_hangs_up(simulator, newcomer):
    """Its connection would drive the next one's away, and be driven away by it, for ever."""
    simulator.faults.plan("register", Effect.LOSE_REQUEST)
    with pytest.raises(ChannelError, match="no answer"):
        Enrolment(AzureSettings(**{**newcomer, "connect_seconds": 1.0})).assignment()

    deadline = time.monotonic() + WAIT
    while NAME in simulator.connected():
        assert time.monotonic() < deadline
        time.sleep(0.05)
