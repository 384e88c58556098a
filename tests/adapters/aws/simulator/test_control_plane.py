"""The Jobs control plane through boto3, with things and groups that moto keeps."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from adapters.aws.simulator.simulator import AwsSimulator

DOCUMENT = json.dumps({"operation": "ota"})


@pytest.fixture
def iot(simulator):
    return simulator.client("iot")


@pytest.fixture
def fleet(simulator, iot):
    """Three things in the group `g`; returns its ARN."""
    iot.create_thing_group(thingGroupName="g")
    for name in ("a", "b", "c"):
        simulator.add_thing(name, {"model": "m1"})
        iot.add_thing_to_thing_group(thingGroupName="g", thingName=name)
    return simulator.group_arn("g")


def refusal(call, **kwargs):
    """Code, HTTP status and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(**kwargs)
    response = caught.value.response
    error = response["Error"]
    return error["Code"], response["ResponseMetadata"]["HTTPStatusCode"], error["Message"]


def test_a_job_for_a_group_reaches_each_member(simulator, iot, fleet):
    """One execution a thing, listed with its ARN."""
    made = iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT, description="first")

    listed = iot.list_job_executions_for_job(jobId="j")["executionSummaries"]

    assert made["description"] == "first"
    assert made["jobArn"].endswith(":job/j")
    assert sorted(each["thingArn"] for each in listed) == [simulator.thing_arn(each) for each in "abc"]
    assert {each["jobExecutionSummary"]["status"] for each in listed} == {"QUEUED"}


def test_nested_groups_are_expanded(simulator, iot, fleet):
    """A job for the parent reaches the children's members."""
    iot.create_thing_group(thingGroupName="child", parentGroupName="g")
    simulator.add_thing("d")
    iot.add_thing_to_thing_group(thingGroupName="child", thingName="d")
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT)

    assert {each.thing for each in simulator.executions("j")} == {"a", "b", "c", "d"}


def test_describe_job_shows_what_was_asked_for(iot, fleet):
    """Configurations are echoed, counts are real, what is unset is absent or empty as on AWS."""
    configs = {
        "jobExecutionsRolloutConfig": {"maximumPerMinute": 2},
        "abortConfig": {
            "criteriaList": [
                {
                    "failureType": "FAILED",
                    "action": "CANCEL",
                    "thresholdPercentage": 12.5,
                    "minNumberOfExecutedThings": 9,
                }
            ]
        },
        "timeoutConfig": {"inProgressTimeoutInMinutes": 30},
    }
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT, **configs)

    job = iot.describe_job(jobId="j")["job"]

    assert {name: job[name] for name in configs} == configs
    assert (job["status"], job["targetSelection"], job["isConcurrent"]) == ("IN_PROGRESS", "SNAPSHOT", True)
    assert (job["jobProcessDetails"]["numberOfQueuedThings"], job["schedulingConfig"]) == (2, {})
    assert "comment" not in job
    assert "completedAt" not in job


def test_membership_changes_reach_a_continuous_job_at_once(simulator, iot, fleet):
    """Leaving withdraws what is queued; joining queues."""
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT, targetSelection="CONTINUOUS")
    simulator.add_thing("d")
    iot.remove_thing_from_thing_group(thingGroupName="g", thingName="a")
    iot.add_thing_to_thing_group(thingGroupName="g", thingName="d")

    states = {each.thing: each.status for each in simulator.executions("j")}

    assert states == {"a": "REMOVED", "b": "QUEUED", "c": "QUEUED", "d": "QUEUED"}


def test_stale_membership_misses_a_thing_for_good(simulator, iot, fleet):
    """A SNAPSHOT taken before the change is visible does not contain the newcomer; CONTINUOUS catches up."""
    simulator.add_thing("d")
    with simulator.stale_membership("g"):
        iot.add_thing_to_thing_group(thingGroupName="g", thingName="d")
        iot.create_job(jobId="snapshot", targets=[fleet], document=DOCUMENT)
        iot.create_job(jobId="continuous", targets=[fleet], document=DOCUMENT, targetSelection="CONTINUOUS")
        assert len(simulator.executions("continuous")) == 3

    assert simulator.wait_until(lambda: len(simulator.executions("continuous")) == 4)
    assert {each.thing for each in simulator.executions("snapshot")} == {"a", "b", "c"}


def test_further_targets_join_a_continuous_job_only(simulator, iot, fleet):
    """AssociateTargetsWithJob."""
    simulator.add_thing("d")
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT, targetSelection="CONTINUOUS")
    iot.create_job(jobId="s", targets=[fleet], document=DOCUMENT)

    iot.associate_targets_with_job(jobId="j", targets=[simulator.thing_arn("d")])

    assert len(simulator.executions("j")) == 4
    assert len(iot.describe_job(jobId="j")["job"]["targets"]) == 2
    code, _, message = refusal(iot.associate_targets_with_job, jobId="s", targets=[simulator.thing_arn("d")])
    assert (code, message) == ("InvalidRequestException", "Job s must be CONTINUOUS and IN_PROGRESS to take targets")


def test_cancel_keeps_the_operators_reason(simulator, iot, fleet):
    """Reason and comment are on the job; the queue is withdrawn."""
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT)
    iot.cancel_job(jobId="j", reasonCode="PAUSE", comment="operator asked")

    job = iot.describe_job(jobId="j")["job"]

    assert (job["status"], job["reasonCode"], job["comment"], job["forceCanceled"]) == (
        "CANCELED",
        "PAUSE",
        "operator asked",
        False,
    )
    assert {each.status for each in simulator.executions("j")} == {"CANCELED"}


def test_one_execution_can_be_canceled_by_force(simulator, iot, fleet):
    """Without force one in progress stays."""
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT)
    simulator.client("iot-jobs-data").start_next_pending_job_execution(thingName="a")
    call = {"jobId": "j", "thingName": "a"}
    assert refusal(iot.cancel_job_execution, **call)[:2] == ("InvalidStateTransitionException", 409)
    assert refusal(iot.cancel_job_execution, **call, force=True, expectedVersion=1)[:2] == (
        "VersionConflictException",
        409,
    )

    iot.cancel_job_execution(**call, force=True, statusDetails={"by": "operator"})

    execution = iot.describe_job_execution(**call)["execution"]
    assert (execution["status"], execution["forceCanceled"]) == ("CANCELED", True)
    assert execution["statusDetails"] == {"detailsMap": {"by": "operator"}}


def test_refusals_are_the_services_own(simulator, iot, fleet):
    """boto3 raises the modelled exceptions."""
    create = {"targets": [fleet], "document": DOCUMENT}
    iot.create_job(jobId="j", **create)
    unknown = simulator.group_arn("nowhere")

    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException) as exists:
        iot.create_job(jobId="j", **create)
    assert exists.value.response["resourceId"] == "j"
    assert refusal(iot.create_job, jobId="x" * 65, **create)[:2] == ("InvalidRequestException", 400)
    assert refusal(iot.create_job, jobId="k", targets=[unknown], document="{}")[:2] == (
        "ResourceNotFoundException",
        404,
    )
    assert refusal(iot.describe_job, jobId="nowhere") == (
        "ResourceNotFoundException",
        404,
        "Job nowhere cannot be found.",
    )
    assert refusal(iot.list_job_executions_for_thing, thingName="nobody")[0] == "ResourceNotFoundException"
    assert refusal(iot.list_jobs, maxResults=999)[0] == "InvalidRequestException"


def test_lists_come_in_pages_and_by_filter(iot, fleet):
    """nextToken leads through all; status and thing filters hold."""
    for number in range(5):
        iot.create_job(jobId=f"j{number}", targets=[fleet], document=DOCUMENT)
    iot.cancel_job(jobId="j0")

    pages = list(iot.get_paginator("list_jobs").paginate(PaginationConfig={"PageSize": 2}))
    active = iot.list_jobs(status="IN_PROGRESS", thingGroupName="g")["jobs"]
    of_thing = iot.list_job_executions_for_thing(thingName="a", status="QUEUED")["executionSummaries"]
    of_job = iot.list_job_executions_for_job(jobId="j0", status="CANCELED", maxResults=2)

    assert [len(page["jobs"]) for page in pages] == [2, 2, 1]
    assert {each["jobId"] for each in active} == {each["jobId"] for each in of_thing} == {"j1", "j2", "j3", "j4"}
    assert (len(of_job["executionSummaries"]), "nextToken" in of_job) == (2, True)


def test_updates_and_deletion(iot, fleet):
    """UpdateJob replaces members; DeleteJob forgets the history."""
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT)
    iot.update_job(jobId="j", description="second", timeoutConfig={"inProgressTimeoutInMinutes": 3})
    job = iot.describe_job(jobId="j")["job"]
    assert (job["description"], job["timeoutConfig"]) == ("second", {"inProgressTimeoutInMinutes": 3})

    assert refusal(iot.delete_job, jobId="j")[0] == "InvalidStateTransitionException"
    iot.delete_job(jobId="j", force=True)

    assert refusal(iot.describe_job, jobId="j")[0] == "ResourceNotFoundException"
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT)


def test_a_document_can_come_from_s3_and_is_read_once(simulator, iot, fleet):
    """A later overwrite changes no job; the control plane shows placeholders as they are."""
    s3 = simulator.client("s3")
    bucket = simulator.bucket("documents")
    text = '{"u": "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/b/k}"}'
    s3.put_object(Bucket=bucket, Key="doc.json", Body=text.encode())
    source = f"https://{bucket}.s3.eu-west-1.amazonaws.com/doc.json"

    iot.create_job(
        jobId="j", targets=[fleet], documentSource=source, presignedUrlConfig={"roleArn": simulator.role_arn}
    )
    s3.put_object(Bucket=bucket, Key="doc.json", Body=b"{}")

    assert iot.get_job_document(jobId="j")["document"] == text
    assert iot.describe_job(jobId="j")["documentSource"] == source
    code, _, message = refusal(iot.create_job, jobId="k", targets=[fleet], documentSource=source + "x")
    assert (code, message) == ("ResourceNotFoundException", f"s3://{bucket}/doc.jsonx cannot be found.")


def test_the_data_plane_over_https_gives_documents_as_text(simulator, iot, fleet):
    """iot-jobs-data: same paths, told apart by the signing name."""
    data = simulator.client("iot-jobs-data")
    iot.create_job(jobId="j", targets=[fleet], document=DOCUMENT)

    pending = data.get_pending_job_executions(thingName="a")
    started = data.start_next_pending_job_execution(thingName="a", statusDetails={"p": "1"})["execution"]
    answer = data.update_job_execution(
        thingName="a", jobId="j", status="SUCCEEDED", expectedVersion=2, includeJobExecutionState=True
    )

    assert [each["jobId"] for each in pending["queuedJobs"]] == ["j"]
    assert (started["thingName"], started["jobDocument"]) == ("a", '{"operation":"ota"}')
    assert answer["executionState"] == {"status": "SUCCEEDED", "statusDetails": {"p": "1"}, "versionNumber": 3}
    assert data.describe_job_execution(thingName="a", jobId="$next").get("execution") is None
    stale = {"thingName": "b", "jobId": "j", "status": "FAILED", "expectedVersion": 9}
    assert refusal(data.update_job_execution, **stale)[:2] == ("InvalidRequestException", 400)
    assert refusal(data.describe_job_execution, thingName="a", jobId="j")[:2] == ("TerminalStateException", 410)


@pytest.mark.usefixtures("fleet")
def test_what_is_not_played_says_so_at_once(iot):
    """A clear 400 that names the way round, not a 500 that boto3 repeats."""
    code, status, message = refusal(iot.delete_job_execution, jobId="j", thingName="a", executionNumber=1)

    assert (code, status) == ("InvalidRequestException", 400)
    assert message == "This simulator does not play DeleteJobExecution; delete the whole job instead"


@pytest.mark.usefixtures("fleet")
def test_the_rest_of_the_registry_is_motos(iot):
    """Things carry attributes and a certificate as principal."""
    assert iot.describe_thing(thingName="a")["attributes"] == {"model": "m1"}
    assert len(iot.list_thing_principals(thingName="a")["principals"]) == 1
    assert iot.list_things_in_thing_group(thingGroupName="g")["things"] == ["a", "b", "c"]


def test_one_account_and_region_runs_once_in_a_process(simulator, tmp_path):
    """The refusal says what to change; another region works, and the next one starts afresh."""
    with pytest.raises(ValueError, match="123456789012 in eu-west-1 already runs"):
        AwsSimulator(tmp_path / "second").start()
    simulator.client("iot").create_thing_group(thingGroupName="g")

    with AwsSimulator(tmp_path / "west", region="us-west-2") as other:
        assert other.client("iot").list_thing_groups()["thingGroups"] == []
    simulator.stop()
    with AwsSimulator(tmp_path / "third") as afresh:
        assert afresh.client("iot").list_thing_groups()["thingGroups"] == []


def test_all_of_it_works_over_tls(tmp_path):
    """One CA for MQTT and HTTPS."""
    with AwsSimulator(tmp_path, tls=True) as simulator:
        assert simulator.endpoint_url.startswith("https://")
        bucket = simulator.bucket("artifacts")
        simulator.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")

        assert simulator.environment()["AWS_CA_BUNDLE"] == str(simulator.ca_file)
        assert simulator.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
