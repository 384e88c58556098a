"""What CreateJob of AWS IoT demands, as a table: most of it boto3 does not check before it calls. Pure.

Sources: the service model of AWS IoT (CreateJob), the developer guide (job document, rollout, abort, timeout, retry,
schedule) and the published quotas of AWS IoT Jobs. `violations` takes any input, also one that we did not write.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from adapters.aws.wire import MAX_DOCUMENT_BYTES, MAX_PLACEHOLDERS, PLACEHOLDER, BrokenLimits, Violation

Check = Callable[[object], str | None]
"""The limit in words, when the value breaks it."""
Request = Mapping[str, object]

RESERVED_JOB_IDS = frozenset({"get", "start-next", "notify", "notify-next"})
"""Such a job would share MQTT topics with the Jobs API itself."""
MAX_TARGETS = 100
MAX_TIMEOUT_MINUTES = 10_080
MAX_COMMENT = 2028
MAX_RETRIES = 10
SOONEST_END = timedelta(minutes=30)
LATEST_END = timedelta(days=731)
NO_CONTROLS = r"[^\x00-\x1f\x7f-\x9f]*"
TIME = "%Y-%m-%dT%H:%M"


def text(least: int, most: int, pattern: str = ".*", shape: str = "") -> Check:
    """Between `least` and `most` characters, all of it matching `pattern`; `shape` says so in words."""

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "must be text"
        if not least <= len(value) <= most:
            return f"must have {least} to {most} characters, has {len(value)}"
        return None if re.fullmatch(pattern, value, re.DOTALL) else f"must be {shape}"

    return check


def number(least: float, most: float, decimals: int = 0) -> Check:
    """From `least` to `most`, with at most so many decimals."""

    def check(value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "must be a number"
        if not least <= value <= most:
            return f"must lie between {least:g} and {most:g}"
        return None if round(value, decimals) == value else f"may have {decimals} decimals at most"

    return check


def one_of(*words: str) -> Check:
    """One of `words`."""
    return lambda value: None if value in words else f"must be one of {', '.join(words)}"


def many(least: int, most: int) -> Check:
    """A list or a map of so many."""

    def check(value: object) -> str | None:
        if not isinstance(value, (list, tuple, Mapping)):
            return "must hold several values"
        return None if least <= len(value) <= most else f"must hold {least} to {most}, holds {len(value)}"

    return check


FAILURES = one_of("FAILED", "REJECTED", "TIMED_OUT", "ALL")
ARN = text(1, 2048, r"arn:[^\s]+", "an ARN")
THING = text(1, 128, r"[a-zA-Z0-9:_-]+", "letters, digits, :, _ and -")
MINUTE = text(16, 16, r"\d{4}-\d\d-\d\dT\d\d:\d\d", "UTC as YYYY-MM-DDThh:mm, without seconds or zone")
COUNT = number(1, 2**31 - 1)

TABLE: tuple[tuple[str, Check], ...] = (
    ("jobId", text(1, 64, r"[a-zA-Z0-9_-]+", "letters, digits, _ and -")),
    ("targets", many(1, MAX_TARGETS)),
    ("targets[]", ARN),
    ("documentSource", text(1, 1350, r"(https?|s3)://.+", "an S3 URL")),
    ("description", text(0, MAX_COMMENT, NO_CONTROLS, "free of control characters")),
    ("targetSelection", one_of("SNAPSHOT", "CONTINUOUS")),
    ("presignedUrlConfig.roleArn", text(20, 2048, r"arn:[^\s]+", "an ARN")),
    ("presignedUrlConfig.expiresInSec", number(60, 3600)),
    ("jobExecutionsRolloutConfig.maximumPerMinute", number(1, 1000)),
    ("jobExecutionsRolloutConfig.exponentialRate.baseRatePerMinute", number(1, 1000)),
    ("jobExecutionsRolloutConfig.exponentialRate.incrementFactor", number(1.1, 5, 1)),
    ("jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria", many(1, 1)),
    ("jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria.numberOfNotifiedThings", COUNT),
    ("jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria.numberOfSucceededThings", COUNT),
    ("abortConfig.criteriaList", many(1, 4)),
    ("abortConfig.criteriaList[].failureType", FAILURES),
    ("abortConfig.criteriaList[].action", one_of("CANCEL")),
    ("abortConfig.criteriaList[].thresholdPercentage", number(0.01, 100, 2)),
    ("abortConfig.criteriaList[].minNumberOfExecutedThings", COUNT),
    ("timeoutConfig.inProgressTimeoutInMinutes", number(1, MAX_TIMEOUT_MINUTES)),
    ("jobExecutionsRetryConfig.criteriaList", many(1, 2)),
    ("jobExecutionsRetryConfig.criteriaList[].failureType", one_of("FAILED", "TIMED_OUT", "ALL")),
    ("jobExecutionsRetryConfig.criteriaList[].numberOfRetries", number(0, MAX_RETRIES)),
    ("schedulingConfig.startTime", MINUTE),
    ("schedulingConfig.endTime", MINUTE),
    ("schedulingConfig.endBehavior", one_of("STOP_ROLLOUT", "CANCEL", "FORCE_CANCEL")),
    ("schedulingConfig.maintenanceWindows[].startTime", text(1, 256)),
    ("schedulingConfig.maintenanceWindows[].durationInMinutes", number(1, 1430)),
    ("destinationPackageVersions", many(0, 25)),
    ("destinationPackageVersions[]", text(1, 1600, r"arn:[^\s]+", "an ARN")),
    ("tags", many(0, 50)),
    ("tags[].Key", text(1, 128)),
    ("tags[].Value", text(0, 256)),
)
REQUIRED = ("jobId", "targets")
OTHERS = frozenset({"document", "jobTemplateArn", "documentParameters", "namespaceId"})
"""Members that `TABLE` has no line for."""


def violations(request: Request) -> tuple[Violation, ...]:
    """Every limit that `request`, the input of CreateJob, breaks; empty when the service should take it."""
    found = [*_unknown(request), *_tabled(request)]
    for rule in (_job_id, _document, _placeholders, _rate, _criteria, _retries, _schedule, _unseen):
        found.extend(rule(request))
    return tuple(found)


def check_request(request: Request) -> None:
    """Raises: BrokenLimits, with every violation."""
    found = violations(request)
    if found:
        raise BrokenLimits(found)


def check_devices(devices: Sequence[str]) -> None:
    """Whether all are names that a thing can have, each once. Raises: BrokenLimits, with the first ten."""
    found = [_violation("devices", name, limit) for name in devices if (limit := THING(name)) is not None]
    repeated = (name for name, count in Counter(devices).items() if count > 1)
    found.extend(_violation("devices", name, "is named more than once") for name in repeated)
    if found:
        raise BrokenLimits(tuple(found[:10]))


def _unknown(request: Request) -> Iterator[Violation]:
    known = {re.split(r"[.\[]", path, maxsplit=1)[0] for path, _ in TABLE} | OTHERS
    for name in REQUIRED:
        if name not in request:
            yield Violation(name, "missing", "CreateJob requires it")
    for name in sorted(set(request) - known):
        yield Violation(name, "unknown", f"CreateJob takes {', '.join(sorted(known))}")


def _tabled(request: Request) -> Iterator[Violation]:
    for path, check in TABLE:
        for field, value in _select(request, path.split("."), ""):
            limit = check(value)
            if limit is not None:
                yield _violation(field, value, limit)


def _select(value: object, path: list[str], field: str) -> Iterator[tuple[str, object]]:
    """The values at `path` with their full names; `name[]` stands for each element of a list."""
    if not path:
        yield field, value
        return
    name, each, _ = path[0].partition("[]")
    member = value.get(name) if isinstance(value, Mapping) else None
    here = f"{field}.{name}".lstrip(".")
    if member is None:
        return
    if not each:
        yield from _select(member, path[1:], here)
        return
    for index, element in enumerate(_elements(member)):
        yield from _select(element, path[1:], f"{here}[{index}]")


def _job_id(request: Request) -> Iterator[Violation]:
    if request.get("jobId") in RESERVED_JOB_IDS:
        yield _violation("jobId", request["jobId"], "is a topic of the Jobs API; use another name")


def _document(request: Request) -> Iterator[Violation]:
    given = [name for name in ("document", "documentSource", "jobTemplateArn") if request.get(name)]
    if len(given) != 1:
        yield Violation("document", f"given by {' and '.join(given) or 'nothing'}", "must be given exactly once")
    document = request.get("document")
    if document is None:
        return
    if not isinstance(document, str):
        yield _violation("document", document, "must be the JSON text of the document, in quotes")
        return
    size = len(document.encode())
    if size > MAX_DOCUMENT_BYTES:
        yield Violation("document", f"{size} bytes", f"the limit is {MAX_DOCUMENT_BYTES}")
    if not _is_json_object(document):
        yield _violation("document", document, "must be a JSON object")


def _placeholders(request: Request) -> Iterator[Violation]:
    document = request.get("document")
    if not isinstance(document, str):
        return
    count = document.count(PLACEHOLDER)
    if count > MAX_PLACEHOLDERS:
        yield Violation("document", f"{count} placeholders", f"the limit is {MAX_PLACEHOLDERS} substitutions")
    if f"{PLACEHOLDER}s3-presigned-url" in document and not list(
        _select(request, ["presignedUrlConfig", "roleArn"], "")
    ):
        yield Violation("presignedUrlConfig.roleArn", "missing", "the document has S3 placeholders to be signed")


def _rate(request: Request) -> Iterator[Violation]:
    config = request.get("jobExecutionsRolloutConfig")
    rate = config.get("exponentialRate") if isinstance(config, Mapping) else None
    if not isinstance(config, Mapping) or not isinstance(rate, Mapping):
        return
    field = "jobExecutionsRolloutConfig"
    for name in ("baseRatePerMinute", "incrementFactor", "rateIncreaseCriteria"):
        if name not in rate:
            yield Violation(f"{field}.exponentialRate.{name}", "missing", "an exponential rate needs it")
    base, most = rate.get("baseRatePerMinute"), config.get("maximumPerMinute")
    if most is None:
        yield Violation(f"{field}.maximumPerMinute", "missing", "an exponential rate needs its ceiling")
    elif isinstance(base, int) and isinstance(most, int) and base > most:
        yield _violation(f"{field}.exponentialRate.baseRatePerMinute", base, f"must not exceed the ceiling {most}")


def _criteria(request: Request) -> Iterator[Violation]:
    """AWS keeps one criterion a failure type."""
    for config in ("abortConfig", "jobExecutionsRetryConfig"):
        path = [config, "criteriaList[]", "failureType"]
        kinds = [str(kind) for _, kind in _select(request, path, "")]
        for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            yield _violation(f"{config}.criteriaList", kind, "may be named by one criterion only")


def _retries(request: Request) -> Iterator[Violation]:
    field = "jobExecutionsRetryConfig.criteriaList"
    rows = list(_select(request, ["jobExecutionsRetryConfig", "criteriaList[]"], ""))
    kinds = [row.get("failureType") for _, row in rows if isinstance(row, Mapping)]
    counts = [row.get("numberOfRetries") for _, row in rows if isinstance(row, Mapping)]
    if "ALL" in kinds and len(kinds) > 1:
        yield Violation(field, "ALL beside others", "ALL must stand alone")
    total = sum(count for count in counts if isinstance(count, int))
    if total > MAX_RETRIES:
        yield _violation(field, total, f"a device is retried at most {MAX_RETRIES} times in all")


def _schedule(request: Request) -> Iterator[Violation]:
    schedule = request.get("schedulingConfig")
    if not isinstance(schedule, Mapping):
        return
    start, end = _minute(schedule.get("startTime")), _minute(schedule.get("endTime"))
    if start and end and not SOONEST_END <= end - start <= LATEST_END:
        yield _violation("schedulingConfig.endTime", schedule["endTime"], "must be 30 minutes to 2 years later")
    if schedule.get("endBehavior") and not schedule.get("endTime"):
        yield Violation("schedulingConfig.endTime", "missing", "endBehavior needs it")
    if schedule.get("maintenanceWindows") and request.get("targetSelection") != "CONTINUOUS":
        limit = "windows are for CONTINUOUS jobs only"
        yield _violation("schedulingConfig.maintenanceWindows", request.get("targetSelection", "SNAPSHOT"), limit)


def _unseen(request: Request) -> Iterator[Violation]:
    if request.get("namespaceId"):
        limit = "moves notifications to topics of Greengrass, which otabridge-agent does not hear; leave it out"
        yield _violation("namespaceId", request["namespaceId"], limit)
    if request.get("documentParameters") and not request.get("jobTemplateArn"):
        yield Violation("documentParameters", "given", "only AWS's own job templates take parameters")


def _elements(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _minute(value: object) -> datetime | None:
    try:
        return datetime.strptime(str(value), TIME)  # noqa: DTZ007 - the service fixes UTC and forbids naming it
    except ValueError:
        return None


def _is_json_object(document: str) -> bool:
    try:
        return isinstance(json.loads(document), dict)
    except (ValueError, RecursionError):
        return False


def _violation(field: str, value: object, limit: str) -> Violation:
    return Violation(field, repr(value)[:80], limit)
