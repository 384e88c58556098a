"""A stage order and a fleet's settings become a job, and a job's document tells again what it offers. Pure."""

from __future__ import annotations

import msgspec

from adapters.aws.facts import PACES
from adapters.aws.limits import check_devices, check_request
from adapters.aws.query import check_part, check_query, every, in_buckets, of_models, of_part
from adapters.aws.request import (
    JobRequest,
    describe_group,
    describe_order,
    document_of,
    group_arn,
    job_name,
    render_request,
)
from adapters.aws.settings import AwsFleetSettings
from adapters.aws.wire import parse_document, render_document
from adapters.violations import BrokenLimits, Violation
from bridge.fleet import StageOrder
from bridge.release.errors import ReleaseError
from bridge.release.manifest import parse
from bridge.release.trust import read_release

UNKNOWN_ACCOUNT = "000000000000"
SECONDS_A_MINUTE = 60


def request_of(order: StageOrder, settings: AwsFleetSettings) -> JobRequest:
    """The job of `order`, whole but for its target. Raises: BrokenLimits, ReleaseError."""
    release = parse(read_release(order.release).signed)
    place = {"region": settings.region, "bucket": settings.bucket, "prefix": settings.prefix}
    name = job_name(order.key)
    request = JobRequest(
        job_id=name,
        targets=(group_arn(settings.region, UNKNOWN_ACCOUNT, name),),
        document=render_document(document_of(release, order.release, order.roots, **place)),
        role_arn=settings.role_arn,
        timeout_minutes=order.timeout_minutes,
        description=describe_order(order, release),
        url_seconds=settings.url_minutes * SECONDS_A_MINUTE,
        per_minute=_pace(order.pace, settings.per_minute),
        abort_percent=settings.abort_percent,
        tags=settings.tags,
    )
    check_devices(order.devices)
    _check_buckets(order, settings)
    check_request(render_request(request))
    return request


def query_of(order: StageOrder) -> str:
    """The things that an order by buckets is for."""
    return every(of_part(order.part), in_buckets(order.buckets), of_models(order.models))


def payload_of(document: str) -> tuple[bytes, tuple[bytes, ...]] | None:
    """What a device would act on: `release.json` and roots; None for a document that is none of ours."""
    try:
        parsed = parse_document(msgspec.json.decode(document))
    except (msgspec.DecodeError, ReleaseError):
        return None
    return parsed.metadata, parsed.roots


def sequence_of(name: str, document: str) -> int:
    """The sequence of the release that the job `name` offers. Raises: BrokenLimits for a document of somebody else."""
    payload = payload_of(document)
    if payload is None:
        limit = "its document is none of otabridge's, so nobody can tell which devices it has updated"
        raise BrokenLimits((Violation("job", name, limit),))
    return parse(read_release(payload[0]).signed).sequence


def _check_buckets(order: StageOrder, settings: AwsFleetSettings) -> None:
    """Whether the devices of an order by buckets fit into a query. Raises: BrokenLimits."""
    if not order.buckets:
        return
    if not settings.by_bucket:
        limit = "this fleet takes devices by name: set `by_bucket` in its configuration, and plan again"
        raise BrokenLimits((Violation("buckets", describe_group(order), limit),))
    if order.devices:
        raise BrokenLimits((Violation("devices", f"{len(order.devices)} beside buckets", "one or the other"),))
    check_part(order.part, order.models)
    check_query(query_of(order))


def _pace(wished: int | None, most: int | None) -> int | None:
    """Devices a minute: the least of what the rollout wishes, the fleet allows and AWS can."""
    bounds = [bound for bound in (wished, most) if bound is not None]
    return min(*bounds, PACES) if bounds else None
