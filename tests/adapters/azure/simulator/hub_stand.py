"""A hub on loopback by itself, without Device Update, and clients of it made of the real SDKs."""

from __future__ import annotations

import contextlib
import gc
import json
import queue
import random
import ssl
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import urllib3
from azure.iot.device import X509, IoTHubDeviceClient, ProvisioningDeviceClient
from azure.iot.device.exceptions import ConnectionDroppedError, NoConnectionError
from azure.iot.hub import IoTHubJobManager, IoTHubRegistryManager
from msrest.exceptions import HttpOperationError
from werkzeug.wrappers import Request, Response

from adapters.azure.simulator.device_topics import MQTT_LIMITS, DeviceTopics
from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.hub_routes import Access, hub_routes
from adapters.azure.simulator.jobs import Jobs
from adapters.azure.simulator.mqtt_front import MqttFront
from adapters.azure.simulator.provisioning import Provisioning
from adapters.azure.simulator.throttle import Throttle
from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Faults
from adapters.simulation.http import HttpServer
from adapters.simulation.mqtt.server import ClientAuth, MqttServer, server_tls
from adapters.simulation.pki import CertificateAuthority

WAIT = 30
KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
OTHER_KEY = "b3RoZXItb3RoZXItb3RoZXItb3RoZXI="
POLICY = "service"
SCOPE = "0ne00000001"
BEARER = "a-token"
MQTT_PORT = 8883
MODEL = "dtmi:azure:iot:deviceUpdateModel;3"
LAST_HOST = 254
SDK_NOISE = pytest.mark.filterwarnings("ignore:unclosed <s(ocket|sl):ResourceWarning")
"""paho-mqtt 1.6 forgets the socket pair of its loop at every reconnection, and sockets whose handshake failed."""


class Stand:
    """One hub with its MQTT, REST and provisioning faces. azure-iot-device knows no port but 8883."""

    def __init__(self, directory: Path) -> None:
        self.clock = VirtualClock()
        self.faults = Faults()
        self.throttle = Throttle(self.clock.now)
        self.hub = Hub(self.clock)
        self.jobs = Jobs(self.hub, self.faults)
        self._directory = directory
        self._opened = []

    def __enter__(self):
        hosts = [f"127.0.0.{each}" for each in range(2, LAST_HOST + 1)]
        random.shuffle(hosts)
        self.authority = CertificateAuthority(self._directory)
        pair = self.authority.server(addresses=tuple(hosts))
        tls = server_tls(pair.cert_file, pair.key_file, self.authority.ca_file, ClientAuth.OPTIONAL)
        self.host, self._mqtt = self._first_free(hosts, tls)
        self._http = HttpServer(self._wsgi(), tls=_http_tls(pair), host=self.host)
        self._http.start()
        self.clock.subscribe(self.jobs.tick)
        self.clock.subscribe(self.topics.tick)
        return self

    def __exit__(self, *_):
        for client in self._opened:
            _shut_down(client)
        self._http.stop()
        self._mqtt.stop()
        self._opened.clear()
        gc.collect()  # what the SDK forgot is found here, under SDK_NOISE, and not in somebody else's test

    @property
    def name(self):
        """The hub's REST address."""
        return self._http.url.removeprefix("https://")

    # --- clients

    def device(self, device_id="pump", *, key=KEY, model=MODEL, register=True, connect=True, **options):
        """A device with a symmetric key that speaks through azure-iot-device."""
        if register and not self.hub.knows(device_id):
            self.hub.add_device(device_id, key=KEY)
        text = f"HostName={self.host};DeviceId={device_id};SharedAccessKey={key}"
        return self._open(
            lambda ca: IoTHubDeviceClient.create_from_connection_string(
                text, server_verification_cert=ca, product_info=model, **options
            ),
            connect_as=device_id if connect else None,
        )

    def device_x509(self, device_id="pump", *, certificate_of=None, connect=True):
        """A device with a certificate of the CA."""
        pair = self.authority.device(certificate_of or device_id)
        proof = X509(str(pair.cert_file), str(pair.key_file))
        return self._open(
            lambda ca: IoTHubDeviceClient.create_from_x509_certificate(
                proof, self.host, device_id, server_verification_cert=ca
            ),
            connect_as=device_id if connect else None,
        )

    def registrant(self, registration_id="pump", *, key=None):
        """A client of the provisioning service, with a key or else with a certificate."""
        place = {"provisioning_host": self.host, "registration_id": registration_id, "id_scope": SCOPE}
        if key is not None:
            return self._open(
                lambda ca: ProvisioningDeviceClient.create_from_symmetric_key(
                    symmetric_key=key, server_verification_cert=ca, **place
                )
            )
        pair = self.authority.device(registration_id)
        proof = X509(str(pair.cert_file), str(pair.key_file))
        return self._open(
            lambda ca: ProvisioningDeviceClient.create_from_x509_certificate(
                x509=proof, server_verification_cert=ca, **place
            )
        )

    def registry(self, key=KEY):
        """The service SDK's registry manager."""
        return self._trusting(IoTHubRegistryManager.from_connection_string(self._service(key)))

    def job_manager(self):
        """The service SDK's job manager."""
        return self._trusting(IoTHubJobManager.from_connection_string(self._service(KEY)))

    def request(self, method, path, *, token=BEARER, version="2021-04-12", headers=None, **options):
        """One REST request without any SDK."""
        url = f"https://{self.name}{path}?api-version={version}"
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        with urllib3.PoolManager(ca_certs=str(self.authority.ca_file)) as pool:
            return pool.request(method, url, headers=sent, retries=False, timeout=WAIT, **options)

    # --- inside

    def _first_free(self, hosts, tls):
        for host in hosts:
            self.topics = DeviceTopics(self.hub, hosts=frozenset({host}), faults=self.faults)
            self.provisioning = Provisioning(
                self.hub, id_scope=SCOPE, hub_host=lambda host=host: host, faults=self.faults
            )
            front = MqttFront(self.topics, self.provisioning)
            server = MqttServer(front, tls=tls, limits=MQTT_LIMITS, now=self.clock.now)
            with contextlib.suppress(OSError):
                server.start(host, MQTT_PORT)
                front.attach(server)
                return host, server
        raise OSError("no loopback address has port 8883 free")

    def _wsgi(self):
        access = Access(lambda: self.name, {POLICY: KEY}, BEARER.__eq__, self.throttle)
        routes = hub_routes(self.hub, self.jobs, self.topics.methods, faults=self.faults, access=access)

        def application(environ, start):
            response = routes(Request(environ)) or Response("not the hub's", 404)
            return response(environ, start)

        return application

    def _open(self, create, *, connect_as=None):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "ssl.PROTOCOL_TLS", DeprecationWarning)
            client = create(self.authority.ca_file.read_text())
            self._opened += [client] if isinstance(client, IoTHubDeviceClient) else []
            if connect_as:
                client.connect()
                self._settle(connect_as)
        return client

    def _settle(self, device_id):
        """A device may hear that it is connected before the hub's own record says so."""
        assert self.hub.wait_until(lambda: self.hub.device(device_id).connected)

    def _service(self, key):
        return f"HostName={self.name};SharedAccessKeyName={POLICY};SharedAccessKey={key}"

    def _trusting(self, manager):
        manager.protocol.config.connection.verify = str(self.authority.ca_file)
        return manager


@dataclass
class Patches:
    """Desired patches as a device hears them."""

    client: object
    heard: queue.Queue = field(default_factory=queue.Queue)

    def __post_init__(self):
        self.client.on_twin_desired_properties_patch_received = self.heard.put

    def next(self):
        """The next one."""
        return self.heard.get(timeout=WAIT)


def refusal(call, *args, **kwargs):
    """Status and message of a refused call."""
    with pytest.raises(HttpOperationError) as caught:
        call(*args, **kwargs)
    response = caught.value.response
    return response.status_code, json.loads(response.content)["Message"]


def _shut_down(client):
    """The SDK stumbles where the hub has hung up at this very moment; the second time it knows."""
    try:
        client.shutdown()
    except (NoConnectionError, ConnectionDroppedError):
        client.shutdown()


def _http_tls(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    return context
