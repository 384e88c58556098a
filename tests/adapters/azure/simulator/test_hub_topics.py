"""What clients send that no SDK would: strange names, topics, payloads and signatures. No network."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.simulator import sas
from adapters.azure.simulator.device_topics import DeviceTopics, parse_user_name
from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.mqtt_front import MqttFront
from adapters.azure.simulator.provisioning import Provisioning
from adapters.azure.simulator.twins import Credentials
from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Effect, Faults
from adapters.simulation.mqtt.app import ClientCertificate, ClientInfo, ConnectCode, Message

NOW = 1_800_000_000
KEY = base64.b64encode(b"k" * 32).decode()
NAME = "hub.example/pump/?api-version=2019-10-01"
REGISTRAR = "scope/registrations/pump/api-version=2019-03-31"
RID = "?$rid=7"


class Line:
    """Stands for the MQTT server: remembers what would be sent."""

    def __init__(self):
        self.sent = []

    def send(self, client_id, message):
        """To one device."""
        self.sent.append((client_id, message.topic, message.payload))


def token(resource="hub.example/devices/pump", key=KEY, until=NOW + 60, extra=""):
    """A signature as a device makes it."""
    named = quote(resource, safe="")
    signed = base64.b64encode(hmac.digest(base64.b64decode(key), f"{named}\n{until}".encode(), hashlib.sha256))
    return f"SharedAccessSignature sr={named}&sig={quote(signed, safe='')}&se={until}{extra}"


@pytest.fixture
def front():
    """Hub and provisioning service on one line, with the device `pump` in both."""
    hub, faults = Hub(VirtualClock(NOW, frozen=True)), Faults()
    hub.add_device("pump", key=KEY)
    topics = DeviceTopics(hub, hosts=frozenset({"hub.example"}), faults=faults)
    provisioning = Provisioning(hub, id_scope="scope", hub_host=lambda: "hub.example", faults=faults)
    provisioning.enrol("pump", Credentials((KEY,)))
    made = MqttFront(topics, provisioning)
    made.line, made.faults, made.hub = Line(), faults, hub
    made.attach(made.line)
    return made


def client(name=NAME, password=None, client_id="pump", common_name=None):
    """Who connects."""
    certificate = ClientCertificate(common_name, b"der") if common_name else None
    return ClientInfo(client_id, 4, name, None if password is None else password.encode(), certificate)


@pytest.mark.parametrize(
    "who",
    [
        client(password=token()),
        client("HUB.example/pump/?api-version=x&model-id=y", token("HUB.example/devices/pump")),
        client(password=token("hub.example")),
        client(REGISTRAR, token("scope/registrations/pump", extra="&skn=registration")),
    ],
)
def test_who_may_come_in(front, who):
    """The hub's name in any case; a signature for all of it opens each part."""
    assert front.connect(who) is ConnectCode.ACCEPTED


@pytest.mark.parametrize(
    "who",
    [
        client(password=None),
        client(password=""),
        client(password="Basic x"),
        client(password=token(until=NOW)),
        client(password=token("hub.example/devices/pump2")),
        client(password=token("hub.example/devices/pum")),
        client(password=token(key=base64.b64encode(b"x" * 32).decode())),
        client(password=token().replace("&se=1", "&se=2")),
        client(password=token().replace("&se=", "&xx=")),
        client(password="SharedAccessSignature sr&sig&se"),
        client(password=token() + "&" * 3000),
        client(password=None, common_name="pump"),
        client("other.example/pump/?api-version=x", token("other.example/devices/pump")),
        client("hub.example/pump/", token()),
        client("hub.example/pump/?model-id=x", token()),
        client("hub.example", token()),
        client("", token()),
        client(password=token(), client_id="valve"),
        client(REGISTRAR, token("scope/registrations/other")),
        client("scope/registrations/pump", token("scope/registrations/pump")),
        client("scope/registrations/valve/api-version=1", token("scope/registrations/valve"), "valve"),
        client("other/registrations/pump/api-version=1", token("other/registrations/pump")),
    ],
)
def test_who_may_not(front, who):
    """Every one of them is told the same."""
    assert front.connect(who) is ConnectCode.NOT_AUTHORIZED


@given(st.text())
def test_no_user_name_breaks_the_hub(text):
    """It has all its parts, or it is none."""
    name = parse_user_name(text)
    assert name is None or (name.device_id and text.startswith(name.hub))


@given(st.text())
def test_no_signature_breaks_the_hub(text):
    """It is read or refused."""
    with pytest.raises(sas.SasRefused):
        sas.parse(f"SharedAccessSignature {text}&se=x")


@pytest.mark.parametrize("payload", [b"", b"[1]", b"{", b"\xff", b'{"a": NaN}', b"[" * 50_000, b'{"\\ud800": 1}'])
def test_a_report_that_is_no_object_is_a_bad_request(front, payload):
    """Status 400 in the topic, and the twin stays."""
    assert front.publish(client(), Message(f"$iothub/twin/PATCH/properties/reported/{RID}", payload, 1))

    assert front.line.sent[0][:2] == ("pump", "$iothub/twin/res/400/?$rid=7")
    assert front.hub.reported("pump") == {}


@pytest.mark.parametrize(
    "topic",
    [
        "$iothub/twin/GET/",
        "$iothub/twin/DELETE/?$rid=1",
        "$iothub/methods/res/200/",
        "$iothub/methods/res/ok/?$rid=1",
        "devices/valve/messages/events/",
        "anything",
        "$dps/registrations/PUT/iotdps-register/?$rid=1",
    ],
)
def test_other_topics_end_the_connection(front, topic):
    """A hub is no broker."""
    assert not front.publish(client(), Message(topic, b"1", 1))


def test_a_result_that_is_not_json_ends_the_connection(front):
    """And one that nobody waits for is taken."""
    assert not front.publish(client(), Message(f"$iothub/methods/res/200/{RID}", b"{"))
    assert front.publish(client(), Message(f"$iothub/methods/res/200/{RID}", b""))


@pytest.mark.parametrize(
    ("who", "topic_filter", "granted"),
    [
        (client(), "$iothub/twin/res/#", True),
        (client(), "devices/pump/messages/devicebound/#", True),
        (client(), "devices/valve/messages/devicebound/#", False),
        (client(), "#", False),
        (client(), "$iothub/#", False),
        (client(), "$dps/registrations/res/#", False),
        (client(REGISTRAR), "$dps/registrations/res/#", True),
        (client(REGISTRAR), "$iothub/twin/res/#", False),
    ],
)
def test_what_may_be_subscribed_to(front, who, topic_filter, granted):
    """Only the topics that the service sends to this client on."""
    assert (front.subscribe(who, topic_filter, 1) == 1) is granted


def registrations(front, payload=b'{"registrationId": "pump"}', topic="PUT/iotdps-register/?$rid=7"):
    """One request to the provisioning service and what it answers."""
    taken = front.publish(client(REGISTRAR), Message(f"$dps/registrations/{topic}", payload, 1))
    return taken, front.line.sent


@pytest.mark.parametrize("payload", [b"", b"5", b"{}", b'{"registrationId": "valve"}', b"[" * 50_000])
def test_a_malformed_registration(front, payload):
    """A bad request; no operation begins."""
    taken, sent = registrations(front, payload)

    assert (taken, sent[0][1]) == (True, "$dps/registrations/res/400/?$rid=7&retry-after=0")


@pytest.mark.parametrize(
    ("topic", "status"),
    [
        ("GET/iotdps-get-operationstatus/?$rid=7&operationId=4.pump.1", "202"),
        ("GET/iotdps-get-operationstatus/?$rid=7&operationId=4.valve.1", "404"),
        ("GET/iotdps-get-operationstatus/?$rid=7", "404"),
    ],
)
def test_only_ones_own_operation_is_told(front, topic, status):
    """Others do not exist."""
    registrations(front)
    _, sent = registrations(front, topic=topic)

    assert sent[-1][1].startswith(f"$dps/registrations/res/{status}/")


def test_other_topics_of_the_registrar_end_the_connection(front):
    """Without a request id, or twin requests before there is a hub."""
    assert registrations(front, topic="PUT/iotdps-register/")[0] is False
    assert not front.publish(client(REGISTRAR), Message(f"$iothub/twin/GET/{RID}", b""))


@pytest.mark.parametrize(
    ("effect", "taken", "answers"),
    [(Effect.LOSE_REQUEST, True, 0), (Effect.LOSE_REPLY, True, 0), (Effect.DISCONNECT, False, 0)],
)
def test_a_registration_may_go_unanswered(front, effect, taken, answers):
    """Nobody answers, or the line breaks."""
    front.faults.plan("register", effect)

    assert (registrations(front)[0], len(front.line.sent)) == (taken, answers)
