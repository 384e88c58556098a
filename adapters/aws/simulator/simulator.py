"""AWS IoT on loopback in one object: start it, add things, point boto3 and a device at it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, overload

import boto3
from botocore.client import BaseClient

from adapters.aws.simulator.control import ControlPlane, Place
from adapters.aws.simulator.device_plane import DevicePlane
from adapters.aws.simulator.device_topics import DeviceTopics
from adapters.aws.simulator.documents import Documents
from adapters.aws.simulator.dynamic import DynamicGroups
from adapters.aws.simulator.engine import Engine
from adapters.aws.simulator.front import Front
from adapters.aws.simulator.http import MotoHandler
from adapters.aws.simulator.index import FleetIndex
from adapters.aws.simulator.index_routes import IndexRoutes
from adapters.aws.simulator.objects import ObjectStore
from adapters.aws.simulator.placeholders import locate
from adapters.aws.simulator.registry import Registry, claim, release
from adapters.aws.simulator.routes import ControlRoutes, DataRoutes
from adapters.aws.simulator.sdk import ACCESS_KEY, SECRET_KEY, make_client
from adapters.aws.simulator.shadow_routes import ShadowRoutes
from adapters.aws.simulator.shadows import Shadows
from adapters.aws.simulator.sigv4 import Credentials
from adapters.aws.simulator.views import DeviceIdentity, ExecutionView, view
from adapters.simulation.clock import Ticker, VirtualClock
from adapters.simulation.faults import Faults
from adapters.simulation.http import HttpServer
from adapters.simulation.mqtt.connection import Limits
from adapters.simulation.mqtt.server import ClientAuth, MqttServer, server_tls
from adapters.simulation.pki import CertificateAuthority, KeyPair

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot_jobs_data import IoTJobsDataPlaneClient
    from mypy_boto3_s3 import S3Client

ACCOUNT = "123456789012"
REGION = "eu-west-1"
_PRESIGNER = Credentials("ASIAOTABRIDGESIM", "not-a-secret-either", "simulated-session" * 40)
_MQTT_LIMITS = Limits(max_packet=128 * 1024, receive_maximum=100, subscriptions=50)  # AWS IoT Core quotas
_TICK_SECONDS = 0.05
_SESSION_SECONDS = 3600.0


class AwsSimulator:
    """One account and region of AWS IoT with S3, on loopback.

    Several may run in one process if account or region differ; moto's state, which they share,
    is wiped when the first of them starts. `tls` serves HTTP over TLS too, with the same CA.

    Raises:
        ValueError: (start) this account and region is already played in this process.
        OSError: (start) a port is taken.
    """

    def __init__(
        self,
        directory: Path,
        account: str = ACCOUNT,
        region: str = REGION,
        clock: VirtualClock | None = None,
        *,
        tls: bool = False,
        http_port: int = 0,
        mqtt_port: int = 0,
    ) -> None:
        self.account = account
        self.region = region
        self.clock = clock or VirtualClock()
        self.faults = Faults()
        self.role_arn = f"arn:aws:iam::{account}:role/otabridge-presign"
        self.mqtt_host = "localhost"
        self.mqtt_port = mqtt_port
        self._place = Place(account, region)
        self._authority = CertificateAuthority(directory)
        self.ca_file = self._authority.ca_file
        self._registry = Registry(self._place)
        self._objects = ObjectStore(self.account)
        self._engine = Engine(self.clock, self._registry)
        self._index = FleetIndex(self._registry, self.connected)
        self._shadows = Shadows(self._registry, self._place)
        self._dynamic = DynamicGroups(self._registry, self._index, self._place, self.clock.now)
        pair = self._authority.server()
        plane = DevicePlane(self._engine, self._documents().fill)
        self._http = HttpServer(
            self._front(plane), port=http_port, tls=_http_tls(pair) if tls else None, handler=MotoHandler
        )
        self._mqtt = self._device_side(plane, pair)
        self._ticker = Ticker(self._engine.tick, seconds=_TICK_SECONDS, name="aws-jobs")

    def _documents(self) -> Documents:
        return Documents(
            endpoint=lambda: self.endpoint_url,
            region=self.region,
            credentials=_PRESIGNER,
            now=self.clock.now,
        )

    def _front(self, plane: DevicePlane) -> Front:
        objects = self._objects
        control = ControlPlane(self._engine, self._place, lambda url: objects.text(locate(url)))
        return Front(
            account=self.account,
            engine=self._engine,
            control=ControlRoutes(self._engine, control, self._place),
            index=IndexRoutes(self._index, self._dynamic),
            shadows=ShadowRoutes(self._shadows),
            data=DataRoutes(plane),
            objects=objects,
            registry=self._registry,
            faults=self.faults,
            clock=self.clock,
            keys={ACCESS_KEY: SECRET_KEY, _PRESIGNER.access_key: _PRESIGNER.secret_key},
        )

    def _device_side(self, plane: DevicePlane, pair: KeyPair) -> MqttServer:
        topics = DeviceTopics(
            self._engine,
            plane,
            self._shadows,
            faults=self.faults,
            clock=self.clock,
            knows=self._registry.knows,
        )
        tls = server_tls(pair.cert_file, pair.key_file, self.ca_file, ClientAuth.REQUIRED)
        server = MqttServer(
            topics, tls=tls, limits=_MQTT_LIMITS, now=self.clock.now, max_session_expiry=_SESSION_SECONDS
        )
        topics.attach(server)
        self._engine.listen(topics)
        self._shadows.listen(topics)
        return server

    def start(self) -> Self:
        """Serve; an instance starts once."""
        claim(self._place)
        try:
            self.mqtt_port = self._mqtt.start(port=self.mqtt_port)
            self._http.start()
        except OSError:
            self._mqtt.stop()
            release(self._place)
            raise
        self.clock.subscribe(self._engine.tick)
        self._ticker.start()
        return self

    def stop(self) -> None:
        """Hang up on everybody and forget everything; again is no change."""
        if not release(self._place):
            return
        self.clock.unsubscribe(self._engine.tick)
        self._ticker.stop()
        self._http.stop()
        self._mqtt.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """The address of every AWS service; known once started."""
        return self._http.url

    # --- the world

    @overload
    def client(self, service: Literal["iot"]) -> IoTClient: ...
    @overload
    def client(self, service: Literal["iot-jobs-data"]) -> IoTJobsDataPlaneClient: ...
    @overload
    def client(self, service: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, service: str) -> BaseClient: ...

    def client(self, service: str) -> BaseClient:
        """A boto3 client of this account and region."""
        return make_client(service, self.region, self.endpoint_url, self.ca_file)

    def session(self) -> boto3.Session:
        """A new boto3 session with the simulator's credentials and region, but without its endpoint."""
        return boto3.Session(
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=self.region,
        )

    def environment(self) -> dict[str, str]:
        """Environment variables that point any AWS SDK or CLI at this simulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **({"AWS_CA_BUNDLE": str(self.ca_file)} if self.endpoint_url[4] == "s" else {}),
        }

    def add_thing(self, name: str, attributes: dict[str, str] | None = None) -> DeviceIdentity:
        """Register a thing with a certificate of its own."""
        pair = self._authority.device(name, f"things/{name}")
        self._registry.add_thing(name, attributes or {}, pair.cert_file.read_text())
        return self._identity(name, pair)

    def thing_arn(self, name: str) -> str:
        """The ARN of a thing, for job targets."""
        return self._place.arn("thing", name)

    def group_arn(self, name: str) -> str:
        """The ARN of a thing group, for job targets."""
        return self._place.arn("thinggroup", name)

    def bucket(self, name: str) -> str:
        """Create a bucket of this region; returns its name."""
        location = {"LocationConstraint": self.region}
        self.client("s3").create_bucket(
            Bucket=name,
            CreateBucketConfiguration=location,  # type: ignore[arg-type]  # any region will do
        )
        return name

    # --- inspection and trouble

    @property
    def bytes_sent(self) -> int:
        """Bytes of objects that S3 has sent to anybody, devices above all."""
        return self._objects.bytes_sent

    def executions(self, job_id: str) -> tuple[ExecutionView, ...]:
        """Every execution of a job, earlier tries included; empty for an unknown job."""
        with self._engine.transaction():
            job = self._engine.store.jobs.get(job_id)
            return tuple(view(each) for each in job.executions()) if job else ()

    def wait_until(self, predicate: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Wait until `predicate`, asked after each change of any job, holds; False if it never does."""
        return self._engine.wait_for(predicate, timeout)

    def connected(self) -> frozenset[str]:
        """The things that are connected over MQTT."""
        return self._mqtt.connected()

    def disconnect(self, thing: str) -> bool:
        """Hang up on a thing; False if it is not connected."""
        return self._mqtt.disconnect(thing)

    def stale_membership(self, group: str) -> AbstractContextManager[None]:
        """While the block runs, Jobs sees the group's members as they are now."""
        return self._registry.stale_membership(group)

    def build_groups_after(self, seconds: float) -> None:
        """How long a new dynamic group is BUILDING, and empty; no time unless told."""
        self._dynamic.seconds = seconds

    def populate(self, shadows: Mapping[str, Mapping[str, object]], name: str = "otabridge") -> None:
        """Register many things that never connect, each with what its shadow `name` reports."""
        self._registry.populate(shadows, name)

    def _identity(self, thing: str, pair: KeyPair) -> DeviceIdentity:
        return DeviceIdentity(thing, pair.cert_file, pair.key_file, self.ca_file, self.mqtt_host, self.mqtt_port)


def _http_tls(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    return context
