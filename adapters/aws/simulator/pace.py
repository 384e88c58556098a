"""How many things a job reaches each minute, and when it aborts. Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from adapters.aws.simulator.model import ExecutionStatus
from adapters.aws.simulator.request import AbortConfig, RetryConfig, RolloutConfig

DEFAULT_PER_MINUTE = 1000
_PERCENT = 100
_EVERY_FAILURE = (ExecutionStatus.FAILED, ExecutionStatus.REJECTED, ExecutionStatus.TIMED_OUT)


class Abort(NamedTuple):
    """A met criterion, with the comment that the service leaves on the job."""

    comment: str


def per_minute(config: RolloutConfig | None, notified: int, succeeded: int) -> int:
    """Things to reach in the next minute.

    The exponential rate is base times factor to the power k, where k is how often the criterion's
    threshold fits its counter, capped by the maximum (developer guide, job rollout configuration).
    """
    maximum = (config.maximum_per_minute if config else None) or DEFAULT_PER_MINUTE
    rate = config.exponential_rate if config else None
    if rate is None:
        return maximum
    criteria = rate.rate_increase_criteria
    if criteria.number_of_notified_things is not None:
        steps = notified // criteria.number_of_notified_things
    else:
        steps = succeeded // (criteria.number_of_succeeded_things or 1)
    grown: float = rate.base_rate_per_minute
    for _ in range(steps):
        grown = min(grown * rate.increment_factor, maximum)
    return int(grown)


def abort(config: AbortConfig | None, counts: Counter[ExecutionStatus]) -> Abort | None:
    """The first criterion that is met.

    The percentage is over finished executions, CANCELED and REMOVED ones included.
    """
    finished = sum(count for status, count in counts.items() if status.terminal)
    for criterion in config.criteria_list if config else ():
        failed = sum(counts[each] for each in _statuses(criterion.failure_type))
        enough = finished >= criterion.min_number_of_executed_things
        if enough and failed * _PERCENT >= criterion.threshold_percentage * finished:
            return Abort(
                f"Abort criteria for failure type {criterion.failure_type} with threshold "
                f"{criterion.threshold_percentage:.2f}% met. Total completed executions: "
                f"{finished}, total {criterion.failure_type} executions: {failed}"
            )
    return None


def retries(config: RetryConfig | None, failures: list[ExecutionStatus]) -> bool:
    """Whether the last of a thing's consecutive `failures` is tried again. REJECTED never is."""
    last = failures[-1]
    if last not in (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT):
        return False
    for criterion in config.criteria_list if config else ():
        kinds = _statuses(criterion.failure_type)
        if last in kinds:
            used = sum(status in kinds for status in failures[:-1])
            return used < criterion.number_of_retries
    return False


def _statuses(failure_type: str) -> tuple[ExecutionStatus, ...]:
    return _EVERY_FAILURE if failure_type == "ALL" else (ExecutionStatus(failure_type),)
