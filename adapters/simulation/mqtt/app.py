"""What an application on the MQTT server sees and decides. The server declares it, a cloud plays it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from adapters.simulation.mqtt.properties import Properties


class ConnectCode(IntEnum):
    """The answer to CONNECT in the words of MQTT 3.1.1 (table 3.1); MQTT 5 codes are derived."""

    ACCEPTED = 0
    IDENTIFIER_REJECTED = 2
    UNAVAILABLE = 3
    BAD_CREDENTIALS = 4
    NOT_AUTHORIZED = 5


@dataclass(frozen=True)
class ClientCertificate:
    """The certificate that TLS verified."""

    common_name: str
    der: bytes


@dataclass(frozen=True)
class ClientInfo:
    """Who connects. `version` is 4 (MQTT 3.1.1) or 5."""

    client_id: str
    version: int
    username: str | None = None
    password: bytes | None = None
    certificate: ClientCertificate | None = None


@dataclass(frozen=True)
class Message:
    """One message on its way in or out."""

    topic: str
    payload: bytes
    qos: int = 0
    properties: Properties = field(default_factory=dict)
    retain: bool = False


class App(Protocol):
    """Decides what the clients' packets mean. Called on the server's loop: must not block."""

    def connect(self, client: ClientInfo) -> ConnectCode:
        """Whether this client may come in."""
        ...

    def connected(self, client: ClientInfo) -> None:
        """The client was let in and its session is open."""
        ...

    def disconnected(self, client: ClientInfo) -> None:
        """The client's connection ended, for whatever reason."""
        ...

    def subscribe(self, client: ClientInfo, topic_filter: str, qos: int) -> int | None:
        """The QoS granted (0 or 1), or None to refuse the filter."""
        ...

    def publish(self, client: ClientInfo, message: Message) -> bool:
        """Take a message; False refuses it (PUBACK 0x87 in MQTT 5, hang up in 3.1.1)."""
        ...


V5_CONNECT_REASONS: Mapping[ConnectCode, int] = {
    ConnectCode.ACCEPTED: 0x00,
    ConnectCode.IDENTIFIER_REJECTED: 0x85,
    ConnectCode.UNAVAILABLE: 0x88,
    ConnectCode.BAD_CREDENTIALS: 0x86,
    ConnectCode.NOT_AUTHORIZED: 0x87,
}
