"""Scheduled jobs of a hub: one twin patch for every device that meets a condition, at the hub's pace."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.azure.simulator.hub import Hub
from adapters.azure.simulator.hub_errors import HubError, Refusal, invalid
from adapters.azure.simulator.hub_shapes import twin_shape
from adapters.azure.simulator.query import matches
from adapters.azure.simulator.query_language import parse_condition
from adapters.azure.simulator.query_tree import Condition
from adapters.azure.simulator.twins import Json, stamp
from adapters.simulation.faults import Faults

TWIN_UPDATE = "scheduleUpdateTwin"
_ID_LENGTH = 64


class JobStatus(StrEnum):
    """The life of a job."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ACTIVE = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What was asked for. Times in seconds; `limit` is how long it may run, None for ever."""

    job_id: str
    condition: str
    patch: Mapping[str, object]
    start_at: float
    limit: float | None


@dataclass(slots=True)
class _Job:
    request: JobRequest
    condition: Condition | None
    created_at: float
    status: JobStatus = JobStatus.QUEUED
    begun_at: float | None = None
    ended_at: float | None = None
    targets: tuple[str, ...] = ()
    succeeded: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.succeeded + len(self.failed)


class Jobs:
    """The scheduled jobs of one hub. Safe to use from any thread.

    `devices_per_second` is the pace by the hub's clock, None for at once; `most` is how many jobs may be active (1 on
    a hub of tier S1). Whoever runs the hub calls `tick`.
    """

    def __init__(self, hub: Hub, faults: Faults, *, devices_per_second: float | None = None, most: int = 1) -> None:
        self.devices_per_second = devices_per_second
        self.most = most
        self._hub = hub
        self._faults = faults
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.RLock()

    def create(self, request: JobRequest) -> Json:
        """Accept a job; the answer is how it stands before it begins.

        Raises:
            HubError: ARGUMENT_INVALID, JOB_EXISTS, or TOO_MANY_JOBS.
        """
        job = _Job(request, parse_condition(request.condition), self._hub.clock.now())
        if not 0 < len(request.job_id) <= _ID_LENGTH:
            raise invalid(f"A job id has 1 to {_ID_LENGTH} characters")
        with self._lock:
            self._check_room(request.job_id)
            if request.start_at > job.created_at:
                job.status = JobStatus.SCHEDULED
            self._jobs[request.job_id] = job
            accepted = _shape(job)
        self.tick()
        return accepted

    def show(self, job_id: str) -> Json:
        """How a job stands. The hub answers for one that it does not know too, with status "unknown"."""
        with self._lock:
            job = self._jobs.get(job_id)
            return _shape(job) if job else {"jobId": job_id, "type": "unknown", "status": "unknown"}

    def cancel(self, job_id: str) -> Json:
        """End a job; devices that it has reached keep the patch. Ended jobs stay as they are.

        Raises:
            HubError: JOB_NOT_FOUND.
        """
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                raise HubError(Refusal.JOB_NOT_FOUND, f"Job {job_id} not found")
            if job.ended_at is None:
                self._end(job, JobStatus.CANCELLED, self._hub.clock.now())
            return _shape(job)

    def listed(self, kind: str | None, status: str | None) -> tuple[Json, ...]:
        """The jobs of one type and status, None for all, the newest first."""
        with self._lock:
            shapes = [_shape(each) for each in reversed(self._jobs.values())]
        wanted = {"type": kind, "status": status}
        return tuple(each for each in shapes if all(value in (None, each[name]) for name, value in wanted.items()))

    def tick(self) -> None:
        """Do what is due."""
        with self._lock:
            now = self._hub.clock.now()
            for job in tuple(self._jobs.values()):
                if job.ended_at is None and job.request.start_at <= now:
                    self._proceed(job, now)

    def _check_room(self, job_id: str) -> None:
        if job_id in self._jobs:
            raise HubError(Refusal.JOB_EXISTS, f"Job with id '{job_id}' already exists")
        active = sum(each.status in _ACTIVE for each in self._jobs.values())
        if active >= self.most:
            raise HubError(Refusal.TOO_MANY_JOBS, f"{active} jobs are active, of {self.most} that may be")

    def _proceed(self, job: _Job, now: float) -> None:
        begun = self._begin(job) if job.begun_at is None else job.begun_at
        limit = job.request.limit
        late = limit is not None and now - begun > limit
        for device_id in job.targets[job.tried : self._allowed(job, min(now - begun, limit or now))]:
            self._patch(job, device_id)
        if job.tried == len(job.targets):
            self._end(job, JobStatus.COMPLETED, now)
        elif late:
            self._end(job, JobStatus.FAILED, now)

    def _begin(self, job: _Job) -> float:
        found = (each for each in self._hub.devices() if matches(job.condition, twin_shape(each)))
        job.targets = tuple(each.device_id for each in found)
        job.begun_at = max(job.request.start_at, job.created_at)
        job.status = JobStatus.RUNNING
        return job.begun_at

    def _allowed(self, job: _Job, seconds: float) -> int:
        pace = self.devices_per_second
        return len(job.targets) if pace is None else min(int(seconds * pace), len(job.targets))

    def _patch(self, job: _Job, device_id: str) -> None:
        if self._faults.take("job_device", device_id) is None and self._patched(device_id, job.request.patch):
            job.succeeded += 1
        else:
            job.failed.append(device_id)

    def _patched(self, device_id: str, patch: Mapping[str, object]) -> bool:
        try:
            self._hub.patch_twin(device_id, patch)
        except HubError:
            return False
        return True

    def _end(self, job: _Job, status: JobStatus, now: float) -> None:
        job.status = status
        job.ended_at = now


def _shape(job: _Job) -> Json:
    """JobResponse; members that have no value yet are absent."""
    request = job.request
    shape: Json = {
        "jobId": request.job_id,
        "queryCondition": request.condition,
        "createdTime": stamp(job.created_at),
        "startTime": stamp(request.start_at),
        "type": TWIN_UPDATE,
        "updateTwin": request.patch,
        "status": job.status.value,
    }
    if request.limit is not None:
        shape["maxExecutionTimeInSeconds"] = int(request.limit)
    if job.ended_at is not None:
        shape["endTime"] = stamp(job.ended_at)
    if job.status is JobStatus.FAILED:
        shape["failureReason"] = "JobRunTimedOut"
    if job.begun_at is not None:
        shape["deviceJobStatistics"] = _statistics(job)
    return shape


def _statistics(job: _Job) -> Json:
    return {
        "deviceCount": len(job.targets),
        "failedCount": len(job.failed),
        "succeededCount": job.succeeded,
        "runningCount": 0,
        "pendingCount": len(job.targets) - job.tried,
    }
