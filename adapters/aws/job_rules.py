"""What CreateJob of AWS IoT demands of several members together. Pure; sources as in `limits`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from adapters.aws.checks import Request, parse_minute, plain, select, text, violation
from adapters.aws.wire import MAX_DOCUMENT_BYTES, MAX_PLACEHOLDERS, PLACEHOLDER
from adapters.violations import Violation

RESERVED_JOB_IDS = frozenset({"get", "start-next", "notify", "notify-next"})
"""Such a job would share MQTT topics with the Jobs API itself."""
MAX_RETRIES = 10
SOONEST_END = timedelta(minutes=30)
LATEST_END = timedelta(days=731)
MAX_PARAMETER = 30_720
PARAMETER = text(1, 128, r"[a-zA-Z0-9_-]+", "named by letters, digits, _ and -")


def _job_id(request: Request) -> Iterator[Violation]:
    if isinstance(request.get("jobId"), str) and request["jobId"] in RESERVED_JOB_IDS:
        yield violation("jobId", request["jobId"], "is a topic of the Jobs API; use another name")


def _document(request: Request) -> Iterator[Violation]:
    given = [name for name in ("document", "documentSource", "jobTemplateArn") if request.get(name)]
    if len(given) != 1:
        yield Violation("document", f"given by {' and '.join(given) or 'nothing'}", "must be given exactly once")
    document = request.get("document")
    if document is None:
        return
    if not isinstance(document, str):
        yield violation("document", document, "must be the JSON text of the document, in quotes")
        return
    size = len(document.encode())
    if size > MAX_DOCUMENT_BYTES:
        yield Violation("document", f"{size} bytes", f"the limit is {MAX_DOCUMENT_BYTES}")
    if not _is_json_object(document):
        yield violation("document", document, "must be a JSON object")


def _placeholders(request: Request) -> Iterator[Violation]:
    document = request.get("document")
    if not isinstance(document, str):
        return
    count = document.count(PLACEHOLDER)
    if count > MAX_PLACEHOLDERS:
        yield Violation("document", f"{count} placeholders", f"the limit is {MAX_PLACEHOLDERS} substitutions")
    if f"{PLACEHOLDER}s3-presigned-url" in document and not list(
        select(request, ["presignedUrlConfig", "roleArn"], "")
    ):
        yield Violation("presignedUrlConfig.roleArn", "missing", "the document has S3 placeholders to be signed")


def _rate(request: Request) -> Iterator[Violation]:
    config = request.get("jobExecutionsRolloutConfig")
    rate = config.get("exponentialRate") if isinstance(config, Mapping) else None
    if not isinstance(config, Mapping) or not isinstance(rate, Mapping):
        return
    field = "jobExecutionsRolloutConfig"
    criteria = rate.get("rateIncreaseCriteria")
    if isinstance(criteria, Mapping) and len(criteria) != 1:
        yield violation(f"{field}.exponentialRate.rateIncreaseCriteria", dict(criteria), "must hold exactly one")
    base, most = rate.get("baseRatePerMinute"), config.get("maximumPerMinute")
    if most is None:
        yield Violation(f"{field}.maximumPerMinute", "missing", "an exponential rate needs its ceiling")
    elif isinstance(base, int) and isinstance(most, int) and base > most:
        yield violation(f"{field}.exponentialRate.baseRatePerMinute", base, f"must not exceed the ceiling {most}")


def _criteria(request: Request) -> Iterator[Violation]:
    """AWS keeps one criterion a failure type."""
    for config in ("abortConfig", "jobExecutionsRetryConfig"):
        path = [config, "criteriaList[]", "failureType"]
        kinds = [str(kind) for _, kind in select(request, path, "")]
        for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            yield violation(f"{config}.criteriaList", kind, "may be named by one criterion only")


def _retries(request: Request) -> Iterator[Violation]:
    field = "jobExecutionsRetryConfig.criteriaList"
    rows = list(select(request, ["jobExecutionsRetryConfig", "criteriaList[]"], ""))
    kinds = [row.get("failureType") for _, row in rows if isinstance(row, Mapping)]
    counts = [row.get("numberOfRetries") for _, row in rows if isinstance(row, Mapping)]
    if "ALL" in kinds and len(kinds) > 1:
        yield Violation(field, "ALL beside others", "ALL must stand alone")
    total = sum(count for count in counts if isinstance(count, int))
    if total > MAX_RETRIES:
        yield violation(field, total, f"a device is retried at most {MAX_RETRIES} times in all")


def _schedule(request: Request) -> Iterator[Violation]:
    schedule = request.get("schedulingConfig")
    if not isinstance(schedule, Mapping):
        return
    start, end = parse_minute(schedule.get("startTime")), parse_minute(schedule.get("endTime"))
    if start and end and not SOONEST_END <= end - start <= LATEST_END:
        yield violation("schedulingConfig.endTime", schedule["endTime"], "must be 30 minutes to 2 years later")
    if schedule.get("endBehavior") and not schedule.get("endTime"):
        yield Violation("schedulingConfig.endTime", "missing", "endBehavior needs it")


def _windows(request: Request) -> Iterator[Violation]:
    schedule = request.get("schedulingConfig")
    if not isinstance(schedule, Mapping) or not schedule.get("maintenanceWindows"):
        return
    if request.get("targetSelection") != "CONTINUOUS":
        limit = "windows are for CONTINUOUS jobs only"
        yield violation("schedulingConfig.maintenanceWindows", request.get("targetSelection", "SNAPSHOT"), limit)
    if not schedule.get("startTime"):
        yield Violation("schedulingConfig.startTime", "missing", "maintenance windows need it")


def _parameters(request: Request) -> Iterator[Violation]:
    if request.get("namespaceId"):
        limit = "moves notifications to topics of Greengrass, which otabridge-agent does not hear; leave it out"
        yield violation("namespaceId", request["namespaceId"], limit)
    if request.get("documentParameters") and not request.get("jobTemplateArn"):
        yield Violation("documentParameters", "given", "only AWS's own job templates take parameters")
    given = request.get("documentParameters")
    if given is not None and not isinstance(given, Mapping):
        yield violation("documentParameters", given, "must be an object")
    for name, value in given.items() if isinstance(given, Mapping) else ():
        broken = PARAMETER(name) or plain(1, MAX_PARAMETER)(value)
        if broken is not None:
            yield violation(f"documentParameters.{str(name)[:64]}", value, broken)


def _tags(request: Request) -> Iterator[Violation]:
    keys = [str(key) for _, key in select(request, ["tags[]", "Key"], "")]
    for key, count in Counter(keys).items():
        if count > 1:
            yield violation("tags", key, "is given more than once")
        if key.lower().startswith("aws:"):
            yield violation("tags", key, "begins with aws:, which AWS keeps for itself")


def _is_json_object(document: str) -> bool:
    try:
        return isinstance(json.loads(document), dict)
    except (ValueError, RecursionError):
        return False


RULES: tuple[Callable[[Request], Iterator[Violation]], ...] = (
    _job_id,
    _document,
    _placeholders,
    _rate,
    _criteria,
    _retries,
    _schedule,
    _windows,
    _parameters,
    _tags,
)
