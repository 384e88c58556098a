"""Jobs and job executions as the service keeps them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.aws.simulator.request import JobRequest


class JobStatus(StrEnum):
    """States of a job (IoT API, JobStatus)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


class ExecutionStatus(StrEnum):
    """States of a job execution (IoT API, JobExecutionStatus)."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    TIMED_OUT = "TIMED_OUT"
    CANCELED = "CANCELED"
    REMOVED = "REMOVED"

    @property
    def terminal(self) -> bool:
        """Whether nothing follows."""
        return self not in (ExecutionStatus.QUEUED, ExecutionStatus.IN_PROGRESS)


@dataclass(eq=False)
class Execution:
    """One try of one thing at one job. Times in seconds since the epoch.

    `version` is 1 when queued and grows by one with each change but REMOVED. `attempt` counts
    the retries before this try. `job_deadline` and `step_deadline` are the two IN_PROGRESS timers.
    """

    job: Job
    thing: str
    number: int
    queued_at: float
    updated_at: float
    attempt: int = 0
    status: ExecutionStatus = ExecutionStatus.QUEUED
    version: int = 1
    started_at: float | None = None
    details: dict[str, str] = field(default_factory=dict)
    force_canceled: bool | None = None
    job_deadline: float | None = None
    step_deadline: float | None = None

    @property
    def pending(self) -> bool:
        """Whether the thing still has to do it."""
        return not self.status.terminal

    @property
    def deadline(self) -> float | None:
        """The earlier of the two timers."""
        return min(
            (each for each in (self.job_deadline, self.step_deadline) if each is not None),
            default=None,
        )


@dataclass(eq=False)
class Job:
    """A job with all its executions. `waiting` holds the things that the rollout has not reached."""

    job_id: str
    arn: str
    request: JobRequest
    document: str
    created_at: float
    updated_at: float
    status: JobStatus = JobStatus.IN_PROGRESS
    targets: tuple[str, ...] = ()
    completed_at: float | None = None
    force_canceled: bool | None = None
    reason_code: str | None = None
    comment: str | None = None
    waiting: deque[str] = field(default_factory=deque)
    members: frozenset[str] = frozenset()
    notified: int = 0
    tries: dict[str, list[Execution]] = field(default_factory=dict)

    @property
    def continuous(self) -> bool:
        """Whether the job follows its groups' membership."""
        return self.request.target_selection == "CONTINUOUS"

    def executions(self) -> Iterator[Execution]:
        """Every execution, retries and earlier memberships included."""
        for tries in self.tries.values():
            yield from tries

    def latest(self, thing: str) -> Execution | None:
        """The thing's newest execution."""
        tries = self.tries.get(thing)
        return tries[-1] if tries else None

    def counts(self) -> Counter[ExecutionStatus]:
        """Executions by status, earlier ones of a thing included, as the service counts."""
        return Counter(each.status for each in self.executions())

    def settled(self) -> bool:
        """Whether nothing is left to do: no thing waits and every latest execution is terminal."""
        return not self.waiting and all(not tries[-1].pending for tries in self.tries.values())
