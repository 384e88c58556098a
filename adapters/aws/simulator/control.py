"""The control-plane operations of Jobs (service `iot`): what they check and what they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from adapters.aws.simulator import rules
from adapters.aws.simulator.engine import Engine
from adapters.aws.simulator.errors import AlreadyExists, Refusal, ServiceError, invalid, not_found
from adapters.aws.simulator.model import Execution, ExecutionStatus, Job, JobStatus
from adapters.aws.simulator.request import (
    MAX_TARGETS,
    ExecutionCancel,
    JobCancel,
    JobRequest,
    JobTargets,
    JobUpdate,
    RetryConfig,
    check_job_id,
)
from adapters.aws.simulator.shapes import Json


class Place(NamedTuple):
    """Account and region."""

    account: str
    region: str

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a job, thing or thinggroup."""
        return f"arn:aws:iot:{self.region}:{self.account}:{kind}/{name}"


class ControlPlane:
    """Operations that a fleet operator calls.

    `read_source` gives the text of a documentSource URL.
    Every operation raises ServiceError when the service would refuse it.
    """

    def __init__(self, engine: Engine, place: Place, read_source: Callable[[str], str]) -> None:
        self._engine = engine
        self._place = place
        self._read_source = read_source

    def create_job(self, job_id: str, request: JobRequest) -> Job:
        """CreateJob. An id that was used before is refused even with an identical request."""
        check_job_id(job_id)
        with self._engine.transaction() as now:
            if job_id in self._engine.store.jobs:
                held = self._engine.store.jobs[job_id]
                raise AlreadyExists(f"Job {job_id} already exists", job_id, held.arn)
            rules.check_request(request, now)
            self._check_targets(request.targets)
            document = rules.check_document(self._document(request), request)
            job = Job(job_id, self._place.arn("job", job_id), request, document, now, now)
            job.targets = request.targets
            self._engine.admit(job, now)
            return job

    def update_job(self, job_id: str, update: JobUpdate) -> None:
        """UpdateJob, while IN_PROGRESS only; retries can only be set to zero."""
        with self._engine.transaction() as now:
            job = self._engine.store.job(job_id)
            if job.status is not JobStatus.IN_PROGRESS:
                raise invalid(f"Job {job_id} in status {job.status} cannot be updated")
            rules.check_rollout(update.job_executions_rollout_config)
            rules.check_abort(update.abort_config)
            _check_no_new_retries(update.job_executions_retry_config)
            given = {name: value for name, value in _members(update) if value is not None}
            job.request = msgspec.structs.replace(job.request, **given)
            job.updated_at = now

    def cancel_job(self, job_id: str, cancel: JobCancel, *, force: bool) -> Job:
        """CancelJob, from SCHEDULED or IN_PROGRESS."""
        with self._engine.transaction() as now:
            job = self._engine.store.job(job_id)
            if job.status not in (JobStatus.SCHEDULED, JobStatus.IN_PROGRESS):
                raise invalid(f"Job {job_id} is in status {job.status} and cannot be canceled")
            job.reason_code, job.comment = cancel.reason_code, cancel.comment
            self._engine.cancel(job, now, force=force)
            return job

    def delete_job(self, job_id: str, *, force: bool) -> None:
        """DeleteJob; one that still has work needs force. It is gone at once here."""
        with self._engine.transaction():
            job = self._engine.store.job(job_id)
            busy = job.status is JobStatus.IN_PROGRESS or not job.settled()
            if busy and not force:
                raise ServiceError(
                    Refusal.INVALID_TRANSITION,
                    f"Job {job_id} is in status {job.status} and cannot be deleted without force",
                )
            self._engine.forget(job)

    def associate(self, job_id: str, request: JobTargets) -> Job:
        """AssociateTargetsWithJob: further targets for a CONTINUOUS job, at most 100 in all."""
        with self._engine.transaction() as now:
            job = self._engine.store.job(job_id)
            if not job.continuous or job.status is not JobStatus.IN_PROGRESS:
                raise invalid(f"Job {job_id} must be CONTINUOUS and IN_PROGRESS to take targets")
            self._check_targets(request.targets)
            targets = tuple(dict.fromkeys((*job.targets, *request.targets)))
            if len(targets) > MAX_TARGETS:
                raise invalid(f"Job {job_id} would have more than {MAX_TARGETS} targets")
            job.targets = targets
            job.updated_at = now
            self._engine.follow_groups(job, now)
            return job

    def cancel_execution(self, job_id: str, thing: str, request: ExecutionCancel, *, force: bool) -> None:
        """CancelJobExecution; one in progress needs force."""
        with self._engine.transaction() as now:
            execution = self._engine.store.execution(job_id, thing)
            self._check_cancel(execution, request, force=force)
            if request.status_details is not None:
                execution.details = dict(request.status_details)
            execution.force_canceled = force
            self._engine.finish(execution, ExecutionStatus.CANCELED, now)

    def _check_cancel(self, execution: Execution, request: ExecutionCancel, *, force: bool) -> None:
        expected = request.expected_version
        if expected not in (None, execution.version):
            raise ServiceError(
                Refusal.VERSION_CONFLICT,
                f"Expected version {expected} but found version {execution.version}",
            )
        queued = execution.status is ExecutionStatus.QUEUED
        if not queued and not (force and execution.pending):
            raise ServiceError(
                Refusal.INVALID_TRANSITION,
                f"Job execution is {execution.status} and cannot be canceled"
                + (" without force" if execution.pending else ""),
            )

    def _check_targets(self, targets: tuple[str, ...]) -> None:
        for arn in targets:
            if self._engine.targets.things(arn) is None:
                raise not_found(f"Target {arn} is not found.")

    def _document(self, request: JobRequest) -> str | None:
        if request.document_source is None:
            return request.document
        return self._read_source(request.document_source)


def _check_no_new_retries(config: RetryConfig | None) -> None:
    if config is not None and any(each.number_of_retries for each in config.criteria_list):
        raise invalid("numberOfRetries can only be set to 0 after the job was created")


def _members(update: JobUpdate) -> list[tuple[str, object]]:
    return [(name, getattr(update, name)) for name in update.__struct_fields__]


def created(job: Job) -> Json:
    """The answer of CreateJob, CancelJob and AssociateTargetsWithJob."""
    shape: Json = {"jobArn": job.arn, "jobId": job.job_id}
    description = job.request.description
    return shape if description is None else {**shape, "description": description}
