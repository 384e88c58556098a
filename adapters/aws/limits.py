"""What CreateJob of AWS IoT demands, as a table: most of it boto3 does not check before it calls. Pure.

Sources: the service model of AWS IoT (CreateJob), the developer guide (job document, rollout, abort, timeout, retry,
schedule) and the published quotas of AWS IoT Jobs. `violations` takes any input, also one that we did not write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from adapters.aws.checks import Check, Request, many, moment, number, one_of, plain, select, text, violation
from adapters.aws.job_rules import MAX_RETRIES, RULES
from adapters.violations import BrokenLimits, Violation

MAX_TARGETS = 100
MAX_TIMEOUT_MINUTES = 10_080
MAX_COMMENT = 2028


FAILURES = one_of("FAILED", "REJECTED", "TIMED_OUT", "ALL")
ARN = text(1, 2048, r"arn:[^\s]+", "an ARN")
THING = text(1, 128, r"[a-zA-Z0-9:_-]+", "letters, digits, :, _ and -")
COUNT = number(1, 2**31 - 1)
TAG = r"[\w\s.:/=+\-@]*"

TABLE: tuple[tuple[str, Check], ...] = (
    ("jobId", text(1, 64, r"[a-zA-Z0-9_-]+", "letters, digits, _ and -")),
    ("targets", many(1, MAX_TARGETS)),
    ("targets[]", ARN),
    ("documentSource", text(1, 1350, r"(https?|s3)://.+", "an S3 URL")),
    ("description", plain(0, MAX_COMMENT)),
    ("targetSelection", one_of("SNAPSHOT", "CONTINUOUS")),
    ("presignedUrlConfig.roleArn", text(20, 2048, r"arn:[^\s]+", "an ARN")),
    ("presignedUrlConfig.expiresInSec", number(60, 3600)),
    ("jobExecutionsRolloutConfig.maximumPerMinute", number(1, 1000)),
    ("jobExecutionsRolloutConfig.exponentialRate.baseRatePerMinute", number(1, 1000)),
    ("jobExecutionsRolloutConfig.exponentialRate.incrementFactor", number(1.1, 5, 1)),
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
    ("schedulingConfig.startTime", moment),
    ("schedulingConfig.endTime", moment),
    ("schedulingConfig.endBehavior", one_of("STOP_ROLLOUT", "CANCEL", "FORCE_CANCEL")),
    ("schedulingConfig.maintenanceWindows[].startTime", text(1, 256)),
    ("schedulingConfig.maintenanceWindows[].durationInMinutes", number(1, 1430)),
    ("destinationPackageVersions", many(0, 25)),
    ("destinationPackageVersions[]", text(1, 1600, r"arn:[^\s]+", "an ARN")),
    ("tags", many(0, 50)),
    ("tags[].Key", text(1, 128, TAG, "letters, digits, spaces and . : / = + - @ _")),
    ("tags[].Value", text(0, 256, TAG, "letters, digits, spaces and . : / = + - @ _")),
    ("jobTemplateArn", text(1, 1600, r"arn:[!-~]+", "an ARN")),
)
REQUIRED = (
    "jobId",
    "targets",
    "jobExecutionsRolloutConfig.exponentialRate.baseRatePerMinute",
    "jobExecutionsRolloutConfig.exponentialRate.incrementFactor",
    "jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria",
    "abortConfig.criteriaList",
    "abortConfig.criteriaList[].failureType",
    "abortConfig.criteriaList[].action",
    "abortConfig.criteriaList[].thresholdPercentage",
    "abortConfig.criteriaList[].minNumberOfExecutedThings",
    "jobExecutionsRetryConfig.criteriaList",
    "jobExecutionsRetryConfig.criteriaList[].failureType",
    "jobExecutionsRetryConfig.criteriaList[].numberOfRetries",
    "schedulingConfig.maintenanceWindows[].startTime",
    "schedulingConfig.maintenanceWindows[].durationInMinutes",
    "tags[].Key",
)
"""Members without which CreateJob, or the object that they belong to, says nothing."""
OTHERS = frozenset({"document", "documentParameters", "namespaceId", "schedulingConfig.maintenanceWindows"})
"""Members that `TABLE` has no line for."""


def violations(request: Request) -> tuple[Violation, ...]:
    """Every limit that `request`, the input of CreateJob, breaks; empty when the service should take it."""
    found = [*_objects(request), *_missing(request), *_unknown(request), *_tabled(request)]
    for rule in RULES:
        found.extend(rule(request))
    return tuple(found)


def check_request(request: Request) -> None:
    """Raises: BrokenLimits, with every violation."""
    found = violations(request)
    if found:
        raise BrokenLimits(found)


def check_devices(devices: Sequence[str]) -> None:
    """Whether all are names that a thing can have, each once. Raises: BrokenLimits, with the first ten."""
    found = [violation("devices", name, limit) for name in devices if (limit := THING(name)) is not None]
    repeated = (name for name, count in Counter(devices).items() if count > 1)
    found.extend(violation("devices", name, "is named more than once") for name in repeated)
    if found:
        raise BrokenLimits(tuple(found[:10]))


def _members() -> dict[str, set[str]]:
    """The names that each object of a request may have, by the object's path; "" is the request."""
    members: dict[str, set[str]] = {}
    for path in (*(path for path, _ in TABLE), *OTHERS):
        steps = path.split(".")
        for depth, step in enumerate(steps):
            members.setdefault(".".join(steps[:depth]), set()).add(step.removesuffix("[]"))
    members.pop("documentParameters", None)
    return members


MEMBERS = _members()


def _objects(request: Request) -> Iterator[Violation]:
    """An object that is none has no members to blame."""
    for path in filter(None, MEMBERS):
        for field, value in select(request, path.split("."), ""):
            if not isinstance(value, Mapping):
                yield violation(field, value, "must be an object")


def _missing(request: Request) -> Iterator[Violation]:
    for path in REQUIRED:
        parent, _, name = path.rpartition(".")
        for field, value in select(request, parent.split(".") if parent else [], ""):
            if isinstance(value, Mapping) and value.get(name) is None:
                yield Violation(f"{field}.{name}".lstrip("."), "missing", "CreateJob requires it")


def _unknown(request: Request) -> Iterator[Violation]:
    for path, known in MEMBERS.items():
        for field, value in select(request, path.split(".") if path else [], ""):
            for name in sorted(map(str, set(value) - known)) if isinstance(value, Mapping) else ():
                yield Violation(f"{field}.{name[:64]}".lstrip("."), "unknown", f"there is {', '.join(sorted(known))}")


def _tabled(request: Request) -> Iterator[Violation]:
    for path, check in TABLE:
        for field, value in select(request, path.split("."), ""):
            limit = check(value)
            if limit is not None:
                yield violation(field, value, limit)
