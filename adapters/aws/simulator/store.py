"""All jobs of one account and region, and each thing's queue. Owned and locked by the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.aws.simulator.errors import not_found
from adapters.aws.simulator.model import Execution, ExecutionStatus, Job


@dataclass
class JobStore:
    """Jobs by id, pending executions by thing."""

    jobs: dict[str, Job] = field(default_factory=dict)
    _queues: dict[str, list[Execution]] = field(default_factory=dict)

    def job(self, job_id: str) -> Job:
        """The job.

        Raises:
            ServiceError: there is no such job.
        """
        if job_id not in self.jobs:
            raise not_found(f"Job {job_id} cannot be found.")
        return self.jobs[job_id]

    def execution(self, job_id: str, thing: str, number: int | None = None) -> Execution:
        """A thing's newest execution of a job, or the one with this number.

        Raises:
            ServiceError: there is no such execution.
        """
        job = self.jobs.get(job_id)
        tries = job.tries.get(thing, []) if job else []
        matching = [each for each in tries if number in (None, each.number)]
        if not matching:
            raise not_found(f"Job {job_id} not found for {thing}")
        return matching[-1]

    def of_thing(self, thing: str) -> list[Execution]:
        """Every execution of a thing over all jobs, newest first."""
        found = [each for job in self.jobs.values() for each in job.tries.get(thing, ())]
        return sorted(found, key=lambda each: (each.queued_at, each.number), reverse=True)

    def pending(self, thing: str) -> list[Execution]:
        """What a thing still has to do: IN_PROGRESS first, then in the order of queueing."""
        queue = self._queues.get(thing, [])
        return sorted(queue, key=lambda each: each.status is not ExecutionStatus.IN_PROGRESS)

    def add(self, execution: Execution) -> None:
        """Record a new execution."""
        execution.job.tries.setdefault(execution.thing, []).append(execution)
        self._queues.setdefault(execution.thing, []).append(execution)

    def settle(self, execution: Execution) -> None:
        """Take an execution that became terminal off its thing's queue."""
        queue = self._queues.get(execution.thing, [])
        if execution in queue:
            queue.remove(execution)

    def forget(self, job: Job) -> None:
        """Delete a job with its history."""
        for execution in job.executions():
            self.settle(execution)
        del self.jobs[job.job_id]
