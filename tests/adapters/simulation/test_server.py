"""The MQTT server on a socket: the conversation byte by byte, without any SDK."""

from __future__ import annotations

import queue
import socket

import pytest

from adapters.simulation.mqtt import packets
from adapters.simulation.mqtt.app import ConnectCode, Message
from adapters.simulation.mqtt.codec import Framer, Reader, encode_text, encode_varint
from adapters.simulation.mqtt.packets import V5, V311, Kind, Publish, Reason
from adapters.simulation.mqtt.properties import Property, encode_properties, read_properties, whole
from adapters.simulation.mqtt.server import MqttServer


class Recorder:
    """An application that takes everything but what starts with `no`."""

    def __init__(self):
        self.published = queue.Queue()
        self.gone = queue.Queue()

    def connect(self, client):
        return ConnectCode.NOT_AUTHORIZED if client.client_id.startswith("no") else ConnectCode.ACCEPTED

    def connected(self, client):
        pass

    def disconnected(self, client):
        self.gone.put(client.client_id)

    def subscribe(self, _client, topic_filter, qos):
        return None if topic_filter.startswith("no") else qos

    def publish(self, client, message):
        self.published.put((client.client_id, message))
        return not message.topic.startswith("no")


class Peer:
    """A client made of a socket and the codec."""

    def __init__(self, port, version):
        self.version = version
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.framer = Framer(1 << 20)
        self.frames = []

    def send(self, kind, body, flags=0):
        self.socket.sendall(bytes((kind << 4 | flags,)) + encode_varint(len(body)) + body)

    def connect(self, client_id, *, flags=2, will=b"", properties=None):
        block = encode_properties(properties or {}) if self.version == V5 else b""
        head = encode_text("MQTT") + bytes((self.version, flags, 0, 60)) + block
        self.send(Kind.CONNECT, head + encode_text(client_id) + will)
        return self.receive(Kind.CONNACK)

    def publish(self, topic, payload=b"", *, qos=1, properties=None):
        packet = packets.encode_publish(
            self.version, Publish(Message(topic, payload, qos, properties or {}), 1 if qos else 0)
        )
        self.socket.sendall(packet)

    def subscribe(self, topic_filter, qos=1):
        block = encode_properties({}) if self.version == V5 else b""
        self.send(Kind.SUBSCRIBE, b"\0\1" + block + encode_text(topic_filter) + bytes((qos,)), 2)
        return self.receive(Kind.SUBACK)[-1]

    def receive(self, kind):
        while not self.frames:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.frames += self.framer.feed(data)
        frame = self.frames.pop(0)
        assert frame.kind == kind, frame
        return frame.body


@pytest.fixture
def app():
    return Recorder()


@pytest.fixture
def server(app):
    server = MqttServer(app, tls=None)
    server.port = server.start()
    yield server
    server.stop()


@pytest.fixture
def peer(server):
    opened = []

    def join(client_id, version=V5, **kwargs):
        made = Peer(server.port, version)
        opened.append(made)
        made.connack = made.connect(client_id, **kwargs)
        return made

    yield join
    for each in opened:
        each.socket.close()


@pytest.mark.parametrize(("version", "code"), [(V311, 5), (V5, 0x87)])
def test_a_refused_client_learns_why(peer, version, code):
    """CONNACK carries the code of the client's own protocol version."""
    assert peer("nobody", version).connack[1] == code


def test_an_unknown_protocol_version_is_refused(server):
    """MQTT 3.1.1's code 1 answers whatever is neither 4 nor 5."""
    peer = Peer(server.port, 3)
    assert peer.connect("dev")[1] == 1
    peer.socket.close()


def test_mqtt_5_clients_learn_the_limits(peer):
    """QoS 2, retained messages and shared subscriptions are declared absent."""
    reader = Reader(peer("dev", properties={Property.SESSION_EXPIRY: 99}).connack)
    reader.u16()
    offer = read_properties(reader)

    wanted = (Property.MAXIMUM_QOS, Property.RETAIN_AVAILABLE, Property.SHARED_AVAILABLE, Property.SESSION_EXPIRY)
    assert [whole(offer, each, -1) for each in wanted] == [1, 0, 0, 99]


def test_a_client_without_a_name_is_given_one(peer):
    """MQTT 5 tells the assigned client id."""
    reader = Reader(peer("").connack)
    reader.u16()

    assert str(read_properties(reader)[Property.ASSIGNED_CLIENT_ID]).startswith("auto-")


@pytest.mark.parametrize("version", [V311, V5])
def test_messages_go_round(server, peer, version):
    """What the server sends arrives with its id and can be acknowledged."""
    client = peer("dev", version)
    assert client.subscribe("news/#") == 1

    server.send("dev", Message("news/1", b"hello", qos=1))
    body = client.receive(Kind.PUBLISH)

    assert packets.decode_publish(version, 2, body).message.payload == b"hello"


@pytest.mark.parametrize(("version", "code"), [(V311, 0x80), (V5, 0x87)])
def test_a_refused_filter_says_so(peer, version, code):
    """SUBACK refuses one filter; the connection goes on."""
    client = peer("dev", version)

    assert client.subscribe("no/entry") == code
    assert client.subscribe("yes") == 1


def test_a_refused_message_is_answered_in_mqtt_5(peer):
    """PUBACK 0x87, and the client stays connected."""
    client = peer("dev")
    client.publish("no/entry")

    assert client.receive(Kind.PUBACK)[2] == Reason.NOT_AUTHORIZED
    client.send(Kind.PINGREQ, b"")
    assert client.receive(Kind.PINGRESP) == b""


def test_a_refused_message_ends_an_mqtt_3_1_1_connection(peer):
    """There is no way to say no, so the server hangs up."""
    client = peer("dev", V311)
    client.publish("no/entry")

    with pytest.raises(EOFError):
        client.receive(Kind.PUBACK)


def test_a_topic_alias_stands_for_its_topic(app, peer):
    """The second message carries the alias only."""
    client = peer("dev")
    client.publish("long/topic", b"1", properties={Property.TOPIC_ALIAS: 3})
    client.publish("", b"2", properties={Property.TOPIC_ALIAS: 3})

    topics = [app.published.get(timeout=30)[1].topic for _ in range(2)]

    assert topics == ["long/topic", "long/topic"]


WILL = encode_text("dt/gone") + encode_text("bye")


def test_the_will_is_published_when_the_link_breaks(app, peer):
    """An abrupt end speaks for the client."""
    peer("dev", V311, flags=0x0E, will=WILL).socket.close()

    client_id, message = app.published.get(timeout=30)

    assert (client_id, message.topic, message.payload) == ("dev", "dt/gone", b"bye")
    assert app.gone.get(timeout=30) == "dev"


def test_a_goodbye_takes_the_will_back(app, peer):
    """DISCONNECT first, and nothing is published."""
    client = peer("dev", V311, flags=0x0E, will=WILL)
    client.send(Kind.DISCONNECT, b"")

    assert app.gone.get(timeout=30) == "dev"
    assert app.published.empty()


def test_noise_ends_the_connection_and_nothing_else(server, peer):
    """A malformed packet costs its sender the link; others stay."""
    good, bad = peer("good"), peer("bad")
    bad.socket.sendall(b"\x30\x03\xff\xff\xff")

    assert bad.receive(Kind.DISCONNECT)[0] == Reason.MALFORMED_PACKET
    assert server.call(lambda broker: "good" in broker.connected())
    good.send(Kind.PINGREQ, b"")
    assert good.receive(Kind.PINGRESP) == b""


def test_a_taken_port_is_an_error_of_start(server):
    """The caller sees the operating system's refusal, and no thread stays behind."""
    second = MqttServer(Recorder(), tls=None)

    with pytest.raises(OSError, match="in use"):
        second.start(port=server.port)


def test_a_stopped_server_cannot_be_asked():
    """The message says what to do."""
    with pytest.raises(RuntimeError, match="start it first"):
        MqttServer(Recorder(), tls=None).connected()


def test_a_client_cannot_hoard_subscriptions(peer):
    """The hundred and first filter is over the quota."""
    client = peer("dev")

    codes = [client.subscribe(f"t/{number}") for number in range(101)]

    assert codes == [1] * 100 + [Reason.QUOTA_EXCEEDED]
