"""What the simulator denies: operations that it plays, those that moto does, and what IAM simulates."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from adapters.aws.simulator.simulator import AwsSimulator
from adapters.simulation.faults import Effect, Hit

ACTIONS = {
    "ListThings": ("iot", "list_things", {}),
    "DescribeThingGroup": ("iot", "describe_thing_group", {"thingGroupName": "x"}),
    "AddThingToThingGroup": ("iot", "add_thing_to_thing_group", {"thingGroupName": "x", "thingName": "y"}),
    "CreateThingGroup": ("iot", "create_thing_group", {"thingGroupName": "x"}),
    "CreateJob": ("iot", "create_job", {"jobId": "x", "targets": ["y"], "document": "{}"}),
    "ListBucket": ("s3", "list_objects_v2", {"Bucket": "artifacts"}),
    "PutObject": ("s3", "put_object", {"Bucket": "artifacts", "Key": "x", "Body": b"y"}),
    "AbortMultipartUpload": ("s3", "abort_multipart_upload", {"Bucket": "artifacts", "Key": "x", "UploadId": "y"}),
}
ROLE = "arn:aws:iam::123456789012:role/x"


@pytest.fixture
def simulator(tmp_path):
    """AWS with one bucket."""
    with AwsSimulator(tmp_path) as simulator:
        simulator.bucket("artifacts")
        yield simulator


@pytest.mark.parametrize("action", ACTIONS)
def test_a_denied_action_is_refused_as_aws_does(simulator, action):
    """With the code of its service, and the action in the words; the next call gets through to the service."""
    service, method, arguments = ACTIONS[action]
    simulator.faults.plan(action, Effect.DENY)

    with pytest.raises(ClientError) as denied:
        getattr(simulator.client(service), method)(**arguments)

    error = denied.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert error["Error"]["Code"] == {"iot": "AccessDeniedException", "s3": "AccessDenied"}[service]
    assert f"is not authorized to perform: {service}:{action} " in error["Error"]["Message"]
    assert [hit.effect for hit in simulator.faults.hits()] == [Effect.DENY]


def test_iam_simulates_what_faults_deny(simulator):
    """Anything else is allowed."""
    iam = simulator.client("iam")
    simulator.faults.plan("PassRole", Effect.DENY, ROLE)

    asked = [
        iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=["iam:PassRole"], ResourceArns=[resource])
        for resource in (ROLE, f"{ROLE}2")
    ]

    decisions = [each["EvaluationResults"][0]["EvalDecision"] for each in asked]
    assert decisions == ["implicitDeny", "allowed"]
    assert simulator.faults.hits() == (Hit("PassRole", ROLE, Effect.DENY),)


def test_what_else_iam_is_asked_is_motos(simulator):
    """Its request is passed on whole."""
    iam = simulator.client("iam")

    iam.create_role(RoleName="x", AssumeRolePolicyDocument="{}")

    assert iam.get_role(RoleName="x")["Role"]["Arn"] == ROLE


def test_a_group_below_one_that_is_not_there_is_refused(simulator):
    """As the service does; below one that is, and with its properties, moto makes it."""
    iot = simulator.client("iot")
    iot.create_thing_group(thingGroupName="parent")

    made = iot.create_thing_group(
        thingGroupName="child", parentGroupName="parent", thingGroupProperties={"thingGroupDescription": "of two"}
    )
    with pytest.raises(ClientError, match="Parent thing group nobody does not exist"):
        iot.create_thing_group(thingGroupName="orphan", parentGroupName="nobody")

    held = iot.describe_thing_group(thingGroupName="child")
    assert made["thingGroupName"] == "child"
    assert held["thingGroupProperties"]["thingGroupDescription"] == "of two"
    assert {each["groupName"] for each in iot.list_thing_groups()["thingGroups"]} == {"parent", "child"}
