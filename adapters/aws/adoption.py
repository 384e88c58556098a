"""Jobs that were made without otabridge: what is known of them, and what a person should know before relying on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from adapters.aws.request import COUNTS, ENDED, NATIVE
from adapters.aws.wire import parse_document
from bridge.fleet import Adopted, FleetError
from bridge.release.errors import ReleaseError
from bridge.release.manifest import parse
from bridge.release.trust import read_release

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot.type_defs import JobTypeDef

_log = logging.getLogger(__name__)


def adopted(fleet: str, job: JobTypeDef, document: str) -> Adopted:
    """The job under a key that leads back to it; what is peculiar about it is said in the log.

    `size` is how many executions the job has so far, `version` that of the release in its document, "" in a document of
    somebody else. Raises: FleetError for a job that is being deleted.
    """
    native = job["jobId"]
    if job["status"] == "DELETION_IN_PROGRESS":
        raise FleetError(f"fleet {fleet}: job {native} is being deleted: there is nothing to adopt")
    for remark in remarks(job):
        _log.warning("fleet %s: job %s %s", fleet, native, remark)
    return Adopted(NATIVE + native, native, _size(job), _version(document), job["createdAt"])


def remarks(job: JobTypeDef) -> Iterator[str]:
    """What is peculiar about the job, each a sentence without its subject."""
    if job["status"] in ENDED:
        yield f"has ended already ({job['status']}): its counts are final, and there is nothing to stop"
    if job.get("targetSelection") == "CONTINUOUS":
        yield "is CONTINUOUS: devices that join its groups are offered it too, and it ends only when it is stopped"
    if any(each["numberOfRetries"] for each in job.get("jobExecutionsRetryConfig", {}).get("criteriaList", [])):
        yield "is retried by AWS, which counts every attempt: a device may be counted more than once"
    if job.get("jobProcessDetails", {}).get("processingTargets"):
        yield "is still being rolled out: it counts more devices later"


def _size(job: JobTypeDef) -> int:
    details: dict[str, object] = {**job.get("jobProcessDetails", {})}
    counts = (details.get(member) for members in COUNTS.values() for member in members)
    return sum(count for count in counts if isinstance(count, int))


def _version(document: str) -> str:
    try:
        metadata = parse_document(msgspec.json.decode(document)).metadata
        return parse(read_release(metadata).signed).version
    except (msgspec.DecodeError, ReleaseError):
        return ""
