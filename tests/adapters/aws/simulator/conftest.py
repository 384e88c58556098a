"""A simulator on loopback, devices made of the real SDK, and jobs without any network."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass, field

import awsiot
import pytest
from awscrt import mqtt5
from awscrt import mqtt_request_response as request_response
from awsiot import iotjobs, mqtt5_client_builder, mqtt_connection_builder

from adapters.aws.simulator.control import ControlPlane, Place
from adapters.aws.simulator.device_plane import DevicePlane
from adapters.aws.simulator.engine import Engine
from adapters.aws.simulator.request import JobRequest, Update, parse
from adapters.aws.simulator.simulator import AwsSimulator
from adapters.simulation.clock import VirtualClock

WAIT = 30
DOCUMENT = '{"operation": "ota"}'
GROUP = "arn:aws:iot:eu-west-1:123456789012:thinggroup/g"


@pytest.fixture
def simulator(tmp_path):
    """A fresh AWS."""
    with AwsSimulator(tmp_path) as running:
        yield running


@dataclass
class Device:
    """A thing that speaks through awsiotsdk."""

    thing: str
    jobs: iotjobs.IotJobsClientV2
    hang_up: object
    client: object
    notices: queue.Queue = field(default_factory=queue.Queue)
    streams: list = field(default_factory=list)

    def listen(self):
        """Subscribe to notify and notify-next; both arrive in `notices`."""
        ready = queue.Queue()
        options = awsiot.ServiceStreamOptions(
            incoming_event_listener=self.notices.put, subscription_status_listener=ready.put
        )
        self.streams = [
            self.jobs.create_job_executions_changed_stream(
                iotjobs.JobExecutionsChangedSubscriptionRequest(thing_name=self.thing), options
            ),
            self.jobs.create_next_job_execution_changed_stream(
                iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=self.thing), options
            ),
        ]
        for stream in self.streams:
            stream.open()
            ready.get(timeout=WAIT)
        return self

    def notice(self):
        """The next notification."""
        return self.notices.get(timeout=WAIT)

    def start_next(self, **kwargs):
        """The execution, or None when there is nothing to do."""
        request = iotjobs.StartNextPendingJobExecutionRequest(thing_name=self.thing, **kwargs)
        return self.jobs.start_next_pending_job_execution(request).result(WAIT).execution

    def describe(self, job_id, **kwargs):
        """The execution."""
        request = iotjobs.DescribeJobExecutionRequest(thing_name=self.thing, job_id=job_id, **kwargs)
        return self.jobs.describe_job_execution(request).result(WAIT).execution

    def pending(self):
        """Queued and in-progress summaries."""
        request = iotjobs.GetPendingJobExecutionsRequest(thing_name=self.thing)
        return self.jobs.get_pending_job_executions(request).result(WAIT)

    def update(self, job_id, status, **kwargs):
        """The answer of UpdateJobExecution."""
        request = iotjobs.UpdateJobExecutionRequest(thing_name=self.thing, job_id=job_id, status=status, **kwargs)
        return self.jobs.update_job_execution(request).result(WAIT)

    def refused(self, job_id, status, **kwargs):
        """The refusal of an update."""
        with pytest.raises(awsiot.V2ServiceException) as caught:
            self.update(job_id, status, **kwargs)
        return caught.value.modeled_error


def options(seconds):
    """Room for every operation of one device."""
    return request_response.ClientOptions(
        max_request_response_subscriptions=4, max_streaming_subscriptions=2, operation_timeout_in_seconds=seconds
    )


def connect_v5(identity, seconds=WAIT):
    """A connected MQTT 5 device."""
    up, down = threading.Event(), threading.Event()
    client = mqtt5_client_builder.mtls_from_path(
        endpoint=identity.mqtt_host,
        port=identity.mqtt_port,
        cert_filepath=str(identity.cert_file),
        pri_key_filepath=str(identity.key_file),
        ca_filepath=str(identity.ca_file),
        client_id=identity.thing,
        extended_validation_and_flow_control_options=mqtt5.ExtendedValidationAndFlowControlOptions.NONE,
        on_lifecycle_connection_success=lambda _: up.set(),
        on_lifecycle_stopped=lambda _: down.set(),
    )
    client.start()
    assert up.wait(WAIT)

    def hang_up():
        client.stop()
        assert down.wait(WAIT)

    return Device(identity.thing, iotjobs.IotJobsClientV2(client, options(seconds)), hang_up, client)


def connect_v311(identity, seconds=WAIT):
    """A connected MQTT 3.1.1 device."""
    connection = mqtt_connection_builder.mtls_from_path(
        endpoint=identity.mqtt_host,
        port=identity.mqtt_port,
        cert_filepath=str(identity.cert_file),
        pri_key_filepath=str(identity.key_file),
        ca_filepath=str(identity.ca_file),
        client_id=identity.thing,
        clean_session=True,
    )
    connection.connect().result(WAIT)
    jobs = iotjobs.IotJobsClientV2(connection, options(seconds))
    return Device(identity.thing, jobs, lambda: connection.disconnect().result(WAIT), connection)


@pytest.fixture
def device(simulator):
    """Adds and connects things: `device("pump", version=4)`; a second call is the thing after a reboot."""
    joined, identities = [], {}

    def join(name="pump", version=5, seconds=WAIT):
        if name not in identities:
            identities[name] = simulator.add_thing(name)
        made = (connect_v5 if version == 5 else connect_v311)(identities[name], seconds)
        joined.append(made)
        return made

    yield join
    for each in joined:
        each.streams.clear()
        each.jobs = None
        each.hang_up()


@pytest.fixture
def create_job(simulator):
    """CreateJob for things by name, with sensible defaults."""
    iot = simulator.client("iot")

    def create(job_id, *things, document=DOCUMENT, **kwargs):
        targets = [simulator.thing_arn(each) for each in things]
        iot.create_job(jobId=job_id, targets=targets, document=document, **kwargs)

    return create


@dataclass
class World:
    """Jobs of one group `g`, no network, a clock that stands until it is moved."""

    members: list = field(default_factory=list)
    notices: list = field(default_factory=list)

    def __post_init__(self):
        self.clock = VirtualClock(1_800_000_000, frozen=True)
        self.engine = Engine(self.clock, self)
        self.engine.listen(self)
        self.clock.subscribe(self.engine.tick)
        place = Place("123456789012", "eu-west-1")
        self.control = ControlPlane(self.engine, place, lambda _url: DOCUMENT)
        self.devices = DevicePlane(self.engine, lambda job: job.document)

    def things(self, arn):
        """The engine's view of the registry: every thing exists, and one group."""
        if arn == GROUP:
            return tuple(self.members)
        return (arn.rpartition("/")[2],) if ":thing/" in arn else None

    def pending_changed(self, thing, pending, *, front_changed):
        """Remember what a thing is told."""
        ids = [f"{each.job.job_id}#{each.number}" for each in pending]
        self.notices.append((thing, ids, front_changed))

    def create(self, job_id="j", **kwargs):
        """CreateJob for the group."""
        body = {"targets": [GROUP], "document": DOCUMENT, **kwargs}
        return self.control.create_job(job_id, parse(json.loads(json.dumps(body)), JobRequest))

    def report(self, thing, status, job_id="j", **kwargs):
        """A device's update."""
        return self.devices.update(thing, job_id, Update(status, **kwargs))

    def states(self, job_id="j"):
        """Thing to the statuses of its tries, in order."""
        tries = self.engine.store.jobs[job_id].tries
        return {thing: [each.status.value for each in of_thing] for thing, of_thing in tries.items()}

    def latest(self, thing, job_id="j"):
        """The thing's newest execution."""
        return self.engine.store.jobs[job_id].latest(thing)


@pytest.fixture
def world():
    """Three things in the group."""
    return World(["a", "b", "c"])
