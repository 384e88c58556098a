"""Jobs over MQTT with the real device SDK, MQTT 5 and 3.1.1, over TLS with client certificates."""

from __future__ import annotations

import json
import queue

import awsiot
import pytest
from awscrt import mqtt, mqtt5
from awsiot import mqtt5_client_builder

WAIT = 30


@pytest.mark.parametrize("version", [5, 4])
def test_a_device_takes_a_job_to_its_end(simulator, device, create_job, version):
    """Start, progress, success; the cloud sees each step."""
    pump = device(version=version)
    assert pump.start_next() is None
    create_job("j1", "pump", document='{"operation": "ota", "n": 1}')

    started = pump.start_next(status_details={"phase": "download"})
    progress = pump.update(
        "j1", "IN_PROGRESS", expected_version=2, status_details={"phase": "write"}, include_job_execution_state=True
    )
    pump.update("j1", "SUCCEEDED", expected_version=3)

    assert (started.job_id, started.status, started.version_number, started.execution_number) == (
        "j1",
        "IN_PROGRESS",
        2,
        1,
    )
    assert started.job_document == {"operation": "ota", "n": 1}
    assert progress.execution_state.status_details == {"phase": "write"}
    assert [each.status for each in simulator.executions("j1")] == ["SUCCEEDED"]
    job = simulator.client("iot").describe_job(jobId="j1")["job"]
    assert (job["status"], job["jobProcessDetails"]["numberOfSucceededThings"]) == ("COMPLETED", 1)


def test_a_started_job_survives_a_reboot(create_job, device):
    """A new connection gets the same execution with its status details."""
    pump = device()
    create_job("j1", "pump")
    pump.start_next(status_details={"slot": "b"})
    pump.hang_up()

    again = device().start_next()

    assert (again.status, again.version_number, again.status_details) == ("IN_PROGRESS", 2, {"slot": "b"})


def test_times_are_whole_seconds(device, create_job, simulator):
    """The SDK turns them into the present, not into the year 49157."""
    pump = device()
    create_job("j1", "pump")

    queued = pump.start_next().queued_at

    assert queued.microsecond == 0
    assert abs(queued.timestamp() - simulator.clock.now()) < 3600


def test_a_stale_version_is_refused_with_the_current_state(device, create_job):
    """The device can adopt what the cloud knows."""
    pump = device()
    create_job("j1", "pump")
    pump.start_next(status_details={"phase": "write"})

    error = pump.refused("j1", "SUCCEEDED", expected_version=1)

    assert (error.code, error.message) == ("VersionMismatch", "Expected version 1 but found version 2")
    assert (error.execution_state.status, error.execution_state.version_number) == ("IN_PROGRESS", 2)
    assert error.execution_state.status_details == {"phase": "write"}


def test_refusals_carry_the_codes_of_the_service(device, create_job):
    """Unknown job, finished job, service-side status, finished execution described."""
    pump = device()
    create_job("j1", "pump")
    assert pump.refused("nowhere", "FAILED").code == "ResourceNotFound"
    canceled = pump.refused("j1", "CANCELED")
    assert (canceled.code, canceled.execution_state) == ("InvalidStateTransition", None)
    pump.update("j1", "FAILED")

    finished = pump.refused("j1", "SUCCEEDED")
    with pytest.raises(awsiot.V2ServiceException) as described:
        pump.describe("j1")

    assert (finished.code, finished.execution_state.status) == ("InvalidStateTransition", "FAILED")
    assert described.value.modeled_error.code == "TerminalStateReached"


def test_the_document_can_be_left_out(device, create_job):
    """includeJobDocument=False saves bytes on a metered link."""
    pump = device()
    create_job("j1", "pump")

    assert pump.describe("j1", include_job_document=False).job_document is None
    assert pump.describe("$next").job_document == {"operation": "ota"}


def test_pending_jobs_are_listed_by_state(device, create_job):
    """In progress and queued apart, in the order of queueing."""
    pump = device()
    for job_id in ("j1", "j2", "j3"):
        create_job(job_id, "pump")
    pump.start_next()

    pending = pump.pending()

    assert [each.job_id for each in pending.in_progress_jobs] == ["j1"]
    assert [each.job_id for each in pending.queued_jobs] == ["j2", "j3"]


def names(notice):
    """What a notification says, short."""
    if hasattr(notice, "jobs"):
        return "notify", {status: [each.job_id for each in jobs] for status, jobs in notice.jobs.items()}
    return "notify-next", notice.execution.job_id if notice.execution else None


def test_a_device_is_told_of_its_queue(device, create_job):
    """notify on each change of the set, notify-next on another front; starting the front tells nothing."""
    pump = device().listen()
    create_job("j1", "pump")
    create_job("j2", "pump")
    pump.start_next()
    pump.update("j1", "SUCCEEDED")
    pump.update("j2", "SUCCEEDED")

    told = [names(pump.notice()) for _ in range(7)]

    assert told == [
        ("notify", {"QUEUED": ["j1"]}),
        ("notify-next", "j1"),
        ("notify", {"QUEUED": ["j1", "j2"]}),
        ("notify", {"QUEUED": ["j2"]}),
        ("notify-next", "j2"),
        ("notify", {}),
        ("notify-next", None),
    ]


def test_the_answer_comes_before_the_notification(simulator):
    """update/accepted, then notify, then notify-next, on one wire."""
    arrived = queue.Queue()
    client = raw_client(simulator.add_thing("pump"), lambda data: arrived.put(data.publish_packet))
    topics = "$aws/things/pump/jobs/"
    subscriptions = [mqtt5.Subscription(topics + each, mqtt5.QoS.AT_LEAST_ONCE) for each in ("notify", "notify-next")]
    client.subscribe(mqtt5.SubscribePacket(subscriptions)).result(WAIT)
    target = simulator.thing_arn("pump")
    simulator.client("iot").create_job(jobId="j", targets=[target], document="{}")

    report = mqtt5.PublishPacket('{"status":"SUCCEEDED","clientToken":"me"}', topic=topics + "j/update", qos=1)
    client.publish(report).result(WAIT)

    packets = [arrived.get(timeout=WAIT) for _ in range(5)]
    assert [each.topic.removeprefix(topics) for each in packets] == [
        "notify",
        "notify-next",
        "j/update/accepted",
        "notify",
        "notify-next",
    ]
    bodies = [json.loads(each.payload) for each in packets[2:]]
    assert [sorted(each) for each in bodies] == [["clientToken", "timestamp"], ["jobs", "timestamp"], ["timestamp"]]
    stop(client)


REQUESTS = {
    "no JSON": ("get", b"{", "InvalidJson"),
    "no object": ("get", b"[]", "InvalidJson"),
    "an unknown topic": ("j/restart", b"{}", "InvalidTopic"),
    "a wrong type": ("j/update", b'{"status": 5}', "InvalidRequest"),
    "too many details": (
        "start-next",
        json.dumps({"statusDetails": {str(n): "x" for n in range(11)}}).encode(),
        "InvalidRequest",
    ),
    "an empty detail": ("start-next", b'{"statusDetails": {"a": ""}}', "InvalidRequest"),
}


def test_a_malformed_request_is_rejected_to_whoever_sent_it(simulator):
    """Even without a subscription, on `<topic>/rejected`, with the client's token where it could be read."""
    arrived = queue.Queue()
    client = raw_client(simulator.add_thing("pump"), lambda data: arrived.put(data.publish_packet))
    for topic, payload, code in REQUESTS.values():
        full = f"$aws/things/pump/jobs/{topic}"
        client.publish(mqtt5.PublishPacket(payload, topic=full, qos=1)).result(WAIT)
        packet = arrived.get(timeout=WAIT)

        assert (packet.topic, json.loads(packet.payload)["code"]) == (f"{full}/rejected", code)
    stop(client)


def raw_client(identity, on_publish=lambda _: None, client_id=None, on_failure=lambda _: None):
    """An MQTT 5 client without the Jobs layer, started."""
    connected = queue.Queue()
    client = mqtt5_client_builder.mtls_from_path(
        endpoint=identity.mqtt_host,
        port=identity.mqtt_port,
        cert_filepath=str(identity.cert_file),
        pri_key_filepath=str(identity.key_file),
        ca_filepath=str(identity.ca_file),
        client_id=client_id or identity.thing,
        extended_validation_and_flow_control_options=mqtt5.ExtendedValidationAndFlowControlOptions.NONE,
        on_publish_received=on_publish,
        on_lifecycle_connection_success=connected.put,
        on_lifecycle_connection_failure=on_failure,
    )
    client.start()
    if client_id is None:
        connected.get(timeout=WAIT)
    return client


def stop(client):
    """Say goodbye; the SDK's threads go with the process."""
    client.stop()


def test_a_certificate_opens_its_own_thing_only(simulator):
    """CONNACK 0x87 for any other client id."""
    identity = simulator.add_thing("pump")
    simulator.add_thing("other")
    failures = queue.Queue()

    client = raw_client(identity, client_id="other", on_failure=failures.put)
    failure = failures.get(timeout=WAIT)
    stop(client)

    assert failure.connack_packet.reason_code == mqtt5.ConnectReasonCode.NOT_AUTHORIZED
    assert simulator.connected() == frozenset()


def test_a_thing_cannot_touch_the_topics_of_another(simulator):
    """SUBACK and PUBACK refuse; nothing of the neighbour is seen or changed."""
    client = raw_client(simulator.add_thing("pump"))
    simulator.add_thing("other")
    foreign = mqtt5.Subscription("$aws/things/other/jobs/notify", mqtt5.QoS.AT_LEAST_ONCE)
    everything = mqtt5.Subscription("#", mqtt5.QoS.AT_LEAST_ONCE)

    suback = client.subscribe(mqtt5.SubscribePacket([foreign, everything])).result(WAIT)
    publish = mqtt5.PublishPacket(b"{}", topic="$aws/things/other/jobs/start-next", qos=mqtt5.QoS.AT_LEAST_ONCE)
    puback = client.publish(publish).result(WAIT).puback
    stop(client)

    assert suback.reason_codes == [mqtt5.SubackReasonCode.NOT_AUTHORIZED] * 2
    assert puback.reason_code == mqtt5.PubackReasonCode.NOT_AUTHORIZED


def test_telemetry_of_the_thing_itself_is_routed(device):
    """Ordinary topics below dt/<thing> work as on any broker."""
    pump = device(version=4)
    got = queue.Queue()
    subscribed, _ = pump.client.subscribe("dt/pump/#", mqtt.QoS.AT_LEAST_ONCE, lambda **message: got.put(message))
    subscribed.result(WAIT)

    pump.client.publish("dt/pump/temperature", b"21", mqtt.QoS.AT_LEAST_ONCE)[0].result(WAIT)

    assert got.get(timeout=WAIT)["payload"] == b"21"


def test_retries_reach_the_device_as_new_executions(device, create_job):
    """The next number, version 1 again, started anew."""
    pump = device()
    create_job(
        "j1", "pump", jobExecutionsRetryConfig={"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 1}]}
    )
    pump.start_next()
    pump.update("j1", "FAILED")

    again = pump.start_next()
    assert (again.job_id, again.execution_number, again.version_number) == ("j1", 2, 2)
    pump.update("j1", "FAILED", execution_number=2)
    assert pump.start_next() is None


def test_a_timeout_by_the_virtual_clock_is_told(simulator, device, create_job):
    """An hour passes in no time; the device learns that its job is gone."""
    pump = device().listen()
    create_job("j1", "pump", timeoutConfig={"inProgressTimeoutInMinutes": 60})
    pump.start_next()
    assert pump.describe("j1").version_number == 2
    simulator.clock.advance(3600)

    assert [names(pump.notice()) for _ in range(4)][2:] == [("notify", {}), ("notify-next", None)]
    assert pump.refused("j1", "SUCCEEDED").execution_state.status == "TIMED_OUT"
