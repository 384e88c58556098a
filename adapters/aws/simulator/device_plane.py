"""The device-plane operations of Jobs, shared by MQTT and HTTPS."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adapters.aws.simulator.engine import Engine
from adapters.aws.simulator.errors import Refusal, ServiceError, invalid
from adapters.aws.simulator.model import Execution, ExecutionStatus, Job
from adapters.aws.simulator.request import Describe, StartNext, Update
from adapters.aws.simulator.shapes import (
    Json,
    deliverable,
    device_execution,
    device_summary,
    execution_state,
)

NEXT = "$next"
_PENDING_LIMIT = 10
_MAY_REPORT = (
    ExecutionStatus.IN_PROGRESS,
    ExecutionStatus.SUCCEEDED,
    ExecutionStatus.FAILED,
    ExecutionStatus.REJECTED,
)


class Pending(NamedTuple):
    """Summaries of what a thing has to do."""

    in_progress: list[Json]
    queued: list[Json]


class DevicePlane:
    """Operations that a device calls, each for its own thing.

    `fill` gives a job's document with its placeholders signed anew.
    Every operation raises ServiceError when the service would refuse it.
    """

    def __init__(self, engine: Engine, fill: Callable[[Job], str]) -> None:
        self._engine = engine
        self._fill = fill

    def pending(self, thing: str) -> Pending:
        """GetPendingJobExecutions: at most ten of each."""
        with self._engine.transaction():
            queue = self._engine.store.pending(thing)
            running = [each for each in queue if each.status is ExecutionStatus.IN_PROGRESS]
            waiting = [each for each in queue if each.status is ExecutionStatus.QUEUED]
            return Pending(
                [device_summary(each) for each in running[:_PENDING_LIMIT]],
                [device_summary(each) for each in waiting[:_PENDING_LIMIT]],
            )

    def start_next(self, thing: str, request: StartNext) -> Json | None:
        """StartNextPendingJobExecution. One that is IN_PROGRESS is handed out again, unchanged."""
        _check_step(request.step_timeout_in_minutes)
        with self._engine.transaction() as now:
            queue = self._engine.store.pending(thing)
            if not queue:
                return None
            front = queue[0]
            if front.status is ExecutionStatus.QUEUED:
                if request.status_details is not None:
                    front.details = dict(request.status_details)
                self._engine.begin(front, now)
                self._engine.set_step_timer(front, request.step_timeout_in_minutes, now)
            return device_execution(front, now, self.document(front.job))

    def describe(self, thing: str, job_id: str, request: Describe) -> Json | None:
        """DescribeJobExecution; None only for `$next` when there is nothing to do."""
        with self._engine.transaction() as now:
            execution = self._find(thing, job_id, request.execution_number)
            if execution is None:
                return None
            if not execution.pending:
                raise ServiceError(
                    Refusal.TERMINAL_STATE,
                    "Job Execution has reached terminal state. It is neither IN_PROGRESS nor QUEUED",
                    execution,
                )
            document = self.document(execution.job) if request.include_job_document else None
            return device_execution(execution, now, document)

    def update(self, thing: str, job_id: str, request: Update) -> Json:
        """UpdateJobExecution: the members that were asked for."""
        _check_step(request.step_timeout_in_minutes)
        status = _reported_status(request.status)
        with self._engine.transaction() as now:
            execution = self._engine.store.execution(job_id, thing, request.execution_number)
            _check_version(execution, request.expected_version)
            _check_open(execution, thing)
            if request.status_details is not None:
                execution.details = dict(request.status_details)
            self._report(execution, status, request, now)
            answer: Json = {}
            if request.include_job_execution_state:
                answer["executionState"] = execution_state(execution)
            if request.include_job_document:
                answer["jobDocument"] = self.document(execution.job)
            return answer

    def document(self, job: Job) -> object:
        """The document as a device gets it now."""
        return deliverable(self._fill(job))

    def _find(self, thing: str, job_id: str, number: int | None) -> Execution | None:
        if job_id != NEXT:
            return self._engine.store.execution(job_id, thing, number)
        return next(iter(self._engine.store.pending(thing)), None)

    def _report(self, execution: Execution, status: ExecutionStatus, request: Update, now: float) -> None:
        if status.terminal:
            if execution.started_at is None and status is not ExecutionStatus.REJECTED:
                execution.started_at = now
            self._engine.finish(execution, status, now)
            return
        if execution.status is ExecutionStatus.QUEUED:
            self._engine.begin(execution, now)
        else:
            self._engine.change(execution, now)
        self._engine.set_step_timer(execution, request.step_timeout_in_minutes, now)


def _reported_status(text: str) -> ExecutionStatus:
    if text not in ExecutionStatus.__members__:
        raise invalid(f"Invalid job execution status: '{text}'")
    status = ExecutionStatus(text)
    if status not in _MAY_REPORT:
        raise ServiceError(
            Refusal.INVALID_TRANSITION,
            f"The status of job execution cannot be changed to be {status}",
        )
    return status


def _check_version(execution: Execution, expected: int | None) -> None:
    if expected not in (None, execution.version):
        raise ServiceError(
            Refusal.VERSION_MISMATCH,
            f"Expected version {expected} but found version {execution.version}",
            execution,
        )


def _check_open(execution: Execution, thing: str) -> None:
    if not execution.pending:
        raise ServiceError(
            Refusal.INVALID_TRANSITION,
            f"Job {execution.job.job_id} for {thing} has already finished with status {execution.status}",
            execution,
        )


def _check_step(minutes: int | None) -> None:
    if minutes == 0:
        raise invalid("stepTimeoutInMinutes must be 1 to 10080, or -1 to clear the timer")
