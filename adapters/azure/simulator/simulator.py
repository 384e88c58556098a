"""Azure IoT Hub, device provisioning, Device Update and storage on loopback in one object."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.azure.simulator.delivery import Switches
from adapters.azure.simulator.device_update import Delays, DeviceUpdate
from adapters.azure.simulator.faces import HOSTS, Faces, Proof, Served
from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.identity import TOKEN_PATH, Identity
from adapters.azure.simulator.instance import Instance, Names, Surroundings
from adapters.azure.simulator.jobs import Jobs
from adapters.azure.simulator.provisioning import Provisioning
from adapters.azure.simulator.pump import Pump
from adapters.azure.simulator.registration import Registration, secret
from adapters.azure.simulator.signing import service_keys
from adapters.azure.simulator.throttle import Throttle
from adapters.azure.simulator.views import DeviceIdentity
from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Faults
from adapters.simulation.pki import CertificateAuthority

ID_SCOPE = "0ne00000001"
POLICY = "iothubowner"
_TICK_SECONDS = 0.05


class AzureSimulator(Switches):
    """One hub, one provisioning service, one Device Update instance and one storage account.

    Several may run beside each other. Addresses are known once started. The delays are in seconds of the clock; the
    real service takes up to five minutes for each. The attributes of `Switches` may be set at any time.

    Raises:
        OSError: (start) no loopback address has port 8883 free, or `http_port` is taken.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clock: VirtualClock | None = None,
        delivery_seconds: float = 0.0,
        index_seconds: float = 0.0,
        import_seconds: float = 0.0,
        status_seconds: float = 0.0,
        http_port: int = 0,
    ) -> None:
        super().__init__()
        self.clock = clock or VirtualClock()
        self.faults = Faults()
        self.names = Names()
        self.id_scope = ID_SCOPE
        self.policy_key = secret()
        self.hub = Hub(self.clock)
        self.jobs = Jobs(self.hub, self.faults)
        self.provisioning = Provisioning(self.hub, id_scope=ID_SCOPE, hub_host=lambda: self.host, faults=self.faults)
        self._authority = CertificateAuthority(directory)
        self._registration = Registration(self._authority, ID_SCOPE)
        self._pump = Pump(self._catch_up, seconds=_TICK_SECONDS, name="azure")
        self._at = Surroundings(directory, self.hub, self.clock, self.faults, Identity(self.faults))
        self._instance = self._new_instance(Delays(delivery_seconds, index_seconds, import_seconds, status_seconds))
        self._http_port = http_port
        self._faces: Faces | None = None
        self.ca_file = self._authority.ca_file
        self.root_keys_file = directory / "root-keys.json"
        self.root_keys_file.write_text(json.dumps(service_keys().public_roots(), indent=2) + "\n")

    def _new_instance(self, delays: Delays) -> Instance:
        return Instance(self._at, self.names, delays=delays, switches=self, wake=self._pump.wake)

    # --- running

    def start(self) -> Self:
        """Serve; an instance starts once."""
        proof = Proof(self._authority.server(addresses=HOSTS), self.ca_file)
        keys = {POLICY: self.policy_key}
        self._faces = Faces(
            Served(self._at, self.jobs, self.provisioning, self._instance, keys), proof, self._http_port
        )
        self._instance.logs.storage_url = self.storage_url
        self.clock.subscribe(self._catch_up)
        self._pump.start()
        return self

    def stop(self) -> None:
        """Hang up on everybody and forget everything; again is no change."""
        faces, self._faces = self._faces, None
        if faces is None:
            return
        self.clock.unsubscribe(self._catch_up)
        self._pump.stop()
        faces.stop()
        self._instance.service.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- places

    @property
    def host(self) -> str:
        """The loopback address of everything, and the hub's name for devices."""
        return self._running.host

    @property
    def hub_name(self) -> str:
        """The hub's REST face, `host:port`."""
        return self._running.hub_name

    @property
    def adu_url(self) -> str:
        """Where `endpoint` is really served."""
        return self._running.https.url

    @property
    def endpoint(self) -> str:
        """The name of the Device Update account; clients have to be told that it is at `adu_url`."""
        return f"{self.names.account}.api.adu.microsoft.com"

    @property
    def instance(self) -> str:
        """The Device Update instance."""
        return self.names.instance

    @property
    def account(self) -> str:
        """The storage account."""
        return self.names.storage_account

    @property
    def storage_url(self) -> str:
        """The storage account, path style."""
        return f"{self._running.https.url}/{self.account}"

    @property
    def container(self) -> str:
        """A container that exists."""
        return self.names.container

    @property
    def provisioning_host(self) -> str:
        """The device provisioning service."""
        return self.host

    def environment(self) -> dict[str, str]:
        """Variables with which azure-identity finds a managed identity here, and HTTPS clients trust this CA."""
        return {
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "IDENTITY_ENDPOINT": f"{self._running.http.url}{TOKEN_PATH}",
            "IDENTITY_HEADER": self._at.identity.header,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        }

    # --- the world

    def add_device(self, name: str, *, symmetric: bool = False, enrol: bool = False) -> DeviceIdentity:
        """A device with a certificate, or with a symmetric key: registered, or enrolled for provisioning only.

        Raises:
            HubError: the name is none, or is taken.
        """
        make = self._registration.with_key if symmetric else self._registration.with_certificate
        identity, credentials = make(name, self.host)
        if enrol:
            self.provisioning.enrol(name, credentials)
        else:
            self.hub.add_device(name, credentials=credentials)
        return identity

    def retry(self, deployment_id: str) -> None:
        """Send a deployment again to the devices that failed, in every subgroup."""
        with self.service.transaction() as now:
            for deployment in self.service.deployments:
                if deployment.deployment_id == deployment_id:
                    for class_id in sorted(deployment.classes):
                        self.service.retry(deployment, class_id, now)

    # --- inspection and trouble

    @property
    def service(self) -> DeviceUpdate:
        """What happens inside Device Update: updates, groups, deployments."""
        return self._instance.service

    @property
    def throttle(self) -> Throttle:
        """How often calls may come: deployments' writes by default, `throttle.QUOTAS` has more."""
        return self._instance.throttle

    @property
    def bytes_sent(self) -> int:
        """Bytes of files of updates that content hosts have sent."""
        return sum(self.bytes_sent_by_name().values())

    @property
    def most_range(self) -> int:
        """Bytes that a range of a download may have; content hosts refuse longer ones."""
        return self._instance.content.most_range

    @most_range.setter
    def most_range(self, count: int) -> None:
        self._instance.content.most_range = count

    def bytes_sent_by_name(self) -> dict[str, int]:
        """The same by the name of the file."""
        return dict(self._instance.content.sent_by_name())

    def workflows(self, device: str) -> tuple[str, ...]:
        """Every workflow that a device was ever told to process."""
        with self.service.transaction():
            return self.service.delivery.workflows(device)

    def redeliver(self, device: str) -> None:
        """Write a device's goal into its twin again."""
        self.service.redeliver(device)

    def renew_root_key_package(self, *, disable_signer: bool = False) -> None:
        """From now on goals name the next version, which may forbid the key that goes on signing manifests."""
        with self.service.transaction():
            self.service.delivery.renew_root_key_package(disable_signer=disable_signer)

    def send_log_request(self, device: str) -> str:
        """Ask a device for its logs; the id of the operation. Raises: Refused, HubError."""
        with self.service.transaction() as now:
            return self._instance.logs.begin([device], now).operation_id

    def connected(self) -> frozenset[str]:
        """The devices that are connected."""
        return self._running.mqtt.connected()

    def disconnect(self, device: str) -> bool:
        """Hang up on a device; False if it is not connected."""
        return self._running.mqtt.disconnect(device)

    # --- inside

    @property
    def _running(self) -> Faces:
        if self._faces is None:
            raise RuntimeError("the simulator does not run; start it first")
        return self._faces

    def _catch_up(self) -> None:
        self.jobs.tick()
        self.service.catch_up()
        if self._faces is not None:
            self._faces.topics.tick()
