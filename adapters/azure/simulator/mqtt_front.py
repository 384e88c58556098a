"""One MQTT host for hub and provisioning service: the user name tells which of them a client wants."""

from __future__ import annotations

from adapters.azure.simulator.device_topics import DeviceTopics
from adapters.azure.simulator.provisioning import Provisioning
from adapters.simulation.mqtt.app import App, ClientInfo, ConnectCode, Message
from adapters.simulation.mqtt.server import MqttServer


class MqttFront:
    """The application on the MQTT server."""

    def __init__(self, topics: DeviceTopics, provisioning: Provisioning) -> None:
        self._topics = topics
        self._provisioning = provisioning

    def attach(self, server: MqttServer) -> None:
        """The server through which both reply."""
        self._topics.attach(server)
        self._provisioning.attach(server)

    def connect(self, client: ClientInfo) -> ConnectCode:
        """As the service decides that the client wants."""
        return self._wanted(client).connect(client)

    def connected(self, client: ClientInfo) -> None:
        """Tell that service."""
        self._wanted(client).connected(client)

    def disconnected(self, client: ClientInfo) -> None:
        """Tell that service."""
        self._wanted(client).disconnected(client)

    def subscribe(self, client: ClientInfo, topic_filter: str, qos: int) -> int | None:
        """As that service decides."""
        return self._wanted(client).subscribe(client, topic_filter, qos)

    def publish(self, client: ClientInfo, message: Message) -> bool:
        """As that service decides."""
        return self._wanted(client).publish(client, message)

    def _wanted(self, client: ClientInfo) -> App:
        return self._provisioning if self._provisioning.serves(client) else self._topics
