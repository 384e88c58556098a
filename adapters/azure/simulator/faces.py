"""The servers of one simulator: MQTT for devices, HTTPS for services, HTTP for the identity and for downloads."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.azure.simulator.content import Bases
from adapters.azure.simulator.device_topics import MQTT_LIMITS, DeviceTopics
from adapters.azure.simulator.front import Front
from adapters.azure.simulator.hub_routes import Access, hub_routes
from adapters.azure.simulator.identity import HUB_AUDIENCE
from adapters.azure.simulator.instance import Instance, Surroundings
from adapters.azure.simulator.jobs import Jobs
from adapters.azure.simulator.mqtt_front import MqttFront
from adapters.azure.simulator.provisioning import Provisioning
from adapters.simulation.http import HttpServer
from adapters.simulation.mqtt.server import ClientAuth, MqttServer, server_tls
from adapters.simulation.pki import KeyPair

MQTT_PORT = 8883
"""azure-iot-device knows no other; so each simulator has a loopback address of its own."""
HOSTS = tuple(f"127.0.0.{number}" for number in range(2, 255))


@dataclass(frozen=True, slots=True)
class Served:
    """What is behind the servers. `keys` are the hub's policies and their base64 keys."""

    at: Surroundings
    jobs: Jobs
    provisioning: Provisioning
    instance: Instance
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """The servers' certificate, and the CA of the devices'."""

    pair: KeyPair
    ca_file: Path


class Faces:
    """Running servers.

    Raises:
        OSError: no loopback address has MQTT's port free, or `http_port` is taken.
    """

    def __init__(self, served: Served, proof: Proof, http_port: int) -> None:
        self.host, self.topics, self.mqtt = _listen(served, proof)
        at, instance = served.at, served.instance
        access = Access(
            lambda: self.hub_name,
            served.keys,
            lambda token: at.identity.accepts(f"Bearer {token}", HUB_AUDIENCE),
            instance.throttle,
        )
        hub = hub_routes(at.hub, served.jobs, self.topics.methods, faults=at.faults, access=access)
        secure = Front([instance.routes, instance.blob_routes, instance.content.routes, hub])
        plain = Front([at.identity.routes, instance.content.routes])
        self.https = HttpServer(secure, port=http_port, tls=_http_tls(proof.pair), host=self.host)
        self.http = HttpServer(plain, host=self.host)
        self._start_http()
        instance.content.bases = Bases(self.http.url, self.https.url)

    @property
    def hub_name(self) -> str:
        """The hub's REST face, `host:port`."""
        return self.https.url.removeprefix("https://")

    def stop(self) -> None:
        """Hang up on everybody; again is no change."""
        self.http.stop()
        self.https.stop()
        self.mqtt.stop()

    def _start_http(self) -> None:
        try:
            self.https.start()
            self.http.start()
        except OSError:
            self.stop()
            raise


def _listen(served: Served, proof: Proof) -> tuple[str, DeviceTopics, MqttServer]:
    """The MQTT server on the first address whose port is free."""
    at = served.at
    tls = server_tls(proof.pair.cert_file, proof.pair.key_file, proof.ca_file, ClientAuth.OPTIONAL)
    refused = ""
    for host in HOSTS:
        topics = DeviceTopics(at.hub, hosts=frozenset((host,)), faults=at.faults)
        front = MqttFront(topics, served.provisioning)
        server = MqttServer(front, tls=tls, limits=MQTT_LIMITS, now=at.clock.now)
        front.attach(server)
        try:
            server.start(host, MQTT_PORT)
        except OSError as error:
            refused = str(error.strerror or error)
            continue
        return host, topics, server
    raise OSError(f"no address from {HOSTS[0]} to {HOSTS[-1]} has port {MQTT_PORT} free; the last one: {refused}")


def _http_tls(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    return context
