"""The properties of MQTT 5 packets (section 2.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum

from adapters.simulation.mqtt.codec import (
    MalformedPacketError,
    Reader,
    encode_binary,
    encode_text,
    encode_u16,
    encode_u32,
    encode_varint,
)


class Property(IntEnum):
    """Identifiers of table 2-4."""

    PAYLOAD_FORMAT = 0x01
    MESSAGE_EXPIRY = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_ID = 0x0B
    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT_ID = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTH_METHOD = 0x15
    AUTH_DATA = 0x16
    REQUEST_PROBLEM_INFO = 0x17
    WILL_DELAY = 0x18
    REQUEST_RESPONSE_INFO = 0x19
    RESPONSE_INFO = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27
    WILDCARD_AVAILABLE = 0x28
    SUBSCRIPTION_ID_AVAILABLE = 0x29
    SHARED_AVAILABLE = 0x2A


UserProperties = tuple[tuple[str, str], ...]
PropertyValue = int | str | bytes | UserProperties
Properties = Mapping[Property, PropertyValue]

_BYTE = frozenset(
    {
        Property.PAYLOAD_FORMAT,
        Property.REQUEST_PROBLEM_INFO,
        Property.REQUEST_RESPONSE_INFO,
        Property.MAXIMUM_QOS,
        Property.RETAIN_AVAILABLE,
        Property.WILDCARD_AVAILABLE,
        Property.SUBSCRIPTION_ID_AVAILABLE,
        Property.SHARED_AVAILABLE,
    }
)
_TWO_BYTES = frozenset(
    {
        Property.SERVER_KEEP_ALIVE,
        Property.RECEIVE_MAXIMUM,
        Property.TOPIC_ALIAS_MAXIMUM,
        Property.TOPIC_ALIAS,
    }
)
_FOUR_BYTES = frozenset(
    {
        Property.MESSAGE_EXPIRY,
        Property.SESSION_EXPIRY,
        Property.WILL_DELAY,
        Property.MAXIMUM_PACKET_SIZE,
    }
)
_BINARY = frozenset({Property.CORRELATION_DATA, Property.AUTH_DATA})


def whole(properties: Properties, name: Property, default: int) -> int:
    """The number that a property holds, or `default` without it."""
    value = properties.get(name, default)
    return value if isinstance(value, int) else default


def read_properties(reader: Reader) -> dict[Property, PropertyValue]:
    """The property block at the reader's place.

    Raises:
        MalformedPacketError: unknown or repeated property, or a malformed value.
    """
    block = reader.part(reader.varint())
    found: dict[Property, PropertyValue] = {}
    pairs: list[tuple[str, str]] = []
    while not block.exhausted:
        name = _read_name(block)
        if name is Property.USER_PROPERTY:
            pairs.append((block.text(), block.text()))
        elif name in found:
            raise MalformedPacketError(f"the property {name.name} appears twice")
        else:
            found[name] = _reader_of(name)(block)
    if pairs:
        found[Property.USER_PROPERTY] = tuple(pairs)
    return found


def encode_properties(properties: Properties) -> bytes:
    """A property block with its length."""
    block = b"".join(_encode_one(name, value) for name, value in properties.items())
    return encode_varint(len(block)) + block


def _read_name(block: Reader) -> Property:
    number = block.varint()
    try:
        return Property(number)
    except ValueError as error:
        raise MalformedPacketError(f"unknown property {number:#x}") from error


def _reader_of(name: Property) -> Callable[[Reader], PropertyValue]:
    if name in _BYTE:
        return Reader.u8
    if name in _TWO_BYTES:
        return Reader.u16
    if name in _FOUR_BYTES:
        return Reader.u32
    if name is Property.SUBSCRIPTION_ID:
        return Reader.varint
    return Reader.binary if name in _BINARY else Reader.text


def _encode_one(name: Property, value: PropertyValue) -> bytes:
    identifier = encode_varint(name)
    if isinstance(value, int):
        return identifier + _encode_number(name, value)
    if isinstance(value, bytes):
        return identifier + encode_binary(value)
    if isinstance(value, str):
        return identifier + encode_text(value)
    return b"".join(identifier + encode_text(key) + encode_text(item) for key, item in value)


def _encode_number(name: Property, value: int) -> bytes:
    if name in _BYTE:
        return bytes((value,))
    if name in _TWO_BYTES:
        return encode_u16(value)
    return encode_u32(value) if name in _FOUR_BYTES else encode_varint(value)
