"""One stage order as AWS's own words: names of group and job, the input of CreateJob, and its counts read back. Pure.

Only the cloud side speaks these; what the device sees of them is in `wire`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import quote

from adapters.aws.limits import MAX_COMMENT
from adapters.aws.wire import PLACEHOLDER, Document
from bridge.fleet import StageOrder
from bridge.names import stage_name
from bridge.release.bucket import Buckets
from bridge.release.details import one_line
from bridge.release.manifest import Release
from bridge.tally import Tally

ENDED = frozenset({"COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"})
"""Job statuses in which no device is handed the offer any more."""
COUNTS = MappingProxyType(
    {
        "waiting": ("numberOfQueuedThings",),
        "running": ("numberOfInProgressThings",),
        "installed": ("numberOfSucceededThings",),
        "failed": ("numberOfFailedThings",),
        "rejected": ("numberOfRejectedThings",),
        "timed_out": ("numberOfTimedOutThings",),
        "withdrawn": ("numberOfCanceledThings", "numberOfRemovedThings"),
    }
)
"""Fields of a tally and the members of DescribeJob's jobProcessDetails that they sum."""

NATIVE = "native:"
"""How the key of a job begins that otabridge did not make; the job's own id follows."""
_DESCRIPTION = re.compile(r"otabridge stage, (\d{1,9}) devices(?: of buckets (\d{1,4}-\d{1,4}(?:, \d{1,4}-\d{1,4})*))?")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What we ask of CreateJob; times as the names say.

    `per_minute` (devices handed the offer, 1..1000): None leaves the service's default. `abort_percent` makes the
    service itself stop the job once that share of the devices that ended, `abort_after` at the least, ended badly: a
    net below the rollout's own budget.
    """

    job_id: str
    targets: tuple[str, ...]
    document: str
    role_arn: str
    timeout_minutes: int
    description: str = ""
    url_seconds: int = 3600
    per_minute: int | None = None
    abort_percent: float | None = None
    abort_after: int = 10
    tags: Mapping[str, str] = field(default_factory=dict)


def group_arn(region: str, account: str, name: str) -> str:
    """ARN of a thing group."""
    return f"arn:{partition(region)}:iot:{region}:{account}:thinggroup/{name}"


def thing_arn(region: str, account: str, name: str) -> str:
    """ARN of a thing."""
    return f"arn:{partition(region)}:iot:{region}:{account}:thing/{name}"


def partition(region: str) -> str:
    """The part of AWS that `region` belongs to, as ARNs name it."""
    special = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for start, name in special.items() if region.startswith(start)), "aws")


def object_key(prefix: str, sha256: str, name: str) -> str:
    """Where an artifact lies in the bucket: its content names it, so it is put once and never overwritten."""
    return "/".join(part for part in (prefix.strip("/"), sha256, name) if part)


def placeholder(region: str, bucket: str, key: str) -> str:
    """What the service replaces by a signed URL each time a device asks for the document."""
    suffix = ".cn" if partition(region) == "aws-cn" else ""
    url = f"https://s3.{region}.amazonaws.com{suffix}/{quote(bucket)}/{quote(key)}"
    return f"{PLACEHOLDER}s3-presigned-url-v2:{url}}}"


def document_of(
    release: Release, metadata: bytes, roots: Sequence[bytes], *, region: str, bucket: str, prefix: str
) -> Document:
    """The job document that offers `release`, whose signed bytes are `metadata`."""
    urls = {
        artifact.name: placeholder(region, bucket, object_key(prefix, artifact.sha256, artifact.name))
        for artifact in release.artifacts
    }
    return Document(release.name, release.version, metadata, tuple(roots), urls)


def describe_order(order: StageOrder, release: Release) -> str:
    """The job's description: for people in the console; its number of devices is read back by `order_size`."""
    words = f"{describe_group(order)}: {describe_offer(order.key, order.release, release)} {order.comment}"
    return one_line(words.rstrip(), MAX_COMMENT)


def describe_offer(key: str, metadata: bytes, release: Release) -> str:
    """Which release a job offers, for people in the console."""
    digest = hashlib.sha256(metadata).hexdigest()
    return one_line(f"{release.name} {release.version} for {key}; release.json sha256 {digest}.", MAX_COMMENT)


def describe_group(order: StageOrder) -> str:
    """The group's description, in ASCII as AWS demands."""
    ranges = ", ".join(f"{first}-{last}" for first, last in order.buckets)
    if ranges:
        return f"otabridge stage, {order.size} devices of buckets {ranges}"
    return f"otabridge stage, {len(order.devices)} devices"


def order_size(description: str) -> int | None:
    """Devices of the order that `describe_order` or `describe_group` described; None for any other text."""
    match = _DESCRIPTION.match(description)
    return int(match[1]) if match else None


def order_buckets(description: str) -> tuple[Buckets, ...]:
    """Buckets of the order that was described; empty where it was for exact devices, and for any other text."""
    match = _DESCRIPTION.match(description)
    ranges = match[2].split(", ") if match and match[2] else []
    return tuple(Buckets(*map(int, each.split("-"))) for each in ranges)


def is_empty(description: str) -> bool:
    """Whether the order that was described names no devices, so that it has a group and never a job."""
    return order_size(description) == 0 and not order_buckets(description)


def job_name(key: str) -> str:
    """The id of the job that `key` stands for: of a stage order, or of a job that was adopted."""
    return key.removeprefix(NATIVE) if is_adopted(key) else stage_name(key)


def is_adopted(key: str) -> bool:
    """Whether the job was made without otabridge, so that its groups are none of ours."""
    return key.startswith(NATIVE)


def render_request(request: JobRequest) -> dict[str, object]:
    """The input of CreateJob, as boto3 and `aws iot create-job --cli-input-json` take it. SNAPSHOT always."""
    return {
        "jobId": request.job_id,
        "targets": list(request.targets),
        "document": request.document,
        "targetSelection": "SNAPSHOT",
        "presignedUrlConfig": {"roleArn": request.role_arn, "expiresInSec": request.url_seconds},
        "timeoutConfig": {"inProgressTimeoutInMinutes": request.timeout_minutes},
        **{name: value for name, value in _optional(request).items() if value is not None},
    }


def parse_tally(details: Mapping[str, object], *, status: str, description: str = "") -> Tally:
    """DescribeJob's jobProcessDetails as a tally of the order that `description` tells of.

    Devices of the order that the job does not count yet are waiting; once the job ended they never get the offer:
    withdrawn. An order by buckets has as many devices as its job found in them, and only until the job has found all
    is the number that was counted before taken for it.
    """
    sums = {name: sum(_count(details.get(member)) for member in members) for name, members in COUNTS.items()}
    found = sum(sums.values())
    tally = Tally(**sums, open=status not in ENDED, cancelled=status == "CANCELED")
    whole = bool(order_buckets(description)) and _has_found_all(details, status, found)
    missing = 0 if whole else max(0, (order_size(description) or 0) - found)
    if tally.open:
        return replace(tally, waiting=tally.waiting + missing)
    return replace(tally, withdrawn=tally.withdrawn + missing)


def _has_found_all(details: Mapping[str, object], status: str, found: int) -> bool:
    """Whether a SNAPSHOT job has an execution for each of its devices. A cancelled one may have been stopped before."""
    rolled_out = not details.get("processingTargets") and found > 0
    return status == "COMPLETED" or (status == "IN_PROGRESS" and rolled_out)


def _optional(request: JobRequest) -> dict[str, object]:
    return {
        "description": request.description or None,
        "jobExecutionsRolloutConfig": request.per_minute and {"maximumPerMinute": request.per_minute},
        "abortConfig": _abort_config(request),
        "tags": [{"Key": key, "Value": value} for key, value in request.tags.items()] or None,
    }


def _abort_config(request: JobRequest) -> dict[str, object] | None:
    if request.abort_percent is None:
        return None
    criterion = {
        "failureType": "ALL",
        "action": "CANCEL",
        "thresholdPercentage": request.abort_percent,
        "minNumberOfExecutedThings": request.abort_after,
    }
    return {"criteriaList": [criterion]}


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
