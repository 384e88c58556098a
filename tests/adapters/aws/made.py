"""What infra/aws makes, made in an emulated AWS by hand: the same names, and of each what `fleet check` looks at."""

from __future__ import annotations

import json

NAME = "factory"
BUCKET, LEDGER = f"{NAME}-artifacts", f"{NAME}-ledger"
TEMPLATE, RULES = f"{NAME}-devices", (f"{NAME}_job", f"{NAME}_job_execution")
PARTS = ("controller", "publisher", "viewer")
ENCRYPTED = {"SqsManagedSseEnabled": "true"}


def make(aws):
    """Make everything; returns `resources` of the module's `tool_config`."""
    buckets(aws)
    queues = queue_pair(aws)
    return {
        "account_id": aws.account,
        "name": NAME,
        "artifact_bucket_arn": f"arn:aws:s3:::{BUCKET}",
        "ledger_bucket": LEDGER,
        **roles(aws),
        **keys(aws),
        **devices(aws),
        **queues,
        "event_rules": rules(aws, queues),
        **watched(aws, queues),
    }


def buckets(aws):
    """Both, versioned, encrypted and private; the ledger's is locked."""
    s3 = aws.client("s3")
    for name in (BUCKET, LEDGER):
        place = {"LocationConstraint": aws.region}
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=name == LEDGER)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": retention}
    s3.put_object_lock_configuration(Bucket=LEDGER, ObjectLockConfiguration=lock)


def roles(aws):
    """The four roles and the four policies."""
    iam = aws.client("iam")
    allowance = {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
    condition = {
        "StringEquals": {"aws:SourceAccount": aws.account},
        "ArnLike": {"aws:SourceArn": f"arn:aws:iot:{aws.region}:{aws.account}:job/otabridge-*"},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{**allowance, "Condition": condition}]})
    made = {}
    for part in ("presign", *PARTS):
        role = iam.create_role(RoleName=f"{NAME}-{part}", AssumeRolePolicyDocument=trust)
        made[f"{part}_role_arn"] = role["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": "iot:DescribeThing", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for part in (*PARTS, "ledger-writer"):
        policy = iam.create_policy(PolicyName=f"{NAME}-{part}", PolicyDocument=document)["Policy"]["Arn"]
        made[f"{part.replace('-', '_')}_policy_arn"] = policy
        if part in PARTS:
            iam.attach_role_policy(RoleName=f"{NAME}-{part}", PolicyArn=policy)
    return made


def keys(aws):
    """Both keys, with aliases."""
    kms, made = aws.client("kms"), {}
    for key in ("root", "releases"):
        found = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        kms.create_alias(AliasName=f"alias/{NAME}-{key}", TargetKeyId=found["KeyId"])
        made[f"{key}_key_arn"], made[f"{key}_key_uri"] = found["Arn"], f"awskms:{found['KeyId']}"
        made[f"{key}_key_alias"] = f"alias/{NAME}-{key}"
    return made


def devices(aws):
    """Group, policies and template."""
    iot = aws.client("iot")
    iot.create_thing_group(thingGroupName=f"fleet-{NAME}")
    for policy in ("device", "claim"):
        iot.create_policy(policyName=f"{NAME}-{policy}", policyDocument='{"Version": "2012-10-17", "Statement": []}')
    iot.create_provisioning_template(
        templateName=TEMPLATE,
        templateBody="{}",
        enabled=True,
        provisioningRoleArn=f"arn:aws:iam::{aws.account}:role/{NAME}-provisioning",
    )
    types = {type_: {"Enabled": True} for type_ in ("JOB", "JOB_EXECUTION")}
    iot.update_event_configurations(eventConfigurations=types)
    return {
        "thing_group": f"fleet-{NAME}",
        "device_policy": f"{NAME}-device",
        "claim_policy": f"{NAME}-claim",
        "provisioning_template": TEMPLATE,
    }


def queue_pair(aws):
    """The queue of events, and that of dead letters."""
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName=f"{NAME}-job-events-dead", Attributes=ENCRYPTED)["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{NAME}-job-events"
    redrive = json.dumps({"deadLetterTargetArn": f"{arn}-dead", "maxReceiveCount": 5})
    attributes = {**ENCRYPTED, "RedrivePolicy": redrive}
    events = sqs.create_queue(QueueName=f"{NAME}-job-events", Attributes=attributes)["QueueUrl"]
    return {"event_queue_url": events, "event_queue_arn": arn, "dead_letter_queue_url": dead}


def rules(aws, queues):
    """The rules that put events into the queue."""
    iot, role = aws.client("iot"), f"arn:aws:iam::{aws.account}:role/{NAME}-events"
    events, dead = (
        {"sqs": {"queueUrl": queues[queue], "roleArn": role, "useBase64": False}}
        for queue in ("event_queue_url", "dead_letter_queue_url")
    )
    for name in RULES:
        payload = {"sql": "SELECT *", "actions": [events], "errorAction": dead, "ruleDisabled": False}
        iot.create_topic_rule(ruleName=name, topicRulePayload=payload)
    return list(RULES)


def watched(aws, queues):
    """The dashboard, and an alarm."""
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_dashboard(DashboardName=f"{NAME}-otabridge", DashboardBody='{"widgets": []}')
    cloudwatch.put_metric_alarm(
        AlarmName=f"{NAME}-events-lost",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": queues["event_queue_arn"].rpartition(":")[2]}],
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    return {"dashboard": f"{NAME}-otabridge", "alarms": [f"{NAME}-events-lost"]}
