"""What only AWS can do to a fleet, and what a person reads then."""

from __future__ import annotations

from dataclasses import replace

import botocore.exceptions
import msgspec
import pytest
from botocore.exceptions import ClientError

from adapters.aws import groups, s3
from adapters.aws.cloud import AwsFleet
from adapters.aws.executions import device_report
from adapters.aws.refusals import explained
from adapters.clouds import open_fleet
from adapters.simulation.faults import Effect
from bridge.errors import UsageError
from bridge.fleet import DeviceReport, FleetError, LimitError
from bridge.names import stage_name
from bridge.release.errors import MalformedRelease
from bridge.release.report import Outcome, Report
from bridge.rollout.model import FleetPart
from bridge.tally import Tally

WAIT = 30.0
GOOD = {"region": "eu-west-1", "bucket": "artifacts", "role_arn": "arn:aws:iam::123456789012:role/presign"}
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


@pytest.fixture
def things(simulator):
    """Registers devices of these names."""

    def register(*names: str) -> tuple[str, ...]:
        for name in names:
            simulator.add_thing(name)
        return names

    return register


@pytest.mark.parametrize("operation", ["CreateJob", "DescribeJob"])
@pytest.mark.parametrize("effect", [Effect.LOSE_REPLY, Effect.THROTTLE, Effect.SERVER_ERROR])
def test_starting_survives(simulator, fleet, order, operation, effect):
    """A lost reply leaves the job behind; the repeated call finds it there and compares it."""
    simulator.add_thing(*order.devices)
    simulator.faults.plan(operation, effect)

    fleet.start(order)

    assert len(simulator.faults.hits()) == 1
    assert fleet.tally(order.key) == Tally(waiting=1)


def test_a_crash_before_the_job_is_made_up_for(fleet, things, order, monkeypatch):
    """The group is there with its members, the job is not: no tally yet, and the next start goes on."""
    things(*order.devices)
    with monkeypatch.context() as patch:
        patch.setattr(AwsFleet, "_create_job", _crash)
        with pytest.raises(KeyboardInterrupt):
            fleet.start(order)
    assert fleet.tally(order.key) is None

    fleet.start(order)

    assert fleet.tally(order.key) == Tally(waiting=1)


def test_a_group_that_a_crash_left_without_a_job_is_given_back(simulator, fleet, things, order, monkeypatch):
    """The rollout was aborted instead of going on; the group of an order without devices stays, as its only trace."""
    things(*order.devices)
    with monkeypatch.context() as patch:
        patch.setattr(AwsFleet, "_create_job", _crash)
        with pytest.raises(KeyboardInterrupt):
            fleet.start(order)
    fleet.start(replace(order, key="spring/2", devices=()))

    for key in (order.key, "spring/2"):
        fleet.stop(key, "aborted")

    listed = simulator.client("iot").list_thing_groups()["thingGroups"]
    assert [group["groupName"] for group in listed] == [stage_name("spring/2")]
    assert (fleet.tally(order.key), fleet.tally("spring/2")) == (None, Tally(open=False))


def test_a_crash_while_the_group_was_filled_adds_only_the_rest(simulator, fleet, things, order, monkeypatch):
    """The members are listed first: one call by the page instead of one for each device."""
    order = replace(order, devices=things("device-1", "device-2", "device-3"))
    iot, name = simulator.client("iot"), stage_name(order.key)
    iot.create_thing_group(thingGroupName=name)
    iot.add_thing_to_thing_group(thingGroupName=name, thingName="device-2")
    added, add = [], groups.StageGroups._add

    def adding(self, group, device):
        added.append(device)
        add(self, group, device)

    monkeypatch.setattr(groups.StageGroups, "_add", adding)

    fleet.start(order)

    assert sorted(added) == ["device-1", "device-3"]
    assert fleet.tally(order.key) == Tally(waiting=3)


def test_a_device_that_cannot_be_added_ends_the_filling(fleet, things, order):
    """One refusal stops the queue: a hundred thousand more would tell nothing new."""
    with pytest.raises(FleetError, match=r"device gone-\d+ is not registered in AWS IoT \(any more\): plan again"):
        fleet.start(replace(order, devices=(*things("device-1"), *(f"gone-{number}" for number in range(2000)))))


def _crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_member_that_nobody_ordered_stops_the_start(simulator, fleet, things, order):
    """A SNAPSHOT job would update it; the person is told which device it is."""
    things(*order.devices, "stranger")
    iot = simulator.client("iot")
    iot.create_thing_group(thingGroupName=stage_name(order.key))
    iot.add_thing_to_thing_group(thingGroupName=stage_name(order.key), thingName="stranger")

    with pytest.raises(FleetError, match=r"holds 1 devices that the stage does not name, such as stranger"):
        fleet.start(order)
    assert fleet.tally(order.key) is None


def test_members_that_do_not_show_are_waited_for_and_named(fleet, things, order, monkeypatch):
    """Past its patience the start fails, retryably, before a job would miss the device for good."""
    things(*order.devices)
    monkeypatch.setattr(groups.StageGroups, "things", lambda *_: iter(()))
    hasty = AwsFleet("factory", msgspec.structs.replace(fleet._settings, visible_seconds=0.3))

    with pytest.raises(
        FleetError, match=r"does not show 1 of its 1 devices after 0\.3 s, device-1 among them"
    ) as raised:
        hasty.start(order)
    assert raised.value.retryable


def test_a_device_that_jobs_did_not_see_is_withdrawn_in_the_end(simulator, fleet, things, order):
    """Membership came too late for the job: the tally still adds up to the order's devices."""
    pair = things("device-1", "device-2")
    both = replace(order, devices=pair)
    iot = simulator.client("iot")
    iot.create_thing_group(thingGroupName=stage_name(order.key))
    iot.add_thing_to_thing_group(thingGroupName=stage_name(order.key), thingName="device-1")
    with simulator.stale_membership(stage_name(order.key)):
        fleet.start(both)
    assert fleet.tally(order.key) == Tally(waiting=2)

    iot.cancel_job_execution(jobId=stage_name(order.key), thingName="device-1", force=True)

    assert fleet.tally(order.key) == Tally(withdrawn=2, open=False)


def test_groups_of_ended_stages_are_swept(simulator, fleet, things, order):
    """A thing can be in ten groups; a group goes when its job has ended, never before."""
    things(*order.devices)
    fleet.start(order)
    fleet.start(replace(order, key="spring/2"))
    fleet.stop(order.key, "budget spent")

    fleet.start(replace(order, key="spring/3"))

    listed = simulator.client("iot").list_thing_groups(namePrefixFilter="otabridge-")["thingGroups"]
    assert {group["groupName"] for group in listed} == {stage_name("spring/2"), stage_name("spring/3")}
    assert fleet.tally(order.key) == Tally(withdrawn=1, open=False, cancelled=True)


def test_a_group_stays_while_a_device_is_at_it(simulator, fleet, channel, order):
    """The stage was stopped, one device is in the middle: its group is left alone until it has ended."""
    simulator.add_thing("device-2")
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    fleet.stop(order.key, "budget spent")
    fleet.start(replace(order, key="spring/2", devices=("device-2",)))
    assert fleet._groups.description(stage_name(order.key)) is not None

    channel.conclude(offer.id, INSTALLED)
    fleet.start(replace(order, key="spring/3", devices=("device-2",)))

    assert fleet._groups.description(stage_name(order.key)) is None


def test_stopping_says_why(simulator, fleet, things, order):
    """In AWS's own record, without force; text that AWS refuses is made acceptable."""
    things(*order.devices)
    fleet.start(order)

    fleet.stop(order.key, "2 of 3 failed\nsee report")

    job = simulator.client("iot").describe_job(jobId=stage_name(order.key))["job"]
    assert (job["status"], job["reasonCode"], job["comment"]) == (
        "CANCELED",
        "OTABRIDGE_STOP",
        "2 of 3 failed?see report",
    )
    assert not job.get("forceCanceled")


@pytest.mark.parametrize("effect", [Effect.LOSE_REPLY, Effect.THROTTLE, Effect.SERVER_ERROR])
def test_stopping_survives(simulator, fleet, things, order, effect):
    """Also when the first try took effect and only its reply was lost: boto3 then meets a job that has ended."""
    things(*order.devices)
    fleet.start(order)
    simulator.faults.plan("CancelJob", effect)

    fleet.stop(order.key, "budget spent")

    assert len(simulator.faults.hits()) == 1
    assert fleet.tally(order.key) == Tally(withdrawn=1, open=False, cancelled=True)


def test_a_job_that_ends_while_it_is_stopped_is_no_error(fleet, order, channel, monkeypatch):
    """The last device reports between our look and our cancel."""
    fleet.start(order)
    looks = fleet._job

    def look(name):
        seen = looks(name)
        if seen["status"] == "IN_PROGRESS":
            channel.conclude(channel.next_offer(30).id, Report(Outcome.INSTALLED, "b", "2.0.0"))
        return seen

    monkeypatch.setattr(fleet, "_job", look)

    fleet.stop(order.key, "late")

    assert fleet.tally(order.key) == Tally(installed=1, open=False)


def test_an_order_is_checked_without_a_call(order):
    """Nobody listens where this fleet would call."""
    fleet = open_fleet("aws", "factory", {**GOOD, "endpoint_url": "http://127.0.0.1:1"})

    fleet.check(order)
    with pytest.raises(LimitError, match=r"timeoutConfig\.inProgressTimeoutInMinutes"):
        fleet.check(replace(order, timeout_minutes=20_000))


def test_the_job_carries_the_fleets_wishes(simulator, fleet, things, order):
    """Pace and safety net only where they are configured."""
    things(*order.devices)
    wishes = {"per_minute": 7, "abort_percent": 50, "url_minutes": 5}
    AwsFleet("factory", msgspec.structs.replace(fleet._settings, **wishes)).start(order)

    job = simulator.client("iot").describe_job(jobId=stage_name(order.key))["job"]
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 7}
    assert job["abortConfig"]["criteriaList"][0]["thresholdPercentage"] == 50
    assert job["presignedUrlConfig"] == {"roleArn": simulator.role_arn, "expiresInSec": 300}
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 30}


def test_reports_are_bounded(simulator, fleet, things, order):
    """However many devices failed."""
    pair = things("device-1", "device-2")
    fleet.start(replace(order, devices=pair))
    data = simulator.client("iot-jobs-data")
    for thing in pair:
        data.update_job_execution(jobId=stage_name(order.key), thingName=thing, status="FAILED")
    few = AwsFleet("factory", msgspec.structs.replace(fleet._settings, most_reports=1))

    assert len(list(few.reports(order.key))) == 1
    assert {each.detail for each in fleet.reports(order.key)} == {"AWS IoT closed it as FAILED"}


SAID = [
    ("REJECTED", {"reason": "hand"}, DeviceReport("t", Outcome.REJECTED, None, "AWS IoT closed it as REJECTED")),
    ("TIMED_OUT", {"outcome": "installed"}, DeviceReport("t", None, None, "AWS IoT closed it as TIMED_OUT")),
    ("FAILED", {}, DeviceReport("t", Outcome.FAILED, None, "AWS IoT closed it as FAILED")),
]


@pytest.mark.parametrize(("status", "details", "report"), SAID)
def test_the_status_stands_where_details_say_nothing(status, details, report):
    """A device, or somebody else's tool, may have ended it without our words."""
    assert device_report("t", status, details) == report


@pytest.mark.usefixtures("simulator")
def test_all_pages_are_read(simulator, fleet, monkeypatch):
    """More things and members than one page holds."""
    monkeypatch.setattr(groups, "PAGE", 7)
    iot = simulator.client("iot")
    iot.create_thing_group(thingGroupName="eu")
    expected = [f"device-{n:02}" for n in range(20)]
    for name in expected:
        iot.create_thing(thingName=name)
        iot.add_thing_to_thing_group(thingGroupName="eu", thingName=name)

    assert sorted(found.id for found in fleet.devices(FleetPart("factory"))) == expected
    assert sorted(found.id for found in fleet.devices(FleetPart("factory", group="eu"))) == expected


def test_an_unknown_group_is_refused(fleet):
    """With the call and AWS's code."""
    with pytest.raises(FleetError, match=r"fleet factory: ListThingsInThingGroup was refused: ResourceNotFound"):
        list(fleet.devices(FleetPart("factory", group="nowhere")))


def test_a_failed_upload_leaves_nothing(simulator, fleet, package, tmp_path, monkeypatch):
    """A part is lost for good: the multipart upload is aborted, no object and no parts stay to be paid for."""
    monkeypatch.setattr(s3, "SINGLE", 100)
    monkeypatch.setattr(s3, "TRANSFER", s3.TransferConfig(multipart_threshold=100, use_threads=False))
    source = tmp_path / "artifact"
    source.write_bytes(package.files[package.artifact.name])
    client = fleet._store._s3
    client.meta.events.register("before-call.s3.UploadPart", _break)

    with pytest.raises(FleetError, match="UploadPart"):
        fleet.put_artifact(package.artifact, source, lambda _: None)

    plain = simulator.client("s3")
    assert "Contents" not in plain.list_objects_v2(Bucket="adapter-artifacts")
    assert "Uploads" not in plain.list_multipart_uploads(Bucket="adapter-artifacts")


def _break(**_: object) -> None:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "UploadPart")


OTHERS = [("half", {}), ("half", {"sha256": "right"}), ("same", {}), ("same", {"sha256": "0" * 64})]


@pytest.mark.parametrize("other", OTHERS, ids=repr)
def test_another_object_under_the_key_is_replaced(simulator, fleet, package, tmp_path, other):
    """Only the right length together with the right digest counts as there already."""
    length, metadata = other
    artifact = package.artifact
    data = package.files[artifact.name]
    source = tmp_path / "artifact"
    source.write_bytes(data)
    body = {"half": b"half", "same": bytes(len(data))}[length]
    known = {"sha256": artifact.sha256} if metadata == {"sha256": "right"} else metadata
    place = {"Bucket": "adapter-artifacts", "Key": f"otabridge/{artifact.sha256}/{artifact.name}"}
    simulator.client("s3").put_object(**place, Body=body, Metadata=known)

    fleet.put_artifact(artifact, source, lambda _: None)

    assert simulator.client("s3").get_object(**place)["Body"].read() == data


def test_a_missing_bucket_is_named(fleet, package, tmp_path):
    """With what to correct."""
    source = tmp_path / "artifact"
    source.write_bytes(package.files[package.artifact.name])
    elsewhere = AwsFleet("factory", msgspec.structs.replace(fleet._settings, bucket="absent-bucket"))

    with pytest.raises(FleetError, match="Create the bucket, or correct `bucket` of this fleet"):
        elsewhere.put_artifact(package.artifact, source, lambda _: None)


@pytest.mark.usefixtures("simulator")
def test_a_missing_artifact_file_is_named(fleet, package, tmp_path):
    """The release folder was moved."""
    with pytest.raises(FleetError, match=r"rootfs\.full: .*absent: No such file"):
        fleet.put_artifact(package.artifact, tmp_path / "absent", lambda _: None)


def test_a_name_that_no_device_has_is_a_broken_limit(fleet, order):
    """With the field, the value and the limit."""
    with pytest.raises(LimitError, match=r"fleet factory: devices: 'a b'; must be letters, digits"):
        fleet.start(replace(order, devices=("a b",)))


def test_bytes_that_are_no_release_are_refused(fleet, order):
    """Nothing is called."""
    with pytest.raises(MalformedRelease):
        fleet.start(replace(order, release=b"{}"))


CODES = [
    (("CreateJob", "AccessDeniedException", 403), r"iot:CreateJob .*iam:PassRole on the presign role", False),
    (("CreateThingGroup", "AccessDeniedException", 403), r"Allow these credentials iot:CreateThingGroup", False),
    (("HeadObject", "403", 403), r"s3:GetObject on the object and s3:ListBucket", False),
    (("PutObject", "AccessDenied", 403), r"Allow these credentials s3:PutObject", False),
    (("ListThings", "ThrottlingException", 429), r"Try again later", True),
    (("ListThings", "InternalFailureException", 500), r"Try again later", True),
    (("ListThings", "ExpiredTokenException", 403), r"sign in again", False),
    (("CreateJob", "LimitExceededException", 410), r"quota", False),
    (("CreateJob", "InvalidRequestException", 400), r"Correct what AWS names", False),
]


@pytest.mark.parametrize(("refused", "advice", "retryable"), CODES)
def test_a_refusal_says_what_to_do(refused, advice, retryable):
    """Operation, AWS's code and message, and the next step; whether waiting helps."""
    operation, code, status = refused
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    pattern = rf"fleet eu: {operation} was refused: {code}: no\. .*{advice}"

    with pytest.raises(FleetError, match=pattern) as raised, explained("eu"):
        raise ClientError(response, operation)
    assert raised.value.retryable is retryable


TROUBLE = [
    (botocore.exceptions.NoCredentialsError(), "Configure AWS credentials", False),
    (botocore.exceptions.ProfileNotFound(profile="x"), "`profile` of this fleet", False),
    (botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"), "Check the network", True),
    (botocore.exceptions.ReadTimeoutError(endpoint_url="http://x"), "Check the network", True),
    (botocore.exceptions.DataNotFoundError(data_path="x"), "did not get through", False),
]


@pytest.mark.parametrize(("error", "advice", "retryable"), TROUBLE, ids=[type(row[0]).__name__ for row in TROUBLE])
def test_no_answer_says_what_to_check(error, advice, retryable):
    """Credentials, network or neither."""
    with pytest.raises(FleetError, match=advice) as raised, explained("eu"):
        raise error
    assert raised.value.retryable is retryable


BAD_SETTINGS = [
    ({"region": "Frankfurt"}, r"fleet eu: .*region"),
    ({"bucket": "s3://x"}, r"fleet eu: .*bucket"),
    ({"role_arn": "presign"}, r"fleet eu: .*role_arn"),
    ({"url_minutes": 61}, r"fleet eu: .*url_minutes"),
    ({"colour": "red"}, r"fleet eu: .*colour"),
]


@pytest.mark.parametrize(("change", "message"), BAD_SETTINGS)
def test_a_wrong_setting_is_named(change, message):
    """Before anything is called."""
    with pytest.raises(UsageError, match=message):
        open_fleet("aws", "eu", {**GOOD, **change})


def test_a_missing_setting_is_named():
    """So is a cloud that there is not."""
    with pytest.raises(UsageError, match=r"fleet eu: .*role_arn"):
        open_fleet("aws", "eu", {"region": "eu-west-1", "bucket": "artifacts"})
    with pytest.raises(UsageError, match="no cloud is named 'gcp'; there is aws"):
        open_fleet("gcp", "eu", {})
    assert open_fleet("aws", "eu", GOOD).name == "eu"
