"""Faults that tests of the agent and of the bridge plan, seen through the real SDKs."""

from __future__ import annotations

import awsiot
import pytest
import urllib3
from botocore.exceptions import ClientError

from adapters.simulation.faults import Effect

UPDATE = "UpdateJobExecution"


def test_a_lost_reply_leaves_the_change_done(simulator, device, create_job):
    """The device times out; its repeated report meets the version it wrote itself."""
    pump = device(seconds=1)
    create_job("j", "pump")
    pump.start_next()
    simulator.faults.plan(UPDATE, Effect.LOSE_REPLY, "pump")

    with pytest.raises(awsiot.V2ServiceException):
        pump.update("j", "SUCCEEDED", expected_version=2)

    again = pump.refused("j", "SUCCEEDED", expected_version=2)
    assert (again.code, again.execution_state.status) == ("VersionMismatch", "SUCCEEDED")


def test_a_lost_request_changes_nothing(simulator, device, create_job):
    """The same silence, but nothing happened."""
    pump = device(seconds=1)
    create_job("j", "pump")
    pump.start_next()
    simulator.faults.plan(UPDATE, Effect.LOSE_REQUEST, "pump")
    with pytest.raises(awsiot.V2ServiceException):
        pump.update("j", "SUCCEEDED", expected_version=2)

    pump.update("j", "SUCCEEDED", expected_version=2)

    assert simulator.executions("j")[0].version == 3


@pytest.mark.parametrize(
    ("effect", "code"), [(Effect.THROTTLE, "RequestThrottled"), (Effect.SERVER_ERROR, "InternalError")]
)
def test_a_device_is_refused_for_a_while(simulator, device, create_job, effect, code):
    """Twice refused, then served."""
    pump = device()
    create_job("j", "pump")
    simulator.faults.plan(UPDATE, effect, "pump", times=2)

    codes = [pump.refused("j", "SUCCEEDED").code for _ in range(2)]
    pump.update("j", "SUCCEEDED")

    assert codes == [code, code]


def test_a_notification_may_come_twice_or_never(simulator, device, create_job):
    """Delivery is at least once, and sometimes not at all."""
    pump = device().listen()
    simulator.faults.plan("Notify", Effect.DUPLICATE)
    simulator.faults.plan("NotifyNext", Effect.LOSE_REPLY)
    create_job("j1", "pump")
    pump.update("j1", "SUCCEEDED")

    told = [pump.notice() for _ in range(4)]

    assert [sorted(each.jobs) if hasattr(each, "jobs") else each.execution for each in told] == [
        ["QUEUED"],
        ["QUEUED"],
        [],
        None,
    ]


def test_a_broken_link_comes_back_by_itself(simulator, device, create_job):
    """The SDK reconnects and the device can go on."""
    pump = device()
    create_job("j", "pump")
    simulator.faults.plan("StartNextPendingJobExecution", Effect.DISCONNECT)
    with pytest.raises(awsiot.V2ServiceException):
        pump.jobs.start_next_pending_job_execution(
            awsiot.iotjobs.StartNextPendingJobExecutionRequest(thing_name="pump")
        ).result(30)

    assert pump.start_next().version_number == 2


def test_hanging_up_on_a_thing(simulator, device):
    """`disconnect` drops the link now; `connected` tells who is there."""
    device()
    assert simulator.connected() == {"pump"}

    assert simulator.disconnect("pump")
    assert not simulator.disconnect("nobody")


def test_the_control_plane_throttles(simulator, create_job):
    """boto3's own retries see ThrottlingException and get through."""
    simulator.add_thing("pump")
    simulator.faults.plan("CreateJob", Effect.THROTTLE, "j", times=2)

    create_job("j", "pump")

    assert len(simulator.faults.hits()) == 2


def test_a_lost_create_reply_makes_the_retry_meet_its_own_job(simulator, create_job):
    """boto3 repeats the call by itself; the caller must understand the refusal."""
    simulator.add_thing("pump")
    simulator.faults.plan("CreateJob", Effect.LOSE_REPLY, "j")

    with pytest.raises(ClientError, match="Job j already exists"):
        create_job("j", "pump")

    assert len(simulator.executions("j")) == 1


@pytest.fixture
def url(simulator):
    """A signed URL of 1000 bytes."""
    s3 = simulator.client("s3")
    place = {"Bucket": simulator.bucket("artifacts"), "Key": "k"}
    s3.put_object(**place, Body=b"x" * 1000)
    return s3.generate_presigned_url("get_object", place)


def test_a_download_breaks_off(simulator, url):
    """So many bytes arrive and the connection ends; the next try is whole."""
    simulator.faults.plan("GetObject", Effect.CUT_BODY, "artifacts/k", body_bytes=300)
    with urllib3.PoolManager(retries=False) as pool:
        response = pool.request("GET", url, preload_content=False)
        with pytest.raises(urllib3.exceptions.ProtocolError, match="300 bytes read, 700 more expected"):
            response.read()

        assert len(pool.request("GET", url).data) == 1000


def test_a_download_is_corrupted(simulator, url):
    """One bit differs at the planned offset; length and ETag look right."""
    simulator.faults.plan("GetObject", Effect.CORRUPT_BODY, body_bytes=500)
    with urllib3.PoolManager() as pool:
        data = pool.request("GET", url).data

    assert [index for index, value in enumerate(data) if value != ord("x")] == [500]


@pytest.mark.parametrize(
    ("effect", "status", "code"),
    [
        (Effect.EXPIRED, 403, b"Request has expired"),
        (Effect.THROTTLE, 503, b"SlowDown"),
        (Effect.SERVER_ERROR, 500, b"InternalError"),
    ],
)
def test_a_download_is_refused(simulator, url, effect, status, code):
    """With S3's own words, once."""
    simulator.faults.plan("GetObject", effect)
    with urllib3.PoolManager(retries=False) as pool:
        refused = pool.request("GET", url)

        assert (refused.status, code in refused.data) == (status, True)
        assert pool.request("GET", url).status == 200


def test_a_download_does_not_even_begin(simulator, url):
    """The connection ends without an answer."""
    simulator.faults.plan("GetObject", Effect.LOSE_REQUEST)
    with urllib3.PoolManager(retries=False) as pool, pytest.raises(urllib3.exceptions.ProtocolError):
        pool.request("GET", url)
