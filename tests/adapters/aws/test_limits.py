"""Every limit of CreateJob, as a table: what is written, which field is blamed, and in what words."""

from __future__ import annotations

import copy
import json

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws.limits import OTHERS, REQUIRED, TABLE, check_devices, violations
from adapters.violations import BrokenLimits

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
WINDOW = "schedulingConfig.maintenanceWindows"
BROKEN = [
    ("jobId", "x" * 65, "jobId", "must have 1 to 64 characters, has 65"),
    ("jobId", "bad id!", "jobId", "letters, digits"),
    ("jobId", "start-next", "jobId", "topic of the Jobs API"),
    ("jobId", None, "jobId", "missing"),
    ("targets", [], "targets", "1 to 100"),
    ("targets", [ARN] * 101, "targets", "holds 101"),
    ("targets", [ARN, "thing-1"], "targets[1]", "must be an ARN"),
    ("targets", "arn:x", "targets", "must be a list"),
    ("document", "x" * 32769, "document", "32769 bytes; the limit is 32768"),
    ("document", "[]", "document", "must be a JSON object"),
    ("document", {"schema": 1}, "document", "must be the JSON text"),
    ("document", json.dumps({"u": [URL] * 11}), "document", "11 placeholders; the limit is 10"),
    ("document", None, "document", "given by nothing; must be given exactly once"),
    ("documentSource", "https://s3.amazonaws.com/b/k", "document", "given by document and documentSource"),
    ("description", "line\nbreak", "description", "control and format characters"),
    ("description", "zero\u200bwidth", "description", "control and format characters"),
    ("description", "half \ud800", "description", "control and format characters"),
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
    (f"{RATE}.rateIncreaseCriteria", {}, f"{RATE}.rateIncreaseCriteria", "must hold exactly one"),
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
    ("schedulingConfig.startTime", "2026-12-01T10:00:00Z", "schedulingConfig.startTime", "UTC as YYYY-MM-DDThh:mm"),
    ("schedulingConfig.startTime", "2026-13-45T99:99", "schedulingConfig.startTime", "UTC as YYYY-MM-DDThh:mm"),
    ("schedulingConfig.startTime", None, "schedulingConfig.startTime", "missing; maintenance windows need it"),
    ("schedulingConfig", "tomorrow", "schedulingConfig", "'tomorrow'; must be an object"),
    (f"{WINDOW}[].startTime", None, f"{WINDOW}[0].startTime", "missing"),
    (f"{WINDOW}[].durationInMinutes", 1431, f"{WINDOW}[0].durationInMinutes", "between 1 and 1430"),
    (f"{WINDOW}[].colour", "red", f"{WINDOW}[0].colour", "unknown; there is durationInMinutes, startTime"),
    (f"{ABORT}[].failureType", None, f"{ABORT}[0].failureType", "missing"),
    ("abortConfig.criteriaLst", [], "abortConfig.criteriaLst", "unknown; there is criteriaList"),
    ("abortConfig.criteriaList", None, "abortConfig.criteriaList", "missing"),
    (f"{ABORT}[].action", None, f"{ABORT}[0].action", "missing"),
    (f"{RETRY}[].numberOfRetries", None, f"{RETRY}[0].numberOfRetries", "missing"),
    ("targets", ["arn:" + "x" * 2045], "targets[0]", "1 to 2048"),
    ("destinationPackageVersions", ["arn:a"] * 26, "destinationPackageVersions", "0 to 25"),
    ("jobTemplateArn", "template", "jobTemplateArn", "must be an ARN"),
    ("documentParameters", {"bad key": "v"}, "documentParameters.bad key", "must be named by letters"),
    ("documentParameters", {"k": ""}, "documentParameters.k", "1 to 30720"),
    ("tags", [{"Key": "k"}, {"Key": "k"}], "tags", "'k'; is given more than once"),
    ("tags[].Key", "aws:team", "tags", "which AWS keeps for itself"),
    ("tags[].Key", "a#b", "tags[0].Key", "letters, digits, spaces"),
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
    if last.endswith("[]"):
        place[last.removesuffix("[]")] = value
    elif value is None:
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
    for path in (*(path for path, _ in TABLE), *REQUIRED, *OTHERS):
        member = shape
        for step in path.split("."):
            member = member.members[step.removesuffix("[]")]
            member = member.member if step.endswith("[]") else member
    validate_parameters(GOOD, shape)


def test_every_member_of_the_service_has_a_row():
    """What a later model of CreateJob adds is noticed here, and so is what it demands."""
    shape = botocore.session.get_session().get_service_model("iot").operation_model("CreateJob").input_shape
    paths, required = zip(*_leaves(shape), strict=True)

    assert {path for path in paths if path not in ROWS} == set()
    assert {path for path, needed in zip(paths, required, strict=True) if needed} == set(REQUIRED)


ROWS = {path for path, _ in TABLE} | OTHERS | {path.rpartition(".")[0] for path, _ in TABLE}


def _leaves(shape, path="", *, needed=False):
    """Every member below `shape` with its path, and whether the service requires it."""
    if path:
        yield path, needed
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from _leaves(member, f"{path}.{name}".lstrip("."), needed=name in shape.required_members)
    elif shape.type_name == "list":
        yield from _leaves(shape.member, f"{path}[]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(sorted(GOOD)) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), JSON))
def test_any_request_is_judged(request):
    """Whatever a foreign file holds: sentences, never an exception."""
    assert all(isinstance(str(each), str) for each in violations({**GOOD, **request}))


@given(st.sampled_from(sorted(GOOD)), JSON)
def test_what_passes_is_of_the_types_that_boto3_takes(name, value):
    """No violation means that botocore's own validation takes it."""
    request = {**GOOD, name: value}
    if value is not None and not violations(request):
        shape = botocore.session.get_session().get_service_model("iot").operation_model("CreateJob").input_shape
        validate_parameters(request, shape)


NAMES = [(("a", "a"), "devices: 'a'; is named more than once"), (("a b",), "devices: 'a b'; must be letters")]


@pytest.mark.parametrize(("devices", "message"), NAMES)
def test_devices_that_no_fleet_has_are_named(devices, message):
    """Before a group is made of them."""
    with pytest.raises(BrokenLimits, match=message):
        check_devices(devices)
    check_devices(("a", "b:c_d-1"))
