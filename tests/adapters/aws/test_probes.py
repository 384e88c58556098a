"""What AWS answers to probes, and what that proves: of each permission that is denied, and each thing that is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.aws.probes.account import NOWHERE, Account
from adapters.aws.probes.answers import Permission, needed
from adapters.aws.probes.iot_calls import iot_calls
from adapters.aws.probes.listed import probes
from adapters.aws.settings import read_settings
from adapters.clouds import probes as chosen
from adapters.simulation.faults import Effect
from bridge.fleet import FleetError
from bridge.probing import ROLLOUTS, SIGNING, Duty, Found, prove

BUCKET = "adapter-artifacts"
POLICIES = Path(__file__).parents[3] / "infra/aws/access.tf"
RIDES_ALONG = {"iot:TagResource", "kms:Decrypt", "kms:GenerateDataKey"}
"""Looked at by AWS within CreateJob and within an upload."""
CONDITIONS = {"iam:PassedToService", "kms:ViaService"}
"""Written like actions."""
SHADOW = "shadow.name.otabridge.reported"
INDEXED = {
    "thingIndexingMode": "REGISTRY_AND_SHADOW",
    "namedShadowIndexingMode": "ON",
    "filter": {"namedShadowNames": ["otabridge"]},
    "customFields": [
        {"name": f"{SHADOW}.bucket", "type": "Number"},
        {"name": f"{SHADOW}.model", "type": "String"},
        {"name": f"{SHADOW}.saved", "type": "Number"},
    ],
}
VARIABLES = {
    Duty.CONTROLLER: "controller_principals",
    Duty.PUBLISHER: "publisher_principals",
    Duty.VIEWER: "viewer_principals",
}


@pytest.fixture
def settings(simulator):
    """A fleet as the Terraform module makes it."""
    simulator.client("iot").update_indexing_configuration(thingIndexingConfiguration=INDEXED)
    place = {"region": simulator.region, "bucket": BUCKET, "role_arn": simulator.role_arn}
    return {**place, "by_bucket": True, "tags": {"team": "gates"}}


@pytest.fixture
def found(settings):
    """Runs all probes, or those of some duties, of a fleet with these changes; findings by the probe's name."""

    def run(duties=ROLLOUTS, **changes):
        return {each.probe.name: each.finding for each in prove(probes("plant", {**settings, **changes}, {}), duties)}

    return run


def names():
    """The probes, for parameters; nothing is called for it."""
    place = {"region": "eu-west-1", "bucket": "x-1", "role_arn": "arn:aws:iam::123456789012:role/x", "by_bucket": True}
    return [probe.name for probe in chosen("aws", "plant", place)]


def test_all_is_proven_where_all_is_there(found):
    """Each probe by an answer, and none by chance."""
    findings = found()

    assert list(findings) == names()
    assert {finding.found for finding in findings.values()} == {Found.OK}


def test_probes_leave_nothing_behind(simulator, found):
    """No job, no group, no object, and no upload that somebody pays for."""
    found()

    iot, s3 = simulator.client("iot"), simulator.client("s3")
    assert iot.list_jobs()["jobs"] == []
    assert iot.list_thing_groups()["thingGroups"] == []
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


DENIABLE = [name for name in names() if name.startswith(("iot:", "s3:", "iam:PassRole"))]


@pytest.mark.parametrize("name", DENIABLE)
def test_a_permission_that_is_denied_is_named_with_what_grants_it(simulator, found, name):
    """Action and resource as a policy has them, and the module's variable; all others are still proven."""
    simulator.faults.plan(name.partition(":")[2], Effect.DENY, times=9)

    findings = found()
    denied = findings.pop(name)

    assert denied.found is Found.MISSING
    assert denied.needs.startswith(f"{name} on ")
    assert denied.variable in VARIABLES.values()
    rest = {other for other, finding in findings.items() if finding.found is not Found.OK}
    assert rest <= {"s3:AbortMultipartUpload", *({"role_arn"} if name == "s3:GetObject" else ())}


def test_resources_are_named_as_policies_name_them(simulator, found):
    """So that they can be pasted."""
    simulator.faults.plan("*", Effect.DENY, times=99)

    needs = {name: finding.needs for name, finding in found().items()}

    assert needs["iot:CreateJob"] == "iot:CreateJob on arn:aws:iot:eu-west-1:123456789012:job/otabridge-*"
    assert needs["s3:PutObject"] == f"s3:PutObject on arn:aws:s3:::{BUCKET}/otabridge/*"
    assert needs["s3:ListBucket"] == f"s3:ListBucket on arn:aws:s3:::{BUCKET}"
    assert needs["iot:ListThings"] == "iot:ListThings on *"


@pytest.mark.parametrize("duty", ROLLOUTS)
def test_the_variable_is_that_of_who_asks(simulator, found, duty):
    """A viewer is not told to become a controller."""
    simulator.faults.plan("*", Effect.DENY, times=99)

    findings = found([duty]).values()

    assert {each.variable for each in findings if each.found is Found.MISSING} == {VARIABLES[duty]}


@pytest.mark.parametrize("duty", SIGNING)
def test_who_only_signs_needs_nothing_of_the_fleet(found, duty):
    """But credentials; their keys are among what Terraform made."""
    assert list(found([duty])) == ["sts:GetCallerIdentity"]


def test_a_viewer_needs_no_call_that_changes_something(found):
    """Nor anything in the bucket."""
    names_of_viewer = set(found([Duty.VIEWER]))

    assert not [name for name in names_of_viewer if re.match(r"(s3|iam):|iot:(Create|Delete|Add|Cancel)", name)]


def test_where_iam_may_not_be_asked_nothing_is_claimed(simulator, found):
    """Only IAM can tell what AWS IoT may do in our name; a controller need not be allowed to ask it."""
    simulator.faults.plan("SimulatePrincipalPolicy", Effect.DENY, times=9)

    findings = found()

    for name in ("role_arn", "iam:PassRole"):
        assert findings[name].found is Found.UNKNOWN
        assert findings[name].said == "iam:SimulatePrincipalPolicy is not allowed, which no rollout needs"


def test_a_role_that_may_not_read_is_found(simulator, found):
    """Devices would be refused their downloads, long after the job was made."""
    simulator.faults.plan("GetObject", Effect.DENY, f"arn:aws:s3:::{BUCKET}/*", times=9)

    finding = found()["role_arn"]

    assert finding.found is Found.MISSING
    assert finding.needs == (f"s3:GetObject on arn:aws:s3:::{BUCKET}/otabridge/*, for the role {simulator.role_arn}")


def test_a_bucket_that_is_not_there_is_named(found):
    """With the variable that names it."""
    finding = found(bucket="no-such-bucket")["s3:ListBucket"]

    assert (finding.found, finding.variable) == (Found.MISSING, "artifact_bucket_name")
    assert finding.needs == "bucket arn:aws:s3:::no-such-bucket in eu-west-1"


def test_a_bucket_of_another_region_is_named(simulator, found):
    """The URLs that devices get would lead to the wrong one."""
    elsewhere = {"LocationConstraint": "eu-central-1"}
    far = simulator.session().client("s3", region_name="eu-central-1", endpoint_url=simulator.endpoint_url)
    far.create_bucket(Bucket="far-artifacts", CreateBucketConfiguration=elsewhere)

    finding = found(bucket="far-artifacts")["s3:ListBucket"]

    assert finding.found is Found.MISSING
    assert finding.said == "the bucket is eu-central-1, the fleet is in eu-west-1"


def test_an_index_without_the_bucket_is_told_field_by_field(simulator, found):
    """A fleet that selects by bucket cannot work without; any other can."""
    simulator.client("iot").update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})

    by_bucket, by_name = found()["iot:GetIndexingConfiguration"], found(by_bucket=False)

    assert (by_bucket.found, by_bucket.variable) == (Found.MISSING, "enable_fleet_indexing")
    assert "namedShadowIndexingMode: OFF; must be ON" in by_bucket.needs
    assert f"without {SHADOW}.bucket of type Number" in by_bucket.needs
    assert {finding.found for finding in by_name.values()} == {Found.OK}
    assert "iot:CreateDynamicThingGroup" not in by_name


def test_credentials_of_another_account_are_noticed(found):
    """No role can be handed from one account to another."""
    finding = found(role_arn="arn:aws:iam::999999999999:role/presign")["sts:GetCallerIdentity"]

    assert finding.found is Found.MISSING
    assert finding.needs == "credentials of account 999999999999"


@pytest.mark.parametrize(
    ("effect", "words"),
    [(Effect.THROTTLE, "ThrottlingException: Rate exceeded"), (Effect.SERVER_ERROR, "InternalFailureException")],
)
def test_trouble_of_the_cloud_proves_nothing(simulator, found, effect, words):
    """Neither that it may be done, nor that it may not."""
    simulator.faults.plan("DescribeJob", effect, times=9)

    finding = found()["iot:DescribeJob"]

    assert finding.found is Found.UNKNOWN
    assert finding.said.startswith(words)


def test_a_call_that_is_lost_proves_nothing(simulator, found):
    """The next one may get through."""
    simulator.faults.plan("DescribeJob", Effect.LOSE_REQUEST, times=9)

    findings = found([Duty.VIEWER])

    assert findings["iot:DescribeJob"].found is Found.UNKNOWN
    assert findings["iot:ListThings"].found is Found.OK


def test_a_cloud_that_is_away_ends_the_check(found):
    """All others would wait as long, and come to nothing."""
    with pytest.raises(FleetError, match=r"Could not connect.*Check the network and `endpoint_url`") as away:
        found([Duty.VIEWER], endpoint_url="http://127.0.0.1:9")

    assert away.value.retryable


def test_nobody_without_credentials_proves_anything(found, monkeypatch, tmp_path):
    """The first probe says so, in words that help."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(FleetError, match="Configure AWS credentials"):
        found()


def test_what_aws_names_is_believed_over_what_was_asked():
    """An upload may fail for the bucket's key alone."""
    permission = Permission("s3:PutObject", "arn:aws:s3:::b/*", Duty.PUBLISHER)
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    said = f"User: arn:aws:iam::1:user/x is not authorized to perform: kms:GenerateDataKey on resource: {key} because"

    assert needed(said, permission) == f"kms:GenerateDataKey on {key}"
    assert needed("Access Denied", permission) == "s3:PutObject on arn:aws:s3:::b/*"


GRANTS = {Duty.CONTROLLER: ("viewer", "controller"), Duty.PUBLISHER: ("publisher",), Duty.VIEWER: ("viewer",)}
"""The policy documents of the module's three roles."""


@pytest.mark.skipif(not POLICIES.exists(), reason="the Terraform module is not here")
@pytest.mark.parametrize("duty", ROLLOUTS)
def test_what_the_terraform_module_grants_is_what_is_proven(found, duty):
    """Action by action: nothing that a role has goes unproven, and nothing is asked for that it has not."""
    parts = POLICIES.read_text().split('data "aws_iam_policy_document" ')
    granted = {
        action
        for part in parts
        if part.startswith(tuple(f'"{document}"' for document in GRANTS[duty]))
        for action in re.findall(r'"((?:iot|s3|iam|kms):[A-Z]\w+)"', part)
    }

    probed = {name for name in found([duty]) if name.partition(":")[0] in {"iot", "s3", "iam"}}

    assert granted - RIDES_ALONG - CONDITIONS == probed


def test_names_that_somebody_has_made_do_no_harm(simulator, found):
    """A job or a group that AWS makes after all is taken back before a device sees it, and the next check is none the
    worse for it.
    """
    iot = simulator.client("iot")
    simulator.add_thing("gate-1")
    iot.create_thing_group(thingGroupName=f"{NOWHERE}-parent")

    first = found()
    iot.create_thing_group(thingGroupName=NOWHERE)
    iot.add_thing_to_thing_group(thingGroupName=NOWHERE, thingName="gate-1")
    others = [found(), found()]

    assert {finding.found for findings in (first, *others) for finding in findings.values()} == {Found.OK}
    assert [each["groupName"] for each in iot.list_thing_groups()["thingGroups"]] == [f"{NOWHERE}-parent"]
    assert [job["status"] for job in iot.list_jobs()["jobs"]] == ["CANCELED"]


def test_names_that_nothing_has_are_covered_by_the_policies(settings):
    """Else a probe would be denied what a rollout may do."""
    resources = {call.call.resource for call in iot_calls(Account("plant", read_settings("plant", settings)))}

    assert NOWHERE.startswith("otabridge-")
    assert resources == {
        "*",
        "index/AWS_Things",
        "job/otabridge-*",
        "thing/*",
        "thinggroup/*",
        "thinggroup/otabridge-*",
    }
