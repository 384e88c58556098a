"""Policies as the real provider renders them: who signs, who trusts whom, what a device and a claim may do."""

from __future__ import annotations

import json

import pytest

from tests.infra.aws.conftest import ACCOUNT, IAM, ISSUER
from tests.infra.aws.policies import WILDCARDS

KEYS = {"releases": (f"{IAM}:role/ann", f"{IAM}:user/ben"), "root": (f"{IAM}:role/root-holder",)}
ROLLOUT_ROLES = [f"{IAM}:role/factory-controller", f"{IAM}:role/factory-publisher"]
SIGNING = frozenset({"kms:Sign", "kms:CreateGrant"})
IOT = f"arn:aws:iot:eu-west-1:{ACCOUNT}"
THING = "${iot:Connection.Thing.ThingName}"
CLAIM = "$aws/provisioning-templates/factory-devices/provision/json"
CSR = "$aws/certificates/create-from-csr/json"


@pytest.fixture(params=KEYS)
def key(request):
    """Each of the two signing keys."""
    return request.param


@pytest.fixture
def key_policy(planned, key):
    """The policy of a signing key."""
    return planned.policy(f'aws_kms_key.signing["{key}"]')


def test_signing_keys_can_sign_what_otabridge_signs(planned, key):
    """ECDSA on P-256, which is what securesystemslib asks KMS for and devices verify; each under an alias."""
    made = planned.values[f'aws_kms_key.signing["{key}"]']

    assert (made["customer_master_key_spec"], made["key_usage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    assert planned.values[f'aws_kms_alias.signing["{key}"]']["name"] == f"alias/factory-{key}"


def test_only_named_signers_sign(key_policy, key):
    """One statement allows kms:Sign, to the signers of this key and to no others."""
    allowing = [each for each in key_policy.statements if each.effect == "Allow" and "kms:Sign" in each.actions]

    assert [each.sid for each in allowing] == ["SignByNamedSigners"]
    assert sorted(allowing[0].principals["AWS"]) == sorted(KEYS[key])
    assert allowing[0].condition == {"StringEquals": {"kms:SigningAlgorithm": "ECDSA_SHA_256"}}


def test_nobody_else_can_be_let_in_by_iam_or_by_a_grant(key_policy, key):
    """Everybody but the signers is denied, whatever their own policies or a grant say."""
    denial = key_policy.of("DenySigningByAnybodyElse")

    assert (denial.effect, frozenset(denial.actions), denial.principals) == ("Deny", SIGNING, {"AWS": ("*",)})
    assert sorted(listed(denial.condition["ArnNotEquals"]["aws:PrincipalArn"])) == sorted(KEYS[key])
    assert list(denial.condition) == ["ArnNotEquals"]


def test_who_rolls_out_cannot_sign(key_policy):
    """Controller and publisher are denied by name, also the right to change the key's policy."""
    denial = key_policy.of("DenyThoseWhoRollOut")

    assert denial.effect == "Deny"
    assert {"kms:Sign", "kms:CreateGrant", "kms:PutKeyPolicy"} <= set(denial.actions)
    assert denial.condition == {"ArnEquals": {"aws:PrincipalArn": ROLLOUT_ROLES}}


@pytest.mark.parametrize("role", ["controller", "publisher"])
def test_who_signs_cannot_roll_out(planned, role):
    """The other way round: approvers and root holders are denied both roles, whoever names them as principals."""
    denial = planned.policy(f'aws_iam_role.access["{role}"]', "assume_role_policy").of("DenySigners")
    everybody = sorted(signer for signers in KEYS.values() for signer in signers)

    assert (denial.effect, denial.actions, denial.principals) == ("Deny", ("sts:AssumeRole",), {"AWS": ("*",)})
    assert sorted(denial.condition["ArnEquals"]["aws:PrincipalArn"]) == everybody


def test_who_keeps_the_keys_cannot_sign(key_policy):
    """Managing a key is named action by action, signing not among them; so IAM cannot hand it on either."""
    keeping = key_policy.of("ManageWithoutSigning")

    assert keeping.principals == {"AWS": (f"{IAM}:role/keeper",)}
    assert not SIGNING & set(keeping.actions)
    assert [action for action in keeping.actions if WILDCARDS.search(action)] == []


def test_a_key_without_signers_signs_for_nobody(planned_with_key, key):
    """No principal was named: nothing allows, and the denial has no exception."""
    policy = planned_with_key.policy(f'aws_kms_key.signing["{key}"]')

    assert [each for each in policy.statements if each.effect == "Allow" and "kms:Sign" in each.actions] == []
    assert policy.of("DenySigningByAnybodyElse").condition == {}
    assert policy.of("ManageWithoutSigning").principals == {"AWS": (f"{IAM}:root",)}


def test_the_presign_role_serves_jobs_of_otabridge_here(planned):
    """The confused deputy: no job of another account, region or program borrows the role; it reads artifacts."""
    (trust,) = planned.policy("aws_iam_role.presign", "assume_role_policy").statements
    (reads,) = planned.policy("aws_iam_role_policy.presign").statements

    assert trust.principals == {"Service": ("iot.amazonaws.com",)}
    assert trust.condition == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"{IOT}:job/otabridge-*"},
    }
    assert (reads.actions, reads.resources) == (("s3:GetObject",), ("arn:aws:s3:::factory-artifacts/otabridge/*",))


def test_a_pipeline_takes_the_role_that_it_was_given(planned):
    """By its audience and its subject; nobody else takes that role."""
    statements = planned.policy('aws_iam_role.access["publisher"]', "assume_role_policy").statements
    (taken,) = [each for each in statements if each.effect == "Allow"]

    assert taken.actions == ("sts:AssumeRoleWithWebIdentity",)
    assert taken.principals == {"Federated": (f"{IAM}:oidc-provider/{ISSUER}",)}
    assert taken.condition == {
        "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{ISSUER}:sub": "repo:example/os:environment:publish"},
    }


def test_named_principals_take_a_role(planned):
    """The controller's is the operator's; the viewer's, for which nobody was named, is the account's to give."""
    controller = planned.policy('aws_iam_role.access["controller"]', "assume_role_policy").of("TakenByName")
    viewer = planned.policy('aws_iam_role.access["viewer"]', "assume_role_policy").of("TakenByName")

    assert controller.principals == {"AWS": (f"{IAM}:role/operator",)}
    assert viewer.principals == {"AWS": (f"{IAM}:root",)}


@pytest.mark.parametrize("bucket", ["artifacts", 'ledger["ledger"]'])
def test_buckets_speak_tls_alone(planned, bucket):
    """Everything is denied to whoever does not."""
    (denial,) = planned.policy(f"aws_s3_bucket_policy.{bucket}").statements

    assert (denial.effect, denial.actions, denial.principals) == ("Deny", ("s3:*",), {"AWS": ("*",)})
    assert denial.condition == {"Bool": {"aws:SecureTransport": "false"}}


def test_who_exports_the_ledger_only_adds(planned):
    """Nothing is read or deleted, and nobody has the policy unless somebody attaches it."""
    (adds,) = planned.policy('aws_iam_policy.ledger_writer["ledger"]').statements
    attached = [each.get("policy_arn") or "" for each in planned.of("aws_iam_role_policy_attachment").values()]

    assert (adds.actions, adds.resources) == (("s3:PutObject",), ("arn:aws:s3:::factory-ledger/*",))
    assert [arn for arn in attached if "ledger" in arn] == []


def test_a_device_reaches_its_own_topics_alone(planned):
    """The table of the device protocol, by the thing's name, and only for a certificate attached to the thing."""
    connects, speaks, listens = planned.policy("aws_iot_policy.device").statements
    topics = [f"$aws/things/{THING}/jobs/*", f"$aws/things/{THING}/shadow/name/otabridge/*"]

    assert (connects.actions, connects.resources) == (("iot:Connect",), (f"{IOT}:client/{THING}",))
    assert connects.condition == {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    assert speaks.actions == ("iot:Publish", "iot:Receive")
    assert list(speaks.resources) == [f"{IOT}:topic/{topic}" for topic in topics]
    assert (listens.actions, list(listens.resources)) == (
        ("iot:Subscribe",),
        [f"{IOT}:topicfilter/{topic}" for topic in topics],
    )


def test_policies_of_aws_iot_keep_its_limit(planned):
    """2048 characters without white space (quotas of AWS IoT Core)."""
    sizes = {name: len(json.dumps(json.loads(each["policy"]))) for name, each in planned.of("aws_iot_policy").items()}

    assert {name: size for name, size in sizes.items() if size > 2048} == {}
    assert len(sizes) == 2


def test_a_claim_certificate_only_gets_a_device_its_own(planned):
    """It asks for a certificate by a request of the device, and for its registration; keys from the cloud are off."""
    _, speaks, listens = planned.policy('aws_iot_policy.claim["devices"]').statements
    topics = sorted(f"{IOT}:topic/{topic}{answer}" for topic in (CLAIM, CSR) for answer in ("", "/*"))

    assert sorted(speaks.resources) == topics
    assert sorted(listens.resources) == sorted(f"{IOT}:topicfilter/{topic}/*" for topic in (CLAIM, CSR))


def test_registration_makes_a_device_of_the_fleet(planned):
    """A thing with its model, in the fleet's group, with the device policy and an active certificate."""
    body = json.loads(planned.values['aws_iot_provisioning_template.devices["devices"]']["template_body"])

    assert body["Resources"]["thing"]["Properties"]["ThingGroups"] == ["fleet-factory"]
    assert body["Resources"]["thing"]["Properties"]["AttributePayload"] == {"model": {"Ref": "Model"}}
    assert body["Resources"]["policy"]["Properties"] == {"PolicyName": "factory-device"}
    assert set(body["Parameters"]) == {"SerialNumber", "Model", "AWS::IoT::Certificate::Id"}


def test_rules_only_send_events(planned):
    """The role of the rules sends to the two queues, for rules of this fleet."""
    (trust,) = planned.policy('aws_iam_role.events["events"]', "assume_role_policy").statements
    (sends,) = planned.policy('aws_iam_role_policy.events["events"]').statements
    queues = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:factory-job-events"

    assert trust.condition["ArnLike"] == {"aws:SourceArn": f"{IOT}:rule/factory_*"}
    assert (sends.actions, sorted(sends.resources)) == (("sqs:SendMessage",), [queues, f"{queues}-dead"])


def test_a_key_for_artifacts_can_be_used_through_s3_alone(planned_with_key):
    """Devices' URLs decrypt, publishers encrypt; nobody uses the key elsewhere."""
    presign = planned_with_key.policy("aws_iam_role_policy.presign").of("DecryptArtifacts")
    publish = planned_with_key.policy('aws_iam_policy.access["publisher"]').of("EncryptArtifacts")

    assert presign.actions == ("kms:Decrypt",)
    assert sorted(publish.actions) == ["kms:Decrypt", "kms:GenerateDataKey"]
    for statement in (presign, publish):
        assert statement.condition == {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}


def test_no_policy_of_a_role_allows_a_pattern_of_actions(planned):
    """Of all policies that the module makes for IAM: each action is written out."""
    made = {**planned.of("aws_iam_policy"), **planned.of("aws_iam_role_policy")}
    actions = {action for name in made for action in planned.policy(name).actions}

    assert len(made) == 6
    assert [action for action in actions if WILDCARDS.search(action)] == []


def listed(value):
    """One or many; Terraform writes one without a list."""
    return [value] if isinstance(value, str) else value
