"""The life of jobs: rollout, timers, retries, abort, completion. Time comes in, calls go out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from adapters.aws.simulator import pace
from adapters.aws.simulator.model import Execution, ExecutionStatus, Job, JobStatus
from adapters.aws.simulator.rules import moment
from adapters.aws.simulator.store import JobStore
from adapters.simulation.clock import Agenda, VirtualClock

_MINUTE = 60
ABORT_REASON = "ABORT_CANCEL"


class Targets(Protocol):
    """The registry of things and groups."""

    def things(self, arn: str) -> tuple[str, ...] | None:
        """The thing itself or the group's members; None if there is no such thing or group."""
        ...


class Listener(Protocol):
    """Who tells things about their queues. Called under the engine's lock: must not block."""

    def pending_changed(self, thing: str, pending: Sequence[Execution], *, front_changed: bool) -> None:
        """An execution joined or left the thing's queue."""
        ...


class Engine:
    """The state of all jobs; every read and change happens inside `transaction`.

    Notifications leave when the outermost transaction ends, so an answer that is sent inside
    it comes first, as the service orders them.
    """

    def __init__(self, clock: VirtualClock, targets: Targets) -> None:
        self.store = JobStore()
        self.targets = targets
        self._clock = clock
        self._agenda = Agenda()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._depth = 0
        self._listener: Listener | None = None
        self._touched: dict[str, None] = {}
        self._known: dict[str, tuple[Execution, ...]] = {}

    def listen(self, listener: Listener) -> None:
        """Tell `listener` about changed queues from now on."""
        self._listener = listener

    @contextmanager
    def transaction(self) -> Iterator[float]:
        """Hold the lock with all timers caught up; yields the time."""
        with self._lock:
            self._depth += 1
            try:
                now = self._clock.now()
                if self._depth == 1:
                    self._agenda.run_due(now)
                yield now
            finally:
                self._depth -= 1
                if not self._depth:
                    self._announce()

    def tick(self) -> None:
        """Catch up with the clock and with the groups of CONTINUOUS jobs."""
        with self.transaction() as now:
            for job in tuple(self.store.jobs.values()):
                self.follow_groups(job, now)

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until `predicate`, asked again after each change, holds; False after the timeout."""
        with self._changed:
            return self._changed.wait_for(predicate, timeout)

    # --- jobs

    def admit(self, job: Job, now: float) -> None:
        """Take in a new job: schedule it or start its rollout."""
        self.store.jobs[job.job_id] = job
        schedule = job.request.scheduling_config
        if schedule is not None and schedule.start_time is not None:
            job.status = JobStatus.SCHEDULED
            self._agenda.at(moment(schedule.start_time), lambda when: self._open(job, when))
            if schedule.end_time is not None:
                self._agenda.at(moment(schedule.end_time), lambda when: self._close(job, when))
            return
        self._roll_out(job, now)

    def follow_groups(self, job: Job, now: float) -> None:
        """Give newcomers of a CONTINUOUS job an execution at once; withdraw it from leavers."""
        if not job.continuous or job.status is not JobStatus.IN_PROGRESS:
            return
        members = self.members(job.targets)
        present = frozenset(members)
        if present == job.members:
            return
        joined = [thing for thing in members if thing not in job.members]
        left = job.members - present
        job.members = present
        for thing in sorted(left):
            self._withdraw(job, thing, now)
        for thing in joined:
            self.queue(job, thing, now)

    def members(self, targets: Sequence[str]) -> tuple[str, ...]:
        """The things behind targets, each once, in the order of targets."""
        found: dict[str, None] = {}
        for arn in targets:
            found.update(dict.fromkeys(self.targets.things(arn) or ()))
        return tuple(found)

    def cancel(self, job: Job, now: float, *, force: bool) -> None:
        """Cancel a job: queued executions always, those in progress only by force."""
        job.status = JobStatus.CANCELED
        job.force_canceled = force
        job.waiting.clear()
        job.updated_at = job.completed_at = now
        for execution in [each for each in job.executions() if each.pending]:
            if force or execution.status is ExecutionStatus.QUEUED:
                execution.force_canceled = force
                self.finish(execution, ExecutionStatus.CANCELED, now)

    def forget(self, job: Job) -> None:
        """Delete a job; things lose what was pending."""
        self._touched.update(dict.fromkeys(job.tries))
        self.store.forget(job)

    # --- executions

    def queue(self, job: Job, thing: str, now: float, attempt: int = 0) -> None:
        """Give a thing a new execution."""
        number = len(job.tries.get(thing, ())) + 1
        self.store.add(Execution(job, thing, number, now, now, attempt))
        self._touched[thing] = None

    def begin(self, execution: Execution, now: float) -> None:
        """QUEUED becomes IN_PROGRESS and the job's timer starts."""
        execution.status = ExecutionStatus.IN_PROGRESS
        execution.started_at = now
        timeout = execution.job.request.timeout_config
        minutes = timeout.in_progress_timeout_in_minutes if timeout else None
        if minutes is not None:
            execution.job_deadline = now + minutes * _MINUTE
        self._arm(execution)
        self.change(execution, now)

    def set_step_timer(self, execution: Execution, minutes: int | None, now: float) -> None:
        """Replace the step timer: None leaves it, -1 clears it."""
        if minutes is not None:
            execution.step_deadline = None if minutes < 0 else now + minutes * _MINUTE
            self._arm(execution)

    def change(self, execution: Execution, now: float) -> None:
        """Count a change of an execution."""
        execution.version += 1
        execution.updated_at = now
        # A QUEUED one that starts may overtake the front of the queue.
        self._touched[execution.thing] = None

    def finish(self, execution: Execution, status: ExecutionStatus, now: float) -> None:
        """Make an execution terminal, then retry, abort or complete as the job wants."""
        execution.status = status
        execution.job_deadline = execution.step_deadline = None
        self.change(execution, now)
        self.store.settle(execution)
        self._retry(execution, now)
        self._abort(execution.job, now)
        self._complete(execution.job, now)

    # --- inside

    def _open(self, job: Job, now: float) -> None:
        if job.status is JobStatus.SCHEDULED and job.job_id in self.store.jobs:
            job.status = JobStatus.IN_PROGRESS
            job.updated_at = now
            self._roll_out(job, now)

    def _close(self, job: Job, now: float) -> None:
        if job.status is not JobStatus.IN_PROGRESS:
            return
        schedule = job.request.scheduling_config
        behavior = (schedule.end_behavior if schedule else None) or "STOP_ROLLOUT"
        if behavior == "STOP_ROLLOUT":
            job.waiting.clear()
            self._complete(job, now)
        else:
            self.cancel(job, now, force=behavior == "FORCE_CANCEL")

    def _roll_out(self, job: Job, now: float) -> None:
        members = self.members(job.targets)
        job.members = frozenset(members)
        job.waiting.extend(members)
        self._release(job, now)
        self._complete(job, now)

    def _release(self, job: Job, now: float) -> None:
        if job.status is not JobStatus.IN_PROGRESS:
            return
        config = job.request.job_executions_rollout_config
        succeeded = job.counts()[ExecutionStatus.SUCCEEDED]
        for _ in range(min(pace.per_minute(config, job.notified, succeeded), len(job.waiting))):
            job.notified += 1
            self.queue(job, job.waiting.popleft(), now)
        if job.waiting:
            self._agenda.at(now + _MINUTE, lambda when: self._release(job, when))

    def _withdraw(self, job: Job, thing: str, now: float) -> None:
        if thing in job.waiting:
            job.waiting.remove(thing)
        execution = job.latest(thing)
        if execution is not None and execution.status is ExecutionStatus.QUEUED:
            execution.status = ExecutionStatus.REMOVED  # the version stays as it is
            execution.updated_at = now
            self.store.settle(execution)
            self._touched[thing] = None
            self._abort(job, now)

    def _arm(self, execution: Execution) -> None:
        if execution.deadline is not None:
            self._agenda.at(execution.deadline, lambda when: self._time_out(execution, when))

    def _time_out(self, execution: Execution, now: float) -> None:
        deadline = execution.deadline
        running = execution.status is ExecutionStatus.IN_PROGRESS
        if running and deadline is not None and deadline <= now:
            self.finish(execution, ExecutionStatus.TIMED_OUT, now)

    def _retry(self, execution: Execution, now: float) -> None:
        job, thing = execution.job, execution.thing
        if job.status is not JobStatus.IN_PROGRESS:
            return
        tries = job.tries[thing][-(execution.attempt + 1) :]
        failures = [each.status for each in tries]
        if pace.retries(job.request.job_executions_retry_config, failures):
            self.queue(job, thing, now, execution.attempt + 1)

    def _abort(self, job: Job, now: float) -> None:
        if job.status is not JobStatus.IN_PROGRESS or job.request.abort_config is None:
            return
        verdict = pace.abort(job.request.abort_config, job.counts())
        if verdict is not None:
            job.reason_code, job.comment = ABORT_REASON, verdict.comment
            self.cancel(job, now, force=False)

    def _complete(self, job: Job, now: float) -> None:
        if job.status is JobStatus.IN_PROGRESS and not job.continuous and job.settled():
            job.status = JobStatus.COMPLETED
            job.updated_at = job.completed_at = now

    def _announce(self) -> None:
        touched, self._touched = self._touched, {}
        self._changed.notify_all()
        for thing in touched:
            pending = self.store.pending(thing)
            known = self._known.get(thing, ())
            self._known[thing] = tuple(pending)
            if self._listener is not None and _differs(known, pending):
                front_changed = known[:1] != tuple(pending[:1])
                self._listener.pending_changed(thing, pending, front_changed=front_changed)


def _differs(known: Sequence[Execution], pending: Sequence[Execution]) -> bool:
    return set(known) != set(pending) or known[:1] != tuple(pending[:1])
