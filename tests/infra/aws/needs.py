"""What a call of the adapter needs in IAM: actions on resources, from the call's operation and its parameters.

Sources: the service authorization reference of AWS IoT and of S3 (actions and their required resource types); the API
reference of CreateJob (iam:PassRole for the presign role, iot:TagResource for tags) and of S3's multipart uploads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

NO_RESOURCE = frozenset(
    {
        "iot:DescribeEventConfigurations",
        "iot:GetIndexingConfiguration",
        "iot:ListThingGroups",
        "iot:ListThings",
    }
)
"""Actions for which the reference names no resource type: only `*` can stand in their statements."""
OF_IOT: Mapping[str, tuple[str, ...]] = {
    "GetIndexingConfiguration": (),
    "ListThingGroups": (),
    "ListThings": (),
    "DescribeThing": ("thing/{thingName}",),
    "SearchIndex": ("index/AWS_Things",),
    "GetStatistics": ("index/AWS_Things",),
    "GetBucketsAggregation": ("index/AWS_Things",),
    "CreateThingGroup": ("thinggroup/{thingGroupName}",),
    "CreateDynamicThingGroup": ("thinggroup/{thingGroupName}",),
    "DescribeThingGroup": ("thinggroup/{thingGroupName}",),
    "DeleteThingGroup": ("thinggroup/{thingGroupName}",),
    "DeleteDynamicThingGroup": ("thinggroup/{thingGroupName}",),
    "ListThingsInThingGroup": ("thinggroup/{thingGroupName}",),
    "AddThingToThingGroup": ("thinggroup/{thingGroupName}", "thing/{thingName}"),
    "CreateJob": ("job/{jobId}",),
    "CancelJob": ("job/{jobId}",),
    "DescribeJob": ("job/{jobId}",),
    "GetJobDocument": ("job/{jobId}",),
    "ListJobExecutionsForJob": ("job/{jobId}",),
    "DescribeJobExecution": ("job/{jobId}", "thing/{thingName}"),
    "DescribeEventConfigurations": (),
    "DescribeProvisioningTemplate": ("provisioningtemplate/{templateName}",),
    "GetPolicy": ("policy/{policyName}",),
    "GetTopicRule": ("rule/{ruleName}",),
}
"""Operations of AWS IoT, each of which is an action of its own, and what they act on."""
OF_S3: Mapping[str, tuple[str, ...]] = {
    "PutObject": ("s3:PutObject",),
    "CreateMultipartUpload": ("s3:PutObject",),
    "UploadPart": ("s3:PutObject",),
    "CompleteMultipartUpload": ("s3:PutObject",),
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "HeadObject": ("s3:GetObject", "s3:ListBucket"),
    "GetBucketVersioning": ("s3:GetBucketVersioning",),
    "GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
}
"""Operations of S3, and the actions that allow them; a missing object answers 404 only who may list the bucket."""
OF_BUCKETS = frozenset(
    {
        "s3:ListBucket",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketObjectLockConfiguration",
    }
)
OF_OTHERS: Mapping[str, Mapping[str, str]] = {
    "iam": {
        "GetRole": "arn:aws:iam::{account}:role/{RoleName}",
        "GetPolicy": "{PolicyArn}",
        "ListAttachedRolePolicies": "arn:aws:iam::{account}:role/{RoleName}",
    },
    "kms": {"DescribeKey": "arn:aws:kms:{region}:{account}:key/any"},
    "sqs": {"GetQueueAttributes": "arn:aws:sqs:{region}:{account}:{queue}"},
    "cloudwatch": {
        "GetDashboard": "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
        "DescribeAlarms": "arn:aws:cloudwatch:{region}:{account}:alarm:any",
    },
}
"""Operations of services that only `fleet check` asks, each of which is an action of its own, and what they act on. A
key is named by its alias, in a condition that no test here evaluates.
"""


class Call(NamedTuple):
    """A call as boto3 was asked for it."""

    service: str
    operation: str
    parameters: Mapping[str, Any]


class Need(NamedTuple):
    """An action that a call needs, and on what."""

    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where calls are made."""

    account: str
    region: str

    def needs(self, call: Call) -> Iterator[Need]:
        """What the call needs. An operation that no table names is an error: say what it needs."""
        if call.service == "iot":
            yield from self._of_iot(call)
        elif call.service in OF_OTHERS:
            yield self._of_others(call)
        else:
            yield from _of_s3(call)

    def _of_iot(self, call: Call) -> Iterator[Need]:
        action = f"iot:{call.operation}"
        for pattern in OF_IOT[call.operation] or ("*",):
            yield Need(action, "*" if pattern == "*" else self._arn(pattern.format_map(call.parameters)))
        if call.operation == "CreateJob":
            yield from (Need(action, target) for target in call.parameters["targets"])
            yield Need("iam:PassRole", call.parameters["presignedUrlConfig"]["roleArn"])
            if call.parameters.get("tags"):
                yield Need("iot:TagResource", self._arn(f"job/{call.parameters['jobId']}"))

    def _of_others(self, call: Call) -> Need:
        place = {"account": self.account, "region": self.region}
        queue = str(call.parameters.get("QueueUrl", "")).rpartition("/")[2]
        pattern = OF_OTHERS[call.service][call.operation]
        return Need(f"{call.service}:{call.operation}", pattern.format(**{**call.parameters, **place, "queue": queue}))

    def _arn(self, resource: str) -> str:
        return f"arn:aws:iot:{self.region}:{self.account}:{resource}"


def _of_s3(call: Call) -> Iterator[Need]:
    bucket = f"arn:aws:s3:::{call.parameters['Bucket']}"
    for action in OF_S3[call.operation]:
        yield Need(action, bucket if action in OF_BUCKETS else f"{bucket}/{call.parameters['Key']}")
