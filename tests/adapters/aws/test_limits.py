"""Every limit of CreateJob, as a table: what is written, which field is blamed, and in what words."""

from __future__ import annotations

import copy
import json

import botocore.session
import pytest
from botocore.validate import validate_parameters

from adapters.aws.limits import TABLE, check_devices, violations
from adapters.aws.wire import BrokenLimits

ARN = "arn:aws:iot:eu-west-1:123456789012:thinggroup/g"
ROLE = "arn:aws:iam::123456789012:role/presign"
URL = "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/b/k}"
GOOD: dict[str, object] = {
    "jobId": "otabridge-1",
    "targets": [ARN],
    "document": json.dumps({"url": URL}),
    "description": "spring",
    "targetSelection": "CONTINUOUS",
    "presignedUrlConfig": {"roleArn": ROLE, "expiresInSec": 3600},
    "jobExecutionsRolloutConfig": {
        "maximumPerMinute": 1000,
        "exponentialRate": {
            "baseRatePerMinute": 50,
            "incrementFactor": 1.5,
            "rateIncreaseCriteria": {"numberOfSucceededThings": 10},
        },
    },
    "abortConfig": {
        "criteriaList": [
            {"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 12.25, "minNumberOfExecutedThings": 10}
        ]
    },
    "timeoutConfig": {"inProgressTimeoutInMinutes": 10080},
    "jobExecutionsRetryConfig": {"criteriaList": [{"failureType": "FAILED", "numberOfRetries": 10}]},
    "schedulingConfig": {
        "startTime": "2026-12-01T10:00",
        "endTime": "2026-12-02T10:00",
        "endBehavior": "CANCEL",
        "maintenanceWindows": [{"startTime": "cron(0 18 ? * MON *)", "durationInMinutes": 60}],
    },
    "destinationPackageVersions": ["arn:aws:iot:eu-west-1:123456789012:package/p/version/1"],
    "tags": [{"Key": "team", "Value": "edge"}],
}

ROLLOUT = "jobExecutionsRolloutConfig"
RATE = f"{ROLLOUT}.exponentialRate"
ABORT = "abortConfig.criteriaList"
RETRY = "jobExecutionsRetryConfig.criteriaList"
BROKEN = [
    ("jobId", "x" * 65, "jobId", "must have 1 to 64 characters, has 65"),
    ("jobId", "bad id!", "jobId", "letters, digits"),
    ("jobId", "start-next", "jobId", "topic of the Jobs API"),
    ("jobId", None, "jobId", "missing"),
    ("targets", [], "targets", "1 to 100"),
    ("targets", [ARN] * 101, "targets", "holds 101"),
    ("targets", [ARN, "thing-1"], "targets[1]", "must be an ARN"),
    ("targets", "arn:x", "targets", "several values"),
    ("document", "x" * 32769, "document", "32769 bytes; the limit is 32768"),
    ("document", "[]", "document", "must be a JSON object"),
    ("document", {"schema": 1}, "document", "must be the JSON text"),
    ("document", json.dumps({"u": [URL] * 11}), "document", "11 placeholders; the limit is 10"),
    ("document", None, "document", "given by nothing; must be given exactly once"),
    ("documentSource", "https://s3.amazonaws.com/b/k", "document", "given by document and documentSource"),
    ("description", "line\nbreak", "description", "control characters"),
    ("description", "x" * 2029, "description", "0 to 2028"),
    ("targetSelection", "SOME", "targetSelection", "must be one of SNAPSHOT, CONTINUOUS"),
    ("presignedUrlConfig", {}, "presignedUrlConfig.roleArn", "missing; the document has S3 placeholders"),
    ("presignedUrlConfig.expiresInSec", 3601, "presignedUrlConfig.expiresInSec", "between 60 and 3600"),
    ("presignedUrlConfig.roleArn", "arn:short", "presignedUrlConfig.roleArn", "20 to 2048"),
    (f"{ROLLOUT}.maximumPerMinute", 1001, f"{ROLLOUT}.maximumPerMinute", "between 1 and 1000"),
    (f"{ROLLOUT}.maximumPerMinute", 49, f"{RATE}.baseRatePerMinute", "must not exceed the ceiling 49"),
    (f"{ROLLOUT}.maximumPerMinute", None, f"{ROLLOUT}.maximumPerMinute", "missing; an exponential rate needs"),
    (f"{RATE}.baseRatePerMinute", 5000, f"{RATE}.baseRatePerMinute", "between 1 and 1000"),
    (f"{RATE}.incrementFactor", 1.25, f"{RATE}.incrementFactor", "1 decimals at most"),
    (f"{RATE}.incrementFactor", 5.5, f"{RATE}.incrementFactor", "between 1.1 and 5"),
    (f"{RATE}.incrementFactor", None, f"{RATE}.incrementFactor", "missing"),
    (f"{RATE}.rateIncreaseCriteria", {}, f"{RATE}.rateIncreaseCriteria", "must hold 1 to 1, holds 0"),
    (f"{ABORT}[].thresholdPercentage", 0, f"{ABORT}[0].thresholdPercentage", "between 0.01 and 100"),
    (f"{ABORT}[].thresholdPercentage", 1.234, f"{ABORT}[0].thresholdPercentage", "2 decimals"),
    (f"{ABORT}[].minNumberOfExecutedThings", 0, f"{ABORT}[0].minNumberOfExecutedThings", "between 1"),
    (f"{ABORT}[].action", "PAUSE", f"{ABORT}[0].action", "must be one of CANCEL"),
    (f"{ABORT}[].failureType", "SLOW", f"{ABORT}[0].failureType", "must be one of FAILED"),
    ("timeoutConfig.inProgressTimeoutInMinutes", 10081, "timeoutConfig.inProgressTimeoutInMinutes", "1 and 10080"),
    ("timeoutConfig.inProgressTimeoutInMinutes", 1.5, "timeoutConfig.inProgressTimeoutInMinutes", "0 decimals"),
    ("timeoutConfig.inProgressTimeoutInMinutes", True, "timeoutConfig.inProgressTimeoutInMinutes", "a number"),
    (f"{RETRY}[].numberOfRetries", 11, f"{RETRY}[0].numberOfRetries", "between 0 and 10"),
    (RETRY, [{"failureType": "FAILED", "numberOfRetries": 6}] * 2, RETRY, "at most 10 times in all"),
    (RETRY, [{"failureType": "FAILED", "numberOfRetries": 1}] * 2, RETRY, "'FAILED'; may be named by one"),
    (
        RETRY,
        [{"failureType": "ALL", "numberOfRetries": 1}, {"failureType": "FAILED", "numberOfRetries": 1}],
        RETRY,
        "ALL must stand alone",
    ),
    ("schedulingConfig.startTime", "2026-12-01T10:00:00Z", "schedulingConfig.startTime", "16 characters"),
    ("schedulingConfig.endTime", "2026-12-01T10:10", "schedulingConfig.endTime", "30 minutes to 2 years later"),
    ("schedulingConfig.endTime", None, "schedulingConfig.endTime", "missing; endBehavior needs it"),
    ("targetSelection", "SNAPSHOT", "schedulingConfig.maintenanceWindows", "for CONTINUOUS jobs only"),
    ("namespaceId", "greengrass", "namespaceId", "otabridge-agent does not hear"),
    ("documentParameters", {"a": "b"}, "documentParameters", "only AWS's own job templates"),
    ("tags", [{"Key": "k", "Value": "v"}] * 51, "tags", "0 to 50"),
    ("tags[].Value", "v" * 257, "tags[0].Value", "0 to 256"),
    ("jobid", "otabridge", "jobid", "unknown"),
]


def changed(path: str, value: object) -> dict[str, object]:
    """GOOD with `value` at `path`, or without that member."""
    request = copy.deepcopy(GOOD)
    place: object = request
    *way, last = path.split(".")
    for step in way:
        place = place[step.removesuffix("[]")]
        place = place[0] if step.endswith("[]") else place
    if value is None:
        del place[last]
    else:
        place[last] = value
    return request


@pytest.mark.parametrize(("path", "value", "field", "words"), BROKEN, ids=[f"{row[0]}-{row[3]}" for row in BROKEN])
def test_a_broken_limit_is_named(path, value, field, words):
    """The field that breaks it, the value found, and the limit in words."""
    found = violations(changed(path, value))

    assert [one for one in found if one.field == field and words in str(one)], [str(one) for one in found]


def test_a_request_within_all_limits_breaks_none():
    """The table's own example, with every member in use."""
    assert violations(GOOD) == ()


def test_all_violations_are_listed():
    """A person mends a file once, not once for each mistake."""
    broken = {**GOOD, "jobId": "bad id!", "timeoutConfig": {"inProgressTimeoutInMinutes": 0}, "targets": []}

    assert {one.field for one in violations(broken)} == {
        "jobId",
        "targets",
        "timeoutConfig.inProgressTimeoutInMinutes",
    }


def test_every_field_of_the_table_exists_in_the_service():
    """botocore's model of CreateJob knows each path, and takes the example."""
    shape = botocore.session.get_session().get_service_model("iot").operation_model("CreateJob").input_shape
    for path, _ in TABLE:
        member = shape
        for step in path.split("."):
            member = member.members[step.removesuffix("[]")]
            member = member.member if step.endswith("[]") else member
    validate_parameters(GOOD, shape)


NAMES = [(("a", "a"), "devices: 'a'; is named more than once"), (("a b",), "devices: 'a b'; must be letters")]


@pytest.mark.parametrize(("devices", "message"), NAMES)
def test_devices_that_no_fleet_has_are_named(devices, message):
    """Before a group is made of them."""
    with pytest.raises(BrokenLimits, match=message):
        check_devices(devices)
    check_devices(("a", "b:c_d-1"))
