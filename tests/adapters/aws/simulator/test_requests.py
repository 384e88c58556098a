"""What the service refuses although boto3 lets it pass."""

from __future__ import annotations

import pytest

from adapters.aws.simulator.errors import Refusal, ServiceError

ROLE = "arn:aws:iam::123456789012:role/presign"
PLACEHOLDER = '{"u": "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/%s}"}'
CRITERION = {"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 5, "minNumberOfExecutedThings": 1}
RATE = {"baseRatePerMinute": 50, "incrementFactor": 2, "rateIncreaseCriteria": {"numberOfNotifiedThings": 5}}


def rollout(**changes):
    """A rollout config with an exponential rate that differs from a valid one."""
    return {"jobExecutionsRolloutConfig": {"maximumPerMinute": 100, "exponentialRate": {**RATE, **changes}}}


def aborts(*criteria):
    """An abort config of criteria that differ from a valid one."""
    return {"abortConfig": {"criteriaList": [{**CRITERION, **each} for each in criteria]}}


def retries(*pairs):
    """A retry config."""
    criteria = [{"failureType": kind, "numberOfRetries": number} for kind, number in pairs]
    return {"jobExecutionsRetryConfig": {"criteriaList": criteria}}


REFUSED = {
    "a document above 32768": ({"document": '{"x": "' + "x" * 32768 + '"}'}, "length <= 32768"),
    "a document that is not JSON": ({"document": "{"}, "it is not JSON"),
    "a document of 500 levels": ({"document": '{"a":' * 500 + "1" + "}" * 500}, "nested too deeply"),
    "a document of 9000 levels": ({"document": "[" * 9000 + "]" * 9000}, "nested too deeply"),
    "a document that is no object": ({"document": "[]"}, "not a JSON object"),
    "no document at all": ({"document": None}, "document is required"),
    "two documents": ({"documentSource": "https://s3.amazonaws.com/b/k"}, "cannot be specified at the same time"),
    "101 targets": ({"targets": ["arn:aws:iot:eu-west-1:123456789012:thing/a"] * 101}, "length <= 100"),
    "no target": ({"targets": []}, "length >= 1"),
    "a target that is no ARN": ({"targets": ["pump"]}, "targets"),
    "an unknown selection": ({"targetSelection": "SOME"}, "targetSelection"),
    "a short URL life": ({"presignedUrlConfig": {"roleArn": ROLE, "expiresInSec": 59}}, ">= 60"),
    "a placeholder without role": ({"document": PLACEHOLDER % "b/k"}, "role ARN is required"),
    "a placeholder without key": (
        {"document": PLACEHOLDER % "b", "presignedUrlConfig": {"roleArn": ROLE}},
        "Key cannot be null",
    ),
    "a v2 placeholder with a blank": (
        {"document": PLACEHOLDER % "b/a b", "presignedUrlConfig": {"roleArn": ROLE}},
        "is invalid",
    ),
    "a rate above 1000": ({"jobExecutionsRolloutConfig": {"maximumPerMinute": 1001}}, "<= 1000"),
    "a base above the maximum": (rollout(baseRatePerMinute=500), "cannot be greater than maximumPerMinute"),
    "a small factor": (rollout(incrementFactor=1), ">= 1.1"),
    "a fine factor": (rollout(incrementFactor=1.25), "one digit"),
    "two speed-up criteria": (
        rollout(rateIncreaseCriteria={"numberOfNotifiedThings": 1, "numberOfSucceededThings": 1}),
        "exactly one criterion",
    ),
    "no maximum": ({"jobExecutionsRolloutConfig": {"exponentialRate": RATE}}, "maximumPerMinute is required"),
    "a zero threshold": (aborts({"thresholdPercentage": 0}), "> 0"),
    "a fine threshold": (aborts({"thresholdPercentage": 1.005}), "two digits"),
    "a failure type twice": (aborts({}, {}), "only one criterion for each failureType"),
    "an unknown action": (aborts({"action": "PAUSE"}), "action"),
    "a long timeout": ({"timeoutConfig": {"inProgressTimeoutInMinutes": 10081}}, "<= 10080"),
    "a retry of rejections": (retries(("REJECTED", 1)), "failureType"),
    "ALL with another": (retries(("ALL", 1), ("FAILED", 1)), "ALL alone"),
    "eleven retries": (retries(("FAILED", 6), ("TIMED_OUT", 5)), "more than 10"),
    "a description with control characters": ({"description": "a\nb"}, "description"),
    "a start without lead": ({"schedulingConfig": {"startTime": "2027-01-15T08:10"}}, "30 minutes"),
    "a start with seconds": ({"schedulingConfig": {"startTime": "2027-01-15T09:10:00"}}, "YYYY-MM-DDThh:mm"),
    "a start that is no date": ({"schedulingConfig": {"startTime": "2027-13-45T09:10"}}, "YYYY-MM-DDThh:mm"),
    "an end without start": ({"schedulingConfig": {"endTime": "2027-01-15T09:10"}}, "needs startTime"),
    "an end right after the start": (
        {"schedulingConfig": {"startTime": "2027-01-15T09:00", "endTime": "2027-01-15T09:10"}},
        "30 minutes after",
    ),
    "a template": ({"jobTemplateArn": "arn:aws:iot:x"}, "is not played by this simulator"),
    "a namespace": ({"namespaceId": "n"}, "is not played by this simulator"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_create_job_refuses(world, change, message):
    """InvalidRequest with the member at fault; no job comes into being."""
    with pytest.raises(ServiceError, match=message) as caught:
        world.create(**change)

    assert caught.value.refusal is Refusal.INVALID_REQUEST
    assert world.engine.store.jobs == {}


@pytest.mark.parametrize("job_id", ["", "x" * 65, "bad id!", "a/b", "notify-next", "get"])
def test_a_job_id_must_fit_a_topic(world, job_id):
    """64 characters of [a-zA-Z0-9_-], and no reserved topic name."""
    with pytest.raises(ServiceError, match="at 'jobId' failed to satisfy"):
        world.create(job_id)


def test_an_unknown_target_is_not_found(world):
    """The refusal names the ARN."""
    arn = "arn:aws:iot:eu-west-1:123456789012:thinggroup/nowhere"
    with pytest.raises(ServiceError, match="thinggroup/nowhere is not found") as caught:
        world.create(targets=[arn])

    assert caught.value.refusal is Refusal.NOT_FOUND


def test_a_job_id_is_used_once(world):
    """Even an identical request is refused."""
    world.create()
    with pytest.raises(ServiceError, match="Job j already exists") as caught:
        world.create()

    assert caught.value.refusal is Refusal.ALREADY_EXISTS


REPORTS = {
    "an unknown status": ({"status": "DONE"}, Refusal.INVALID_REQUEST, "Invalid job execution status"),
    "a status of the service": ({"status": "TIMED_OUT"}, Refusal.INVALID_TRANSITION, "cannot be changed to be"),
    "going back to the queue": ({"status": "QUEUED"}, Refusal.INVALID_TRANSITION, "cannot be changed to be"),
    "a stale version": ({"expected_version": 7}, Refusal.VERSION_MISMATCH, "Expected version 7 but found version 1"),
    "another try": ({"execution_number": 2}, Refusal.NOT_FOUND, "Job j not found for a"),
    "a zero step timer": ({"step_timeout_in_minutes": 0}, Refusal.INVALID_REQUEST, "or -1 to clear"),
}


@pytest.mark.parametrize(("change", "refusal", "message"), REPORTS.values(), ids=REPORTS)
def test_a_report_is_refused(world, change, refusal, message):
    """The execution stays as it was."""
    world.create()
    with pytest.raises(ServiceError, match=message) as caught:
        world.report("a", **{"status": "IN_PROGRESS", **change})

    assert caught.value.refusal is refusal
    assert world.states()["a"] == ["QUEUED"]
