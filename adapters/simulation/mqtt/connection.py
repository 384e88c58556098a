"""One client's connection: packets in, decisions of the application out."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
import time
from dataclasses import dataclass, field, replace
from typing import cast

from adapters.simulation.mqtt import packets
from adapters.simulation.mqtt.app import (
    V5_CONNECT_REASONS,
    App,
    ClientCertificate,
    ClientInfo,
    ConnectCode,
    Message,
)
from adapters.simulation.mqtt.broker import Broker
from adapters.simulation.mqtt.codec import Frame, Framer, MalformedPacketError
from adapters.simulation.mqtt.packets import V5, V311, Connect, Kind, Publish, Reason
from adapters.simulation.mqtt.properties import Properties, Property, PropertyValue, whole
from adapters.simulation.mqtt.session import Subscription
from adapters.simulation.mqtt.trie import is_valid_filter, is_valid_topic

_LOG = logging.getLogger(__name__)
_HANDSHAKE_SECONDS = 30
_KEEP_ALIVE_FACTOR = 1.5
_ALIASES = 8
_ASSIGNED_IDS = itertools.count(1)
_REFUSED_FILTER = 0x80
_UNACCEPTABLE_VERSION = 1
_LATER_FOREVER = 0xFFFFFFFF


@dataclass(frozen=True)
class Limits:
    """What the server takes: packet body in bytes; messages in flight and subscriptions a client."""

    max_packet: int = 512 * 1024
    receive_maximum: int = 100
    subscriptions: int = 100


@dataclass
class _Peer:
    """What CONNECT said."""

    info: ClientInfo
    keep_alive: int
    receive_maximum: int
    max_packet: int
    will: Message | None
    aliases: dict[int, str] = field(default_factory=dict)


class Connection(asyncio.Protocol):
    """The MQTT conversation with one client, from its first byte to its last."""

    def __init__(self, app: App, broker: Broker, limits: Limits) -> None:
        self._app = app
        self._broker = broker
        self._limits = limits
        self._framer = Framer(limits.max_packet)
        self._transport: asyncio.Transport | None = None
        self._peer: _Peer | None = None
        self._heard = time.monotonic()
        self._expiry: float | None = None

    @property
    def receive_maximum(self) -> int:
        """How many QoS 1 messages the client takes at once."""
        return min(self._limits.receive_maximum, self._peer.receive_maximum) if self._peer else 0

    @property
    def writable(self) -> bool:
        """Whether bytes can still be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def overdue(self) -> bool:
        """Whether the client was silent for longer than it promised (1.5 times keep-alive)."""
        silence = time.monotonic() - self._heard
        if self._peer is None:
            return silence > _HANDSHAKE_SECONDS
        limit = self._peer.keep_alive * _KEEP_ALIVE_FACTOR
        return bool(limit) and silence > limit

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Called by asyncio: publish the will if the client did not say goodbye."""
        peer = self._peer
        if peer is None:
            return
        self._broker.detach(peer.info.client_id, self, self._expiry)
        if peer.will is not None:
            self._app.publish(peer.info, peer.will)
        self._app.disconnected(peer.info)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._heard = time.monotonic()
        self._acknowledge_at_once()
        try:
            for frame in self._framer.feed(data):
                self._handle(frame)
        except MalformedPacketError as error:
            _LOG.info("closing %s: %s", self._peer.info.client_id if self._peer else "?", error)
            self.close(Reason.MALFORMED_PACKET)

    def send_publish(self, publish: Publish) -> None:
        """Write one PUBLISH, unless it is larger than the client takes (MQTT 5, 3.1.2.11.4)."""
        if self._peer is None:
            return
        packet = packets.encode_publish(self._peer.info.version, publish)
        if len(packet) <= self._peer.max_packet:
            self._write(packet)

    def close(self, reason: Reason) -> None:
        """End the connection; MQTT 5 clients learn why."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._peer is not None and self._peer.info.version == V5:
            self._write(packets.encode_disconnect(reason))
        self._transport.close()

    def _handle(self, frame: Frame) -> None:
        if not self.writable:
            return
        if self._peer is None:
            self._on_first(frame)
            return
        match frame.kind:
            case Kind.PUBLISH:
                self._on_publish(self._peer, frame)
            case Kind.PUBACK:
                packet_id = int.from_bytes(frame.body[:2])
                self._broker.acknowledge(self._peer.info.client_id, packet_id)
            case Kind.PINGREQ:
                self._write(packets.encode_pingresp())
            case Kind.SUBSCRIBE:
                self._on_subscribe(self._peer, frame.body)
            case Kind.UNSUBSCRIBE:
                self._on_unsubscribe(self._peer, frame.body)
            case Kind.DISCONNECT:
                self._on_disconnect(self._peer, frame.body)
            case _:
                raise MalformedPacketError(f"a packet of type {frame.kind} is not expected")

    def _on_first(self, frame: Frame) -> None:
        if frame.kind != Kind.CONNECT:
            raise MalformedPacketError("the first packet is not CONNECT")
        connect = packets.decode_connect(frame.body)
        if connect.version not in (V311, V5):
            self._refuse(V311, _UNACCEPTABLE_VERSION)
            return
        assigned = "" if connect.client_id else f"auto-{next(_ASSIGNED_IDS)}"
        info = ClientInfo(
            connect.client_id or assigned,
            connect.version,
            connect.username,
            connect.password,
            self._certificate(),
        )
        code = self._app.connect(info)
        if code is not ConnectCode.ACCEPTED:
            self._refuse(info.version, V5_CONNECT_REASONS[code] if info.version == V5 else code)
            return
        self._welcome(info, connect, assigned)

    def _welcome(self, info: ClientInfo, connect: Connect, assigned: str) -> None:
        wishes = connect.properties or {}
        expiry = _session_expiry(connect)
        self._peer = _Peer(
            info,
            connect.keep_alive,
            whole(wishes, Property.RECEIVE_MAXIMUM, self._limits.receive_maximum),
            whole(wishes, Property.MAXIMUM_PACKET_SIZE, self._limits.max_packet),
            connect.will,
        )
        present = self._broker.open(info.client_id, self, clean=connect.clean, expiry=expiry)
        offer = self._offer(assigned, min(expiry, self._broker.max_expiry))
        self._write(packets.encode_connack(info.version, 0, present=present, properties=offer))
        self._app.connected(info)
        self._broker.resume(info.client_id)

    def _offer(self, assigned: str, expiry: float) -> Properties:
        offer: dict[Property, PropertyValue] = {
            Property.SESSION_EXPIRY: int(expiry),
            Property.RECEIVE_MAXIMUM: self._limits.receive_maximum,
            Property.MAXIMUM_QOS: 1,
            Property.RETAIN_AVAILABLE: 0,
            Property.MAXIMUM_PACKET_SIZE: self._limits.max_packet,
            Property.TOPIC_ALIAS_MAXIMUM: _ALIASES,
            Property.SHARED_AVAILABLE: 0,
        }
        if assigned:
            offer[Property.ASSIGNED_CLIENT_ID] = assigned
        return offer

    def _on_publish(self, peer: _Peer, frame: Frame) -> None:
        publish = packets.decode_publish(peer.info.version, frame.flags, frame.body)
        message = _unalias(publish.message, peer.aliases)
        if not is_valid_topic(message.topic):
            raise MalformedPacketError(f"a message cannot be published to {message.topic!r}")
        taken = self._app.publish(peer.info, message)
        if not taken and (peer.info.version == V311 or not message.qos):
            self.close(Reason.NOT_AUTHORIZED)
        elif message.qos:
            reason = Reason.SUCCESS if taken else Reason.NOT_AUTHORIZED
            self._write(packets.encode_puback(peer.info.version, publish.packet_id, reason))

    def _on_subscribe(self, peer: _Peer, body: bytes) -> None:
        request = packets.decode_subscribe(peer.info.version, body)
        number = whole(request.properties, Property.SUBSCRIPTION_ID, 0)
        codes = [self._grant(peer, each, qos, number or None) for each, qos in request.filters]
        self._write(packets.encode_suback(peer.info.version, request.packet_id, codes))

    def _grant(self, peer: _Peer, topic_filter: str, qos: int, number: int | None) -> int:
        if not is_valid_filter(topic_filter):
            return Reason.TOPIC_FILTER_INVALID if peer.info.version == V5 else _REFUSED_FILTER
        if self._broker.subscriptions(peer.info.client_id) >= self._limits.subscriptions:
            return Reason.QUOTA_EXCEEDED if peer.info.version == V5 else _REFUSED_FILTER
        granted = self._app.subscribe(peer.info, topic_filter, min(qos, 1))
        if granted is None:
            return Reason.NOT_AUTHORIZED if peer.info.version == V5 else _REFUSED_FILTER
        self._broker.subscribe(peer.info.client_id, topic_filter, Subscription(granted, number))
        return granted

    def _on_unsubscribe(self, peer: _Peer, body: bytes) -> None:
        request = packets.decode_unsubscribe(peer.info.version, body)
        existed = [self._broker.unsubscribe(peer.info.client_id, each) for each in request.filters]
        codes = [Reason.SUCCESS if each else Reason.NO_SUBSCRIPTION_EXISTED for each in existed]
        self._write(packets.encode_unsuback(peer.info.version, request.packet_id, codes))

    def _on_disconnect(self, peer: _Peer, body: bytes) -> None:
        goodbye = packets.decode_disconnect(body)
        if goodbye.reason != Reason.DISCONNECT_WITH_WILL:
            peer.will = None
        if Property.SESSION_EXPIRY in goodbye.properties:
            self._expiry = whole(goodbye.properties, Property.SESSION_EXPIRY, 0)
        if self._transport is not None:
            self._transport.close()

    def _refuse(self, version: int, code: int) -> None:
        self._write(packets.encode_connack(version, code, present=False, properties={}))
        if self._transport is not None:
            self._transport.close()

    def _write(self, packet: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(packet)

    def _certificate(self) -> ClientCertificate | None:
        tls = self._transport.get_extra_info("ssl_object") if self._transport else None
        if not isinstance(tls, ssl.SSLObject) or not (subject := tls.getpeercert()):
            return None
        return ClientCertificate(_common_name(subject), tls.getpeercert(binary_form=True) or b"")

    def _acknowledge_at_once(self) -> None:
        # awscrt leaves Nagle on, so a delayed TCP acknowledgement costs each request 40 ms.
        raw = self._transport.get_extra_info("socket") if self._transport else None
        if raw is not None and hasattr(socket, "TCP_QUICKACK"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _session_expiry(connect: Connect) -> float:
    if connect.version == V5:
        return whole(connect.properties or {}, Property.SESSION_EXPIRY, 0)
    return 0 if connect.clean else _LATER_FOREVER


def _unalias(message: Message, aliases: dict[int, str]) -> Message:
    alias = whole(message.properties, Property.TOPIC_ALIAS, 0)
    if not alias:
        return message
    if alias > _ALIASES:
        raise MalformedPacketError(f"topic alias {alias} exceeds {_ALIASES}")
    topic = message.topic or aliases.get(alias, "")
    aliases[alias] = topic
    return packets.without_alias(replace(message, topic=topic))


def _common_name(certificate: object) -> str:
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    names = (value for part in subject for key, value in part if key == "commonName")
    return str(next(names, ""))
