"""The bodies of control-plane requests with the service's own limits (API reference of AWS IoT).

boto3 checks types, required members and minimums only; the service checks the rest, so this does.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from adapters.aws.simulator.errors import invalid

MAX_TARGETS = 100
MAX_DOCUMENT_BYTES = 32_768
_JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_RESERVED_JOB_IDS = frozenset({"get", "start-next", "notify", "notify-next"})

Arn = Annotated[str, Meta(max_length=2048, pattern=r"^arn:")]
RoleArn = Annotated[str, Meta(min_length=20, max_length=2048)]
Text = Annotated[str, Meta(max_length=2028, pattern=r"^[^\x00-\x1f\x7f]+$")]
FailureToAbort = Literal["FAILED", "REJECTED", "TIMED_OUT", "ALL"]
FailureToRetry = Literal["FAILED", "TIMED_OUT", "ALL"]
Count = Annotated[int, Meta(ge=1)]
Minutes = Annotated[int, Meta(ge=1, le=10_080)]
PerMinute = Annotated[int, Meta(ge=1, le=1000)]
DetailKey = Annotated[str, Meta(max_length=128, pattern=r"^[a-zA-Z0-9:_-]+$")]
DetailValue = Annotated[str, Meta(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
StatusDetails = Annotated[dict[DetailKey, DetailValue], Meta(max_length=10)]


class _Body(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A JSON object in the service's camelCase; unknown members are ignored, as the service does."""


class PresignedUrlConfig(_Body, frozen=True):
    """How document placeholders are signed; seconds a URL lives."""

    role_arn: RoleArn | None = None
    expires_in_sec: Annotated[int, Meta(ge=60, le=3600)] | None = None


class RateIncreaseCriteria(_Body, frozen=True):
    """What speeds an exponential rollout up: exactly one of the two."""

    number_of_notified_things: Count | None = None
    number_of_succeeded_things: Count | None = None


class ExponentialRate(_Body, frozen=True):
    """A rate that grows by a factor each time the criterion is met once more."""

    base_rate_per_minute: PerMinute
    increment_factor: Annotated[float, Meta(ge=1.1, le=5)]
    rate_increase_criteria: RateIncreaseCriteria


class RolloutConfig(_Body, frozen=True):
    """Devices a minute."""

    maximum_per_minute: PerMinute | None = None
    exponential_rate: ExponentialRate | None = None


class AbortCriterion(_Body, frozen=True):
    """Cancel the job when this share (percent) of finished executions failed like this."""

    failure_type: FailureToAbort
    action: Literal["CANCEL"]
    threshold_percentage: Annotated[float, Meta(gt=0, le=100)]
    min_number_of_executed_things: Count


class AbortConfig(_Body, frozen=True):
    """Criteria in the order in which they are checked."""

    criteria_list: Annotated[tuple[AbortCriterion, ...], Meta(min_length=1)]


class TimeoutConfig(_Body, frozen=True):
    """Minutes an execution may stay IN_PROGRESS."""

    in_progress_timeout_in_minutes: Minutes | None = None


class RetryCriterion(_Body, frozen=True):
    """How often a failure is tried again."""

    failure_type: FailureToRetry
    number_of_retries: Annotated[int, Meta(ge=0, le=10)]


class RetryConfig(_Body, frozen=True):
    """One criterion for ALL, or one a failure type."""

    criteria_list: Annotated[tuple[RetryCriterion, ...], Meta(min_length=1, max_length=2)]


class SchedulingConfig(_Body, frozen=True):
    """UTC minutes, `YYYY-MM-DDThh:mm`."""

    start_time: str | None = None
    end_time: str | None = None
    end_behavior: Literal["STOP_ROLLOUT", "CANCEL", "FORCE_CANCEL"] | None = None
    maintenance_windows: tuple[dict[str, object], ...] | None = None


class JobRequest(_Body, frozen=True):
    """CreateJob. Exactly one of `document` and `document_source`."""

    targets: Annotated[tuple[Arn, ...], Meta(min_length=1, max_length=MAX_TARGETS)]
    document: Annotated[str, Meta(max_length=MAX_DOCUMENT_BYTES)] | None = None
    document_source: Annotated[str, Meta(min_length=1, max_length=1350)] | None = None
    description: Text | None = None
    target_selection: Literal["SNAPSHOT", "CONTINUOUS"] = "SNAPSHOT"
    presigned_url_config: PresignedUrlConfig | None = None
    job_executions_rollout_config: RolloutConfig | None = None
    abort_config: AbortConfig | None = None
    timeout_config: TimeoutConfig | None = None
    job_executions_retry_config: RetryConfig | None = None
    scheduling_config: SchedulingConfig | None = None
    namespace_id: str | None = None
    job_template_arn: str | None = None
    document_parameters: dict[str, str] | None = None
    destination_package_versions: tuple[str, ...] | None = None


class JobUpdate(_Body, frozen=True):
    """UpdateJob: each member given replaces the stored one whole."""

    description: Text | None = None
    presigned_url_config: PresignedUrlConfig | None = None
    job_executions_rollout_config: RolloutConfig | None = None
    abort_config: AbortConfig | None = None
    timeout_config: TimeoutConfig | None = None
    job_executions_retry_config: RetryConfig | None = None


class JobCancel(_Body, frozen=True):
    """CancelJob."""

    reason_code: Annotated[str, Meta(max_length=128, pattern=r"^[A-Z0-9_]+$")] | None = None
    comment: Text | None = None


class JobTargets(_Body, frozen=True):
    """AssociateTargetsWithJob."""

    targets: Annotated[tuple[Arn, ...], Meta(min_length=1, max_length=MAX_TARGETS)]
    comment: Text | None = None


class ExecutionCancel(_Body, frozen=True):
    """CancelJobExecution."""

    expected_version: int | None = None
    status_details: StatusDetails | None = None


class StartNext(_Body, frozen=True):
    """StartNextPendingJobExecution; minutes, -1 clears the step timer."""

    status_details: StatusDetails | None = None
    step_timeout_in_minutes: Annotated[int, Meta(ge=-1, le=10_080)] | None = None


class Describe(_Body, frozen=True):
    """DescribeJobExecution of the device plane."""

    execution_number: int | None = None
    include_job_document: bool = True


class Update(_Body, frozen=True):
    """UpdateJobExecution; `expected_version` is accepted as number and as text."""

    status: str = ""
    status_details: StatusDetails | None = None
    expected_version: int | None = None
    execution_number: int | None = None
    include_job_execution_state: bool = False
    include_job_document: bool = False
    step_timeout_in_minutes: Annotated[int, Meta(ge=-1, le=10_080)] | None = None


BodyType = TypeVar("BodyType", bound=Struct)


def parse(body: object, kind: type[BodyType]) -> BodyType:
    """A decoded JSON value as a request.

    Raises:
        ServiceError: InvalidRequest, in the service's words, with the member at fault.
    """
    try:
        return msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(f"1 validation error detected: {error}") from error


def check_job_id(job_id: str) -> None:
    """Refuse ids that the service refuses or that collide with its MQTT topics.

    Raises:
        ServiceError: InvalidRequest.
    """
    if not _JOB_ID.fullmatch(job_id) or job_id in _RESERVED_JOB_IDS:
        raise invalid(
            f"1 validation error detected: Value '{job_id}' at 'jobId' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+ "
            "of 1 to 64 characters that is not a reserved topic name"
        )
