"""What Terraform made in AWS, looked at name by name: all is well, each mistake, what is gone, what is denied.

The AWS is moto with what it lacks, dry runs of KMS among it (`tests.infra.aws.emulated`), made healthy once. Mistakes
and denials are put into its answers by botocore's events: each test has one, and nothing has to be mended again.
"""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace
from urllib.parse import quote, unquote

import pytest

from adapters.aws.probes.account import Account
from adapters.aws.settings import read_settings
from adapters.clouds import probes
from bridge.errors import UsageError
from bridge.probing import ROLLOUTS, SIGNING, Duty, Found, prove
from tests.adapters.aws import made
from tests.infra.aws.emulated import emulated_aws

READS = [
    "account_id",
    "artifact_bucket_arn",
    "ledger_bucket",
    "presign_role_arn",
    "controller_role_arn",
    "publisher_role_arn",
    "viewer_role_arn",
    "controller_policy_arn",
    "publisher_policy_arn",
    "viewer_policy_arn",
    "ledger_writer_policy_arn",
    "releases_key_arn",
    "no kms:Sign releases",
    "root_key_arn",
    "no kms:Sign root",
    "thing_group",
    "device_policy",
    "claim_policy",
    "provisioning_template",
    "event_queue_url",
    "iot:DescribeEventConfigurations",
    "dead_letter_queue_url",
    "event_rules factory_job",
    "event_rules factory_job_execution",
    "dashboard",
    "alarms",
]


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """Everything that the module makes, in one account."""
    with pytest.MonkeyPatch.context() as patch, emulated_aws(tmp_path_factory.mktemp("aws")) as aws:
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        aws.resources = made.make(aws)
        yield aws


@pytest.fixture(autouse=True)
def _nobody_signs(aws):
    """Who asks rolls out, so the keys' policies deny."""
    aws.kms.denied = {aws.resources["root_key_arn"], aws.resources["releases_key_arn"]}


@pytest.fixture(scope="module")
def account(aws):
    """The fleet's account with its clients, which take a second to make."""
    settings = {"region": aws.region, "bucket": made.BUCKET, "role_arn": aws.resources["presign_role_arn"]}
    account = Account("plant", read_settings("plant", settings))
    assert account.caller
    account.clients = [getattr(account, service) for service in ("iot", "s3", "iam", "kms", "sqs", "cloudwatch")]
    return account


@pytest.fixture
def heard(account):
    """Has the clients' events told to handlers, until the test ends."""
    registered = []

    def hear(event, handler):
        for client in account.clients:
            client.meta.events.register(event, handler)
            registered.append((client, event, handler))

    yield hear
    for client, event, handler in registered:
        client.meta.events.unregister(event, handler)


@pytest.fixture
def found(aws, account, heard, monkeypatch):
    """Runs the probes of the resources, or `only` one, with changes to those, or to the answers; findings by name."""

    def opened(_name, settings):
        other = copy.copy(account)
        other.settings = settings
        return other

    def run(duties=ROLLOUTS, answers=(), settings=(), only=None, **changes):
        settings = {name: getattr(account.settings, name) for name in ("region", "bucket", "role_arn")} | dict(settings)
        monkeypatch.setattr("adapters.aws.probes.listed.Account", opened)
        without = len(probes("aws", "plant", settings))
        listed = probes("aws", "plant", settings, {**aws.resources, **changes})[without:]
        for event, handler in answers:
            heard(event, handler)
        chosen = [probe for probe in listed if only in (None, probe.name)]
        return {each.probe.name: each.finding for each in prove(chosen, duties)}

    return run


def answering(event, change):
    """Lets `change` have the parsed answer before the probe sees it."""
    return f"after-call.{event}", lambda parsed, **_: change(parsed)


def refusing(event, code, message="User: x is not authorized to perform it"):
    """Answers in the cloud's place, with an error."""

    def refuse(**_):
        error = {"Code": code, "Message": message}
        return SimpleNamespace(status_code=403), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}

    return f"before-call.{event}", refuse


def test_all_is_well_where_all_is_as_terraform_made_it(found):
    """One finding for each name, and each by an answer."""
    findings = found()

    assert list(findings) == READS
    assert {name: each.said for name, each in findings.items() if each.found is not Found.OK} == {}


def trusting(**changes):
    """A change of the trust policy's one statement, which is a text in the answer."""

    def change(parsed):
        document = json.loads(unquote(parsed["Role"]["AssumeRolePolicyDocument"]))
        document["Statement"][0].update(changes)
        parsed["Role"]["AssumeRolePolicyDocument"] = quote(json.dumps(document))

    return change


def updating(*path, **changes):
    """A change of what lies at `path` in the answer."""

    def change(parsed):
        for step in path:
            parsed = parsed[step]
        parsed.update(changes)

    return change


def clearing(*path):
    """What lies at `path` is empty."""

    def change(parsed):
        for step in path:
            parsed = parsed[step]
        parsed.clear()

    return change


SIGNERS = dict(zip(SIGNING, ("releases", "root"), strict=True))
SOURCE = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
MISTAKES = {
    "a bucket without versions": (
        answering("s3.GetBucketVersioning", updating(Status="Suspended")),
        {"artifact_bucket_arn": "versioning of factory-artifacts", "ledger_bucket": "versioning of factory-ledger"},
        "",
    ),
    "a bucket that may be made public": (
        answering("s3.GetPublicAccessBlock", updating("PublicAccessBlockConfiguration", BlockPublicPolicy=False)),
        {"artifact_bucket_arn": "BlockPublicPolicy of factory-artifacts", "ledger_bucket": "BlockPublicPolicy of"},
        "",
    ),
    "a bucket that was never closed": (
        refusing("s3.GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        {"artifact_bucket_arn": "BlockPublicAcls, IgnorePublicAcls", "ledger_bucket": "BlockPublicAcls"},
        "",
    ),
    "a bucket without encryption": (
        refusing("s3.GetBucketEncryption", "ServerSideEncryptionConfigurationNotFoundError"),
        {"artifact_bucket_arn": "encryption of factory-artifacts", "ledger_bucket": "encryption of factory-ledger"},
        "artifact_kms_key_arn",
    ),
    "a ledger without a lock": (
        refusing("s3.GetObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"),
        {"ledger_bucket": "Object Lock with a retention in factory-ledger"},
        "ledger_bucket_name",
    ),
    "a role that AWS IoT may not take": (
        answering("iam.GetRole", trusting(Principal={"Service": ["ec2.amazonaws.com"]})),
        {"presign_role_arn": "iot.amazonaws.com to be trusted by arn:aws:iam::123456789012:role/factory-presign"},
        "",
    ),
    "a role for jobs of anybody": (
        answering("iam.GetRole", trusting(Condition={})),
        {"presign_role_arn": "a condition on aws:SourceAccount and aws:SourceArn in the trust of"},
        "",
    ),
    "a role for any job of the account": (
        answering("iam.GetRole", trusting(Condition=SOURCE)),
        {"presign_role_arn": "a condition on aws:SourceArn in the trust of"},
        "",
    ),
    "roles without their policies": (
        answering("iam.ListAttachedRolePolicies", clearing("AttachedPolicies")),
        {f"{part}_role_arn": f"policy/factory-{part} to be attached to" for part in made.PARTS},
        "",
    ),
    "keys that are disabled": (
        answering("kms.DescribeKey", updating("KeyMetadata", KeyState="Disabled")),
        {f"{key}_key_arn": "KeyState Enabled of arn:aws:kms:" for key in ("root", "releases")},
        "",
    ),
    "keys of another curve": (
        answering("kms.DescribeKey", updating("KeyMetadata", KeySpec="ECC_NIST_P384")),
        {f"{key}_key_arn": "KeySpec ECC_NIST_P256 of arn:aws:kms:" for key in ("root", "releases")},
        "",
    ),
    "keys that encrypt": (
        answering("kms.DescribeKey", updating("KeyMetadata", KeyUsage="ENCRYPT_DECRYPT")),
        {f"{key}_key_arn": "KeyUsage SIGN_VERIFY of arn:aws:kms:" for key in ("root", "releases")},
        "",
    ),
    "policies without a version": (
        answering("iot.GetPolicy", updating(policyDocument="")),
        {f"{part}_policy": f"a default version of the policy factory-{part}" for part in ("device", "claim")},
        "",
    ),
    "a template that is off": (
        answering("iot.DescribeProvisioningTemplate", updating(enabled=False)),
        {"provisioning_template": "the template factory-devices enabled"},
        "enable_provisioning",
    ),
    "a template without a role": (
        answering("iot.DescribeProvisioningTemplate", updating(provisioningRoleArn="")),
        {"provisioning_template": "a role of the template factory-devices"},
        "",
    ),
    "events that the account does not publish": (
        answering("iot.DescribeEventConfigurations", updating("eventConfigurations", JOB_EXECUTION={"Enabled": False})),
        {"iot:DescribeEventConfigurations": "events of the type JOB_EXECUTION enabled"},
        "manage_account_singletons",
    ),
    "queues without encryption": (
        answering("sqs.GetQueueAttributes", updating("Attributes", SqsManagedSseEnabled="false")),
        {"event_queue_url": "encryption of http", "dead_letter_queue_url": "encryption of http"},
        "",
    ),
    "a queue without dead letters": (
        answering("sqs.GetQueueAttributes", lambda parsed: parsed["Attributes"].pop("RedrivePolicy", None)),
        {"event_queue_url": "factory-job-events-dead; it has none"},
        "",
    ),
    "rules that are off": (
        answering("iot.GetTopicRule", updating("rule", ruleDisabled=True)),
        {f"event_rules {rule}": f"the rule {rule} enabled" for rule in made.RULES},
        "",
    ),
    "rules that lead nowhere": (
        answering("iot.GetTopicRule", updating("rule", actions=[])),
        {f"event_rules {rule}": f"factory-job-events as target of the rule {rule}" for rule in made.RULES},
        "",
    ),
    "rules whose errors are lost": (
        answering("iot.GetTopicRule", lambda parsed: parsed["rule"].pop("errorAction")),
        {f"event_rules {rule}": f"as target of errors of the rule {rule}" for rule in made.RULES},
        "",
    ),
    "alarms that tell nobody": (
        answering("cloudwatch.DescribeAlarms", lambda parsed: parsed["MetricAlarms"][0].update(ActionsEnabled=False)),
        {"alarms": "actions of the alarms factory-events-lost enabled"},
        "",
    ),
}


@pytest.mark.parametrize(("answer", "wrong", "variable"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_found_where_it_is_and_nowhere_else(found, answer, wrong, variable):
    """With what must be, and the variable that mends it; without one, that applying again does."""
    findings = found(answers=[answer])

    assert {name for name, each in findings.items() if each.found is not Found.OK} == set(wrong)
    for name, needs in wrong.items():
        assert findings[name].found is Found.MISSING
        assert needs in findings[name].needs
        assert findings[name].variable == variable
        assert findings[name].said == "`terraform apply` mends it"


ELSEWHERE = "arn:aws:iam::123456789012:"
GONE = {
    "artifact_bucket_arn": ("arn:aws:s3:::factory-elsewhere", "artifact_bucket_name"),
    "ledger_bucket": ("factory-elsewhere", "ledger_bucket_name"),
    "presign_role_arn": (f"{ELSEWHERE}role/none", ""),
    "viewer_role_arn": (f"{ELSEWHERE}role/none", ""),
    "viewer_policy_arn": (f"{ELSEWHERE}policy/none", ""),
    "ledger_writer_policy_arn": (f"{ELSEWHERE}policy/none", "ledger_bucket_name"),
    "root_key_arn": ("arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000", ""),
    "thing_group": ("fleet-none", ""),
    "device_policy": ("none", ""),
    "claim_policy": ("none", "enable_provisioning"),
    "provisioning_template": ("none", "enable_provisioning"),
    "event_queue_url": ("none", "enable_events"),
    "dead_letter_queue_url": ("none", "enable_events"),
    "dashboard": ("none", ""),
}


@pytest.mark.parametrize("name", GONE)
def test_what_is_gone_is_missing(aws, found, name):
    """Named for people, with the variable that makes it."""
    value, variable = GONE[name]
    value = f"{aws.resources[name]}-none" if name.endswith("_url") else value

    finding = found(only=name, **{name: value})[name]

    assert (finding.found, finding.variable) == (Found.MISSING, variable)
    assert finding.needs.endswith(", which is not there")


def test_alarms_that_are_gone_are_named(found):
    """Each by its name."""
    finding = found(alarms=["factory-events-lost", "factory-other"])["alarms"]

    assert (finding.found, finding.needs, finding.variable) == (
        Found.MISSING,
        "the alarms factory-other",
        "enable_events",
    )


DENIALS = {
    "s3.GetBucketVersioning": ("AccessDenied", "artifact_bucket_arn"),
    "iam.GetRole": ("AccessDenied", "presign_role_arn"),
    "iam.GetPolicy": ("AccessDenied", "viewer_policy_arn"),
    "kms.DescribeKey": ("AccessDeniedException", "root_key_arn"),
    "iot.DescribeThingGroup": ("AccessDeniedException", "thing_group"),
    "iot.GetTopicRule": ("UnauthorizedException", "event_rules factory_job"),
    "sqs.GetQueueAttributes": ("AccessDenied", "event_queue_url"),
    "cloudwatch.GetDashboard": ("AccessDenied", "dashboard"),
}


@pytest.mark.parametrize("event", DENIALS)
def test_what_may_not_be_read_is_not_called_missing(found, event):
    """A rollout needs none of it; who may read, and how to become one of them, is told."""
    code, name = DENIALS[event]

    finding = found(answers=[refusing(event, code)], only=name)[name]

    assert finding.found is Found.UNKNOWN
    assert finding.said.startswith(f"{code}: ")
    assert (finding.needs.partition(":")[0], finding.variable) == (event.partition(".")[0], "controller_principals")


def test_who_looks_is_told_to_become_a_viewer(found):
    """And not a controller."""
    finding = found([Duty.VIEWER], answers=[refusing("iam.GetRole", "AccessDenied")])["presign_role_arn"]

    assert finding.variable == "viewer_principals"


def test_trouble_of_the_cloud_proves_nothing(found):
    """Neither that it is there, nor that it is not."""
    finding = found(answers=[refusing("iam.GetRole", "ServiceFailure", "Later, please")])["presign_role_arn"]

    assert (finding.found, finding.said) == (Found.UNKNOWN, "ServiceFailure: Later, please")


def test_an_answer_of_another_shape_proves_nothing(found):
    """It is no traceback."""
    strange = answering("iam.GetRole", updating("Role", AssumeRolePolicyDocument=quote('{"Statement": "none"}')))

    finding = found(answers=[strange])["presign_role_arn"]

    assert finding.found is Found.UNKNOWN
    assert finding.said.startswith("AWS answered what it does not document: ")


def test_a_role_and_a_bucket_of_other_settings_are_noticed(found):
    """The fleet would use other ones than Terraform made."""
    other = {"bucket": "other", "role_arn": f"{ELSEWHERE}role/other"}

    findings = found(settings=other)

    role = f"role_arn of the fleet to be {ELSEWHERE}role/factory-presign; it is {ELSEWHERE}role/other"
    assert findings["presign_role_arn"].needs == role
    assert findings["artifact_bucket_arn"].needs == "bucket of the fleet to be factory-artifacts; it is other"


def test_credentials_of_another_account_are_noticed(found):
    """Before everything else is found missing there."""
    finding = found(account_id="999999999999")["account_id"]

    assert finding.needs == "credentials of account 999999999999, in which Terraform made the fleet"


@pytest.mark.parametrize(("duty", "key"), list(SIGNERS.items()))
def test_who_signs_may_by_a_dry_run(aws, found, duty, key):
    """KMS says DryRunOperationException to who may, and nothing is signed."""
    aws.kms.denied = set()

    findings = found([duty])

    assert findings[f"kms:Sign {key}"].found is Found.OK
    assert findings[f"kms:Sign {key}"].said == "allowed; refused as meant: DryRunOperationException"
    assert [name for name in findings if name.startswith(("kms", "no kms"))] == [f"kms:Sign {key}"]


@pytest.mark.parametrize(("duty", "key"), list(SIGNERS.items()))
def test_who_signs_and_may_not_is_told_the_variable(aws, found, duty, key):
    """That of this key alone."""
    finding = found([duty])[f"kms:Sign {key}"]

    assert finding.found is Found.MISSING
    assert finding.needs == f"kms:Sign on {aws.resources[f'{key}_key_arn']}"
    assert finding.variable == {"releases": "approver_principals", "root": "root_approver_principals"}[key]


@pytest.mark.parametrize("duty", [Duty.CONTROLLER, Duty.PUBLISHER])
def test_who_rolls_out_and_may_sign_is_found(aws, found, duty):
    """Approvers cannot be the controller: with one key allowed, that key is told."""
    aws.kms.denied = {aws.resources["releases_key_arn"]}

    findings = found([duty])
    finding = findings["no kms:Sign root"]

    assert findings["no kms:Sign releases"].found is Found.OK
    assert (finding.found, finding.variable) == (Found.MISSING, "root_approver_principals")
    assert finding.needs.startswith(f"kms:Sign on {aws.resources['root_key_arn']} to be refused to arn:aws:")
    assert finding.needs.endswith(f", which is asked as {duty}")


def test_nothing_is_signed(found):
    """Every request to sign is a dry run."""
    asked = []
    note = ("provide-client-params.kms.Sign", lambda params, **_: asked.append(params["DryRun"]))

    found((*ROLLOUTS, *SIGNING), answers=[note])

    assert asked == [True] * 4


def test_every_call_only_reads(found):
    """By the verbs of their operations; Sign is a dry run."""
    called = set()
    found(answers=[("provide-client-params.*", lambda model, **_: called.add(model.name))])

    assert called
    assert {name for name in called if not name.startswith(("Describe", "Get", "List"))} == {"Sign"}


def test_names_without_a_probe_are_listed_and_fail_nothing(found):
    """Those of a newer module, or of somebody's own."""
    finding = found(queue_of_tomorrow="x", absent=None, another={"a": "b"})["resources"]

    assert finding.found is Found.SKIPPED
    assert finding.said == "another, queue_of_tomorrow: this otabridge knows no probe of them"


def test_a_fleet_without_the_choices_has_no_probe_of_them(found):
    """null is what the module says of what it did not make."""
    absent = dict.fromkeys(("ledger_bucket", "event_queue_url", "dead_letter_queue_url", "claim_policy"))

    findings = found(**absent, event_rules=[])

    assert not {"iot:DescribeEventConfigurations", *absent} & set(findings)
    assert {each.found for each in findings.values()} == {Found.OK}


def test_a_name_of_another_shape_is_refused(found):
    """With the field."""
    with pytest.raises(UsageError, match=r"fleet plant: resources\.thing_group: expected `str"):
        found(thing_group=7)
