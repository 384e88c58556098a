"""MQTT 3.1.1 and 5 packets: what clients send decoded, what the server sends encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from adapters.simulation.mqtt.app import Message
from adapters.simulation.mqtt.codec import (
    MalformedPacketError,
    Reader,
    encode_text,
    encode_u16,
    encode_varint,
)
from adapters.simulation.mqtt.properties import (
    Properties,
    Property,
    encode_properties,
    read_properties,
)

V311 = 4
V5 = 5


class Kind(IntEnum):
    """Control packet types (table 2-1)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


class Reason(IntEnum):
    """The MQTT 5 reason codes (table 2-6) that this server uses."""

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    NO_SUBSCRIPTION_EXISTED = 0x11
    UNSPECIFIED = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_VERSION = 0x84
    NOT_AUTHORIZED = 0x87
    SERVER_SHUTTING_DOWN = 0x8B
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98


@dataclass(frozen=True)
class Connect:
    """CONNECT. `version` is the protocol level as sent; others than 4 and 5 carry nothing else."""

    version: int
    client_id: str = ""
    clean: bool = True
    keep_alive: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Message | None = None
    properties: Properties | None = None


@dataclass(frozen=True)
class Publish:
    """PUBLISH with its packet id, 0 at QoS 0."""

    message: Message
    packet_id: int = 0
    duplicate: bool = False


@dataclass(frozen=True)
class Subscribe:
    """SUBSCRIBE: (filter, wished QoS) pairs."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]
    properties: Properties


@dataclass(frozen=True)
class Unsubscribe:
    """UNSUBSCRIBE."""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Disconnect:
    """DISCONNECT from the client."""

    reason: int
    properties: Properties


_CLEAN, _WILL, _WILL_RETAIN, _PASSWORD, _USERNAME = 0x02, 0x04, 0x20, 0x40, 0x80


def decode_connect(body: bytes) -> Connect:
    """A CONNECT body.

    Raises:
        MalformedPacketError: not MQTT.
    """
    reader = Reader(body)
    if reader.text() != "MQTT":
        raise MalformedPacketError("the protocol name is not MQTT")
    version = reader.u8()
    if version not in (V311, V5):
        return Connect(version)
    flags, keep_alive = reader.u8(), reader.u16()
    properties = read_properties(reader) if version == V5 else {}
    client_id = reader.text()
    will = _read_will(reader, flags, version) if flags & _WILL else None
    username = reader.text() if flags & _USERNAME else None
    password = reader.binary() if flags & _PASSWORD else None
    clean = bool(flags & _CLEAN)
    return Connect(version, client_id, clean, keep_alive, username, password, will, properties)


def _read_will(reader: Reader, flags: int, version: int) -> Message:
    properties = read_properties(reader) if version == V5 else {}
    topic, payload = reader.text(), reader.binary()
    return Message(topic, payload, flags >> 3 & 3, properties, bool(flags & _WILL_RETAIN))


def decode_publish(version: int, flags: int, body: bytes) -> Publish:
    """A PUBLISH body with the flags of its first byte.

    Raises:
        MalformedPacketError: not MQTT, or QoS above 1, which this server does not offer.
    """
    qos = flags >> 1 & 3
    if qos > 1:
        raise MalformedPacketError(f"QoS {qos} is not offered here")
    reader = Reader(body)
    topic = reader.text()
    packet_id = reader.u16() if qos else 0
    if qos and not packet_id:
        raise MalformedPacketError("a packet id of zero")
    properties = read_properties(reader) if version == V5 else {}
    message = Message(topic, reader.rest(), qos, properties, bool(flags & 1))
    return Publish(message, packet_id, bool(flags & 8))


def decode_subscribe(version: int, body: bytes) -> Subscribe:
    """A SUBSCRIBE body.

    Raises:
        MalformedPacketError: not MQTT, or no filter in it.
    """
    reader = Reader(body)
    packet_id = reader.u16()
    properties = read_properties(reader) if version == V5 else {}
    filters: list[tuple[str, int]] = []
    while not reader.exhausted:
        filters.append((reader.text(), reader.u8() & 3))
    if not filters:
        raise MalformedPacketError("a SUBSCRIBE without a topic filter")
    return Subscribe(packet_id, tuple(filters), properties)


def decode_unsubscribe(version: int, body: bytes) -> Unsubscribe:
    """An UNSUBSCRIBE body.

    Raises:
        MalformedPacketError: not MQTT.
    """
    reader = Reader(body)
    packet_id = reader.u16()
    if version == V5:
        read_properties(reader)
    filters: list[str] = []
    while not reader.exhausted:
        filters.append(reader.text())
    return Unsubscribe(packet_id, tuple(filters))


def decode_disconnect(body: bytes) -> Disconnect:
    """A DISCONNECT body; empty means a plain goodbye.

    Raises:
        MalformedPacketError: not MQTT.
    """
    reader = Reader(body)
    reason = Reason.SUCCESS if reader.exhausted else reader.u8()
    properties = {} if reader.exhausted else read_properties(reader)
    return Disconnect(reason, properties)


def encode_connack(version: int, code: int, *, present: bool, properties: Properties) -> bytes:
    """CONNACK; `code` is a return code in 3.1.1 and a reason code in 5."""
    tail = encode_properties(properties) if version == V5 else b""
    return _packet(Kind.CONNACK, 0, bytes((present, code)) + tail)


def encode_publish(version: int, publish: Publish) -> bytes:
    """PUBLISH."""
    message = publish.message
    flags = publish.duplicate << 3 | message.qos << 1 | message.retain
    identifier = encode_u16(publish.packet_id) if message.qos else b""
    properties = encode_properties(message.properties) if version == V5 else b""
    body = encode_text(message.topic) + identifier + properties + message.payload
    return _packet(Kind.PUBLISH, flags, body)


def encode_puback(version: int, packet_id: int, reason: Reason = Reason.SUCCESS) -> bytes:
    """PUBACK; MQTT 3.1.1 has no reason."""
    tail = bytes((reason, 0)) if version == V5 and reason else b""
    return _packet(Kind.PUBACK, 0, encode_u16(packet_id) + tail)


def encode_suback(version: int, packet_id: int, codes: Sequence[int]) -> bytes:
    """SUBACK: one granted QoS or failure for each filter."""
    return _acknowledge(Kind.SUBACK, version, packet_id, codes)


def encode_unsuback(version: int, packet_id: int, codes: Sequence[int]) -> bytes:
    """UNSUBACK; MQTT 3.1.1 has no codes."""
    return _acknowledge(Kind.UNSUBACK, version, packet_id, codes if version == V5 else ())


def encode_pingresp() -> bytes:
    """PINGRESP."""
    return _packet(Kind.PINGRESP, 0, b"")


def encode_disconnect(reason: Reason) -> bytes:
    """DISCONNECT to an MQTT 5 client."""
    return _packet(Kind.DISCONNECT, 0, bytes((reason, 0)))


def without_alias(message: Message) -> Message:
    """The message without its topic alias, which belongs to one connection only."""
    properties = dict(message.properties)
    properties.pop(Property.TOPIC_ALIAS, None)
    return Message(message.topic, message.payload, message.qos, properties, message.retain)


def _acknowledge(kind: Kind, version: int, packet_id: int, codes: Sequence[int]) -> bytes:
    properties = encode_properties({}) if version == V5 else b""
    return _packet(kind, 0, encode_u16(packet_id) + properties + bytes(codes))


def _packet(kind: Kind, flags: int, body: bytes) -> bytes:
    return bytes((kind << 4 | flags,)) + encode_varint(len(body)) + body
