"""MQTT data types, properties and packets survive the wire; what is not MQTT is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulation.mqtt import packets
from adapters.simulation.mqtt.app import Message
from adapters.simulation.mqtt.codec import (
    MAX_VARINT,
    Framer,
    MalformedPacketError,
    Reader,
    encode_text,
    encode_varint,
)
from adapters.simulation.mqtt.packets import V5, V311, Publish
from adapters.simulation.mqtt.properties import Property, encode_properties, read_properties

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
NUMBERS = {
    Property.PAYLOAD_FORMAT: 0xFF,
    Property.MESSAGE_EXPIRY: 0xFFFFFFFF,
    Property.SUBSCRIPTION_ID: MAX_VARINT,
    Property.RECEIVE_MAXIMUM: 0xFFFF,
}
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.integers(0, limit) for name, limit in NUMBERS.items()},
        Property.RESPONSE_TOPIC: TEXT,
        Property.CORRELATION_DATA: st.binary(max_size=40),
        Property.USER_PROPERTY: st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4).map(tuple),
    },
)


@given(st.integers(0, MAX_VARINT))
def test_a_variable_byte_integer_comes_back(value):
    """Every value of the type is read as it was written."""
    assert Reader(encode_varint(value)).varint() == value


@given(PROPERTIES)
def test_properties_come_back(properties):
    """Every kind of property value is read as it was written, and nothing is left over."""
    reader = Reader(encode_properties(properties))

    assert read_properties(reader) == properties
    assert reader.exhausted


def messages(version):
    """Messages that this protocol version can carry."""
    properties = PROPERTIES if version == V5 else st.just({})
    return st.builds(Message, TEXT.filter(bool), st.binary(max_size=300), st.integers(0, 1), properties)


@pytest.mark.parametrize("version", [V311, V5])
@given(data=st.data(), cut=st.integers(1, 50))
def test_a_message_comes_back_however_the_stream_is_cut(version, data, cut):
    """Framing and PUBLISH decoding undo encoding for any division of the bytes."""
    message = data.draw(messages(version))
    publish = Publish(message, 7 if message.qos else 0)
    wire = packets.encode_publish(version, publish)
    framer = Framer(1 << 20)

    frames = [frame for at in range(0, len(wire), cut) for frame in framer.feed(wire[at : at + cut])]

    assert len(frames) == 1
    assert packets.decode_publish(version, frames[0].flags, frames[0].body) == publish


@given(st.binary(max_size=200))
def test_no_bytes_upset_the_decoders(noise):
    """Hostile bodies are either understood or refused with the one error of the codec."""
    decoders = (
        packets.decode_connect,
        packets.decode_disconnect,
        lambda body: packets.decode_publish(V5, 2, body),
        lambda body: packets.decode_subscribe(V5, body),
        lambda body: packets.decode_unsubscribe(V5, body),
        lambda body: list(Framer(100).feed(body)),
    )
    for decode in decoders:
        with contextlib.suppress(MalformedPacketError):
            decode(noise)


CONNECT_311 = encode_text("MQTT") + bytes((4, 0xC2, 0, 30)) + b"".join(map(encode_text, ("dev", "me", "pw")))


def test_connect_of_mqtt_3_1_1_is_understood():
    """Client id, user name, password, clean flag and keep-alive are all read."""
    connect = packets.decode_connect(CONNECT_311)

    assert (connect.version, connect.client_id, connect.keep_alive, connect.clean) == (4, "dev", 30, True)
    assert (connect.username, connect.password) == ("me", b"pw")


def test_a_will_is_understood():
    """Topic, payload and QoS of the will are read."""
    body = encode_text("MQTT") + bytes((4, 0x0E, 0, 0)) + b"".join(map(encode_text, ("dev", "dt/dev/gone", "bye")))

    assert packets.decode_connect(body).will == Message("dt/dev/gone", b"bye", 1)


MALFORMED = {
    "a packet above the limit": (lambda: list(Framer(10).feed(b"\x30\x0b" + b"x" * 11)), "11 bytes exceeds 10"),
    "an endless length": (lambda: list(Framer(10).feed(b"\x30\xff\xff\xff\xff")), "longer than four bytes"),
    "QoS 2": (lambda: packets.decode_publish(V5, 4, b"\0\1a\0\1"), "QoS 2 is not offered"),
    "another protocol": (lambda: packets.decode_connect(encode_text("MQIsdp")), "protocol name is not MQTT"),
    "a field that ends early": (lambda: Reader(b"\0\5ab").text(), "ends inside a field"),
    "NUL in text": (lambda: Reader(b"\0\1\0").text(), "contains NUL"),
    "text that is not UTF-8": (lambda: Reader(b"\0\1\xff").text(), "not UTF-8"),
    "an unknown property": (lambda: read_properties(Reader(b"\x02\x7f\x00")), "unknown property 0x7f"),
    "a property twice": (lambda: read_properties(Reader(b"\x04\x01\x01\x01\x01")), "appears twice"),
    "a SUBSCRIBE without filter": (lambda: packets.decode_subscribe(V311, b"\0\1"), "without a topic filter"),
    "packet id zero": (lambda: packets.decode_publish(V311, 2, b"\0\1a\0\0x"), "packet id of zero"),
}


@pytest.mark.parametrize(("decode", "message"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_mqtt_is_refused(decode, message):
    """The refusal says what is wrong."""
    with pytest.raises(MalformedPacketError, match=message):
        decode()
