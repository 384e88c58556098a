"""Executions and jobs as JSON, in the shapes of the service: absent members stay absent."""

from __future__ import annotations

import json

import msgspec

from adapters.aws.simulator.model import Execution, ExecutionStatus, Job

Json = dict[str, object]


def device_summary(execution: Execution) -> Json:
    """JobExecutionSummary of the device plane, whole seconds."""
    shape: Json = {"jobId": execution.job.job_id, "queuedAt": int(execution.queued_at)}
    if execution.started_at is not None:
        shape["startedAt"] = int(execution.started_at)
    return {
        **shape,
        "lastUpdatedAt": int(execution.updated_at),
        "versionNumber": execution.version,
        "executionNumber": execution.number,
    }


def device_execution(execution: Execution, now: float, document: object | None) -> Json:
    """JobExecution of the device plane over MQTT: no thing name, no document if None."""
    shape: Json = {"jobId": execution.job.job_id, "status": execution.status.value}
    if execution.details:
        shape["statusDetails"] = dict(execution.details)
    shape |= device_summary(execution)
    if execution.deadline is not None and execution.pending:
        shape["approximateSecondsBeforeTimedOut"] = max(0, int(execution.deadline - now))
    if document is not None:
        shape["jobDocument"] = document
    return shape


def execution_state(execution: Execution) -> Json:
    """JobExecutionState."""
    shape: Json = {"status": execution.status.value}
    if execution.details:
        shape["statusDetails"] = dict(execution.details)
    return {**shape, "versionNumber": execution.version}


def control_summary(execution: Execution) -> Json:
    """JobExecutionSummary of the control plane, fractional seconds."""
    shape: Json = {
        "status": execution.status.value,
        "queuedAt": execution.queued_at,
        "lastUpdatedAt": execution.updated_at,
        "executionNumber": execution.number,
        "retryAttempt": execution.attempt,
    }
    return shape if execution.started_at is None else {**shape, "startedAt": execution.started_at}


def control_execution(execution: Execution, thing_arn: str, now: float) -> Json:
    """JobExecution of the control plane."""
    shape = control_summary(execution)
    del shape["retryAttempt"]
    shape |= {
        "jobId": execution.job.job_id,
        "thingArn": thing_arn,
        "versionNumber": execution.version,
        "statusDetails": {"detailsMap": dict(execution.details)} if execution.details else {},
    }
    if execution.force_canceled is not None:
        shape["forceCanceled"] = execution.force_canceled
    if execution.deadline is not None and execution.pending:
        shape["approximateSecondsBeforeTimedOut"] = max(0, int(execution.deadline - now))
    return shape


def job_summary(job: Job) -> Json:
    """JobSummary."""
    shape: Json = {
        "jobArn": job.arn,
        "jobId": job.job_id,
        "targetSelection": job.request.target_selection,
        "status": job.status.value,
        "createdAt": job.created_at,
        "lastUpdatedAt": job.updated_at,
        "isConcurrent": bool(job.waiting),
    }
    return shape if job.completed_at is None else {**shape, "completedAt": job.completed_at}


def job_description(job: Job) -> Json:
    """DescribeJob's `job`. Unset timeout and schedule are shown as {}, as the service does."""
    given = msgspec.to_builtins(job.request)
    echoed: Json = {"presignedUrlConfig": {}, "jobExecutionsRolloutConfig": {}}
    echoed |= {"timeoutConfig": {}, "schedulingConfig": {}}
    echoed |= {name: given[name] for name in _ECHOED if name in given}
    late = {
        "forceCanceled": job.force_canceled,
        "reasonCode": job.reason_code,
        "comment": job.comment,
    }
    echoed |= {name: value for name, value in late.items() if value is not None}
    return {
        **job_summary(job),
        **echoed,
        "targets": list(job.targets),
        "jobProcessDetails": _process_details(job),
    }


def deliverable(document: str) -> object:
    """The document as it is delivered: parsed, without null members, which the service drops."""
    return _without_nulls(json.loads(document))


_ECHOED = (
    "description",
    "presignedUrlConfig",
    "jobExecutionsRolloutConfig",
    "abortConfig",
    "timeoutConfig",
    "jobExecutionsRetryConfig",
    "schedulingConfig",
)
_COUNTED = {
    "numberOfQueuedThings": ExecutionStatus.QUEUED,
    "numberOfInProgressThings": ExecutionStatus.IN_PROGRESS,
    "numberOfSucceededThings": ExecutionStatus.SUCCEEDED,
    "numberOfFailedThings": ExecutionStatus.FAILED,
    "numberOfRejectedThings": ExecutionStatus.REJECTED,
    "numberOfTimedOutThings": ExecutionStatus.TIMED_OUT,
    "numberOfCanceledThings": ExecutionStatus.CANCELED,
    "numberOfRemovedThings": ExecutionStatus.REMOVED,
}


def _process_details(job: Job) -> Json:
    counts = job.counts()
    details: Json = {name: counts[status] for name, status in _COUNTED.items()}
    if job.waiting:
        details["processingTargets"] = list(job.targets)
    return details


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
