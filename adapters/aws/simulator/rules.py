"""Rules of CreateJob and UpdateJob that look at more than one member."""

from __future__ import annotations

import calendar
import json
import re
import time

from adapters.aws.simulator.errors import invalid
from adapters.aws.simulator.placeholders import check_placeholders
from adapters.aws.simulator.request import (
    AbortConfig,
    JobRequest,
    RetryConfig,
    RolloutConfig,
    SchedulingConfig,
)

_MINUTE = 60
_LEAD = 30 * _MINUTE
_YEAR = 366 * 24 * 60 * _MINUTE
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")
_MAX_RETRIES = 10
_MAX_DEPTH = 200
"""Levels of a job document. The limit of the real service is not known; ours keeps later walks from failing."""
_NOT_PLAYED = "is not played by this simulator; leave it out"


def check_request(request: JobRequest, now: float) -> None:
    """The rules of CreateJob.

    Raises:
        ServiceError: InvalidRequest.
    """
    if request.document is not None and request.document_source is not None:
        raise invalid("Job document and job document source cannot be specified at the same time.")
    if request.job_template_arn is not None or request.document_parameters is not None:
        raise invalid(f"jobTemplateArn {_NOT_PLAYED}")
    if request.namespace_id is not None or request.destination_package_versions is not None:
        raise invalid(f"namespaceId or destinationPackageVersions {_NOT_PLAYED}")
    check_rollout(request.job_executions_rollout_config)
    check_abort(request.abort_config)
    check_retry(request.job_executions_retry_config)
    if request.scheduling_config is not None:
        _check_schedule(request.scheduling_config, now)


def check_document(document: str | None, request: JobRequest) -> str:
    """The document, from the request or its source: JSON, and placeholders that can be signed.

    Raises:
        ServiceError: InvalidRequest.
    """
    if document is None:
        raise invalid("document is required if you do not specify a value for documentSource")
    try:
        value = json.loads(document)
        _require_shallow(value, _MAX_DEPTH)
    except (ValueError, RecursionError) as error:
        raise invalid("Invalid job document: it is not JSON, or nested too deeply") from error
    if not isinstance(value, dict):
        raise invalid("Invalid job document: it is not a JSON object")
    config = request.presigned_url_config
    check_placeholders(document, has_role=config is not None and config.role_arn is not None)
    return document


def _require_shallow(value: object, most: int) -> None:
    """Walk down `value`. Raises: RecursionError below `most` levels, so that no later walk fails half-way."""
    if most == 0:
        raise RecursionError
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in below:
        _require_shallow(each, most - 1)


def check_rollout(config: RolloutConfig | None) -> None:
    """An exponential rate needs its maximum, exactly one criterion and one decimal.

    Raises:
        ServiceError: InvalidRequest.
    """
    rate = config.exponential_rate if config else None
    if config is None or rate is None:
        return
    criteria = rate.rate_increase_criteria
    given = (criteria.number_of_notified_things, criteria.number_of_succeeded_things)
    if given.count(None) != 1:
        raise invalid("rateIncreaseCriteria must have exactly one criterion")
    if config.maximum_per_minute is None:
        raise invalid("maximumPerMinute is required with exponentialRate")
    if rate.base_rate_per_minute > config.maximum_per_minute:
        raise invalid("baseRatePerMinute cannot be greater than maximumPerMinute")
    if round(rate.increment_factor, 1) != rate.increment_factor:
        raise invalid("incrementFactor supports one digit after the decimal point")


def check_abort(config: AbortConfig | None) -> None:
    """One criterion a failure type, thresholds with two decimals.

    Raises:
        ServiceError: InvalidRequest.
    """
    criteria = config.criteria_list if config else ()
    kinds = [each.failure_type for each in criteria]
    if len(set(kinds)) != len(kinds):
        raise invalid("abortConfig can have only one criterion for each failureType")
    if any(round(each.threshold_percentage, 2) != each.threshold_percentage for each in criteria):
        raise invalid("thresholdPercentage supports two digits after the decimal point")


def check_retry(config: RetryConfig | None) -> None:
    """ALL stands alone, no type twice, at most ten retries a device.

    Raises:
        ServiceError: InvalidRequest.
    """
    criteria = config.criteria_list if config else ()
    kinds = [each.failure_type for each in criteria]
    if len(set(kinds)) != len(kinds) or ("ALL" in kinds and len(kinds) > 1):
        raise invalid("jobExecutionsRetryConfig: one criterion a failureType, and ALL alone")
    if sum(each.number_of_retries for each in criteria) > _MAX_RETRIES:
        raise invalid(f"jobExecutionsRetryConfig: more than {_MAX_RETRIES} retries in total")


def moment(text: str) -> float:
    """`YYYY-MM-DDThh:mm` UTC in seconds since the epoch.

    Raises:
        ServiceError: InvalidRequest for any other form.
    """
    refusal = invalid(f"1 validation error detected: Provided time {text} UTC must follow the format YYYY-MM-DDThh:mm.")
    if not _MOMENT.fullmatch(text):
        raise refusal
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M"))
    except ValueError as error:
        raise refusal from error


def _check_schedule(config: SchedulingConfig, now: float) -> None:
    if config.maintenance_windows:
        raise invalid(f"maintenanceWindows {_NOT_PLAYED}")
    if config.start_time is None:
        if config.end_time is not None:
            raise invalid("endTime needs startTime")
        return
    start = moment(config.start_time)
    if not now + _LEAD - _MINUTE <= start <= now + _YEAR:
        raise invalid("startTime must be 30 minutes to one year from now")
    if config.end_time is not None:
        end = moment(config.end_time)
        if not start + _LEAD <= end <= now + 2 * _YEAR:
            raise invalid("endTime must be 30 minutes after startTime, at most two years from now")
