"""A fleet in AWS: one account and region. Stages become thing groups and SNAPSHOT jobs. Implements bridge.fleet.

A stage's group and job have one name, made from the order's key. `start` can be repeated after a crash at any line: a
job that is there is compared with the order, not made again. A stage without devices makes an empty group and no job
(AWS refuses a job without targets); the group is how `tally` later knows that it was started.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError

from adapters.aws.groups import PAGE, StageGroups
from adapters.aws.limits import MAX_COMMENT, check_devices, check_request
from adapters.aws.refusals import ALREADY_EXISTS, code_of, explained, is_missing
from adapters.aws.request import (
    ENDED,
    JobRequest,
    describe_group,
    describe_order,
    document_of,
    group_arn,
    order_size,
    parse_tally,
    render_request,
)
from adapters.aws.s3 import ArtifactStore
from adapters.aws.wire import parse_document, render_document
from adapters.settings_words import in_words
from bridge.errors import UsageError
from bridge.fleet import DeviceReport, FleetError, Sent, StageOrder
from bridge.names import stage_name
from bridge.release.details import one_line, parse_details
from bridge.release.errors import ReleaseError
from bridge.release.manifest import Artifact, parse
from bridge.release.report import Outcome, Progress, Report
from bridge.release.trust import read_release
from bridge.tally import Tally

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot.type_defs import JobTypeDef

UNKNOWN_ACCOUNT = "000000000000"
STOP_CODE = "OTABRIDGE_STOP"
SECONDS_A_MINUTE = 60
BAD: tuple[Literal["FAILED", "REJECTED", "TIMED_OUT"], ...] = ("FAILED", "REJECTED", "TIMED_OUT")
OUTCOMES: Mapping[str, Outcome] = {"FAILED": Outcome.FAILED, "REJECTED": Outcome.REJECTED}

SHAPES: Mapping[str, str] = {
    "region": "a region, such as eu-central-1",
    "bucket": "a bucket's name: 3 to 63 lower-case letters, digits, dots and dashes",
    "role_arn": "a role, such as arn:aws:iam::123456789012:role/otabridge-downloads",
    "prefix": "letters, digits, `/`, `_`, `.` and `-`, at most 128",
    "endpoint_url": "an http or https URL",
}

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class AwsFleetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a fleet is. Credentials come from the environment or `profile`, as for every AWS program.

    `role_arn` is the role that signs downloads (trusts iot.amazonaws.com, may s3:GetObject); URLs live `url_minutes`.
    `settle_seconds` is waited between filling a group and creating its job, since Jobs may see members later than
    `list-things-in-thing-group` does. `per_minute`, `abort_percent` and `tags` go into each job. Retries by the service
    are not offered: it counts every attempt, so that a tally would no longer add up to the stage's devices.
    """

    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d\Z")]
    bucket: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")]
    role_arn: Annotated[str, msgspec.Meta(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/\S{1,512}\Z")]
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9/_.-]{0,128}\Z")] = "otabridge"
    endpoint_url: Annotated[str, msgspec.Meta(pattern=r"^https?://\S+\Z")] | None = None
    profile: str | None = None
    url_minutes: Annotated[int, msgspec.Meta(ge=1, le=60)] = 60
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    abort_percent: Annotated[float, msgspec.Meta(gt=0, le=100)] | None = None
    tags: dict[str, str] = {}
    workers: Annotated[int, msgspec.Meta(ge=1, le=32)] = 8
    visible_seconds: Seconds = 60
    settle_seconds: Seconds = 5
    most_reports: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500


def open_fleet(name: str, settings: Mapping[str, object]) -> AwsFleet:
    """The fleet that `settings`, fields of AwsFleetSettings, describe. Raises: UsageError naming the field."""
    try:
        return AwsFleet(name, msgspec.convert(settings, AwsFleetSettings))
    except msgspec.ValidationError as error:
        raise UsageError(f"fleet {name}: {in_words(str(error), settings, SHAPES)}") from error


class AwsFleet:
    """`bridge.fleet.Fleet` over AWS IoT. Nothing is called before the first method; from one thread at a time."""

    def __init__(self, name: str, settings: AwsFleetSettings) -> None:
        self._name = name
        self._settings = settings

    @property
    def name(self) -> str:
        """The fleet's name in the configuration."""
        return self._name

    def devices(self, group: str | None) -> Iterator[str]:
        """All things, or those in the thing group `group` and below, each once. Raises: FleetError."""
        with explained(self._name):
            seen: set[str] = set()
            for thing in self._groups.things(group):
                if thing not in seen:
                    seen.add(thing)
                    yield thing

    def put_artifact(self, artifact: Artifact, source: Path, sent: Sent) -> None:
        """Store the artifact in the bucket. A repeated part is counted back: `sent` may get a negative number.

        Raises: FleetError.
        """
        with explained(self._name):
            self._store.put(artifact, source, sent)

    def check(self, order: StageOrder) -> None:
        """Whether AWS would take the order, as far as its limits are known. Raises: LimitError; ReleaseError."""
        with explained(self._name):
            self._request_of(order)

    def start(self, order: StageOrder) -> None:
        """Group, members, job. Raises: LimitError before any call; ReleaseError; FleetError."""
        with explained(self._name):
            request = self._request_of(order)
            if self._started(request):
                return
            groups, name = self._groups, request.job_id
            groups.sweep(self._is_over)
            arn = groups.create(name, describe_group(order))
            if order.devices:
                self._gather(name, order)
                self._create_job(replace(request, targets=(arn,)))

    def tally(self, key: str) -> Tally | None:
        """Counts of the stage order; None when it was never started. Raises: FleetError."""
        with explained(self._name):
            name = stage_name(key)
            job = self._job(name)
            if job is None:
                empty = order_size(self._groups.description(name) or "") == 0
                return Tally(open=False) if empty else None
            counts: Mapping[str, object] = {**job.get("jobProcessDetails", {})}
            return parse_tally(counts, status=job["status"], size=order_size(job.get("description", "")))

    def reports(self, key: str) -> Iterator[DeviceReport]:
        """How the devices that did not install ended, `most_reports` at most. Raises: FleetError."""
        with explained(self._name):
            name = stage_name(key)
            if self._job(name) is not None:
                yield from islice(self._reports(name), self._settings.most_reports)

    def stop(self, key: str, reason: str) -> None:
        """Cancel the job without force: devices in the middle finish. Ended or unknown: nothing. Raises: FleetError."""
        with explained(self._name):
            name = stage_name(key)
            job = self._job(name)
            if job is None or job["status"] in ENDED:
                return
            self._cancel(name, one_line(reason, MAX_COMMENT) or "stopped")

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(profile_name=self._settings.profile, region_name=self._settings.region)

    @cached_property
    def _config(self) -> Config:
        return Config(
            retries={"mode": "adaptive", "max_attempts": 4},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=self._settings.workers + 2,
            user_agent_extra="otabridge",
            s3={"addressing_style": "path" if self._settings.endpoint_url else "auto"},
        )

    @cached_property
    def _iot(self) -> IoTClient:
        return self._session.client("iot", endpoint_url=self._settings.endpoint_url, config=self._config)

    @cached_property
    def _groups(self) -> StageGroups:
        return StageGroups(self._iot, self._settings.workers)

    @cached_property
    def _store(self) -> ArtifactStore:
        s3 = self._session.client("s3", endpoint_url=self._settings.endpoint_url, config=self._config)
        return ArtifactStore(s3, self._settings.bucket, self._settings.prefix)

    def _request_of(self, order: StageOrder) -> JobRequest:
        """The job of `order`, whole but for its target. Raises: BrokenLimits, ReleaseError."""
        settings = self._settings
        release = parse(read_release(order.release).signed)
        place = {"region": settings.region, "bucket": settings.bucket, "prefix": settings.prefix}
        name = stage_name(order.key)
        request = JobRequest(
            job_id=name,
            targets=(group_arn(settings.region, UNKNOWN_ACCOUNT, name),),
            document=render_document(document_of(release, order.release, order.roots, **place)),
            role_arn=settings.role_arn,
            timeout_minutes=order.timeout_minutes,
            description=describe_order(order, release),
            url_seconds=settings.url_minutes * SECONDS_A_MINUTE,
            per_minute=settings.per_minute,
            abort_percent=settings.abort_percent,
            tags=settings.tags,
        )
        check_devices(order.devices)
        check_request(render_request(request))
        return request

    def _started(self, request: JobRequest) -> bool:
        """Whether the job is there already, for the same release. Raises: FleetError."""
        if self._job(request.job_id) is None:
            return False
        held = self._iot.get_job_document(jobId=request.job_id).get("document", "")
        if _payload(held) != _payload(request.document):
            raise FleetError(
                f"fleet {self._name}: job {request.job_id} exists already and offers another release: "
                "a stage order's key belongs to one release; plan the rollout under another name"
            )
        return True

    def _gather(self, name: str, order: StageOrder) -> None:
        if self._groups.fill(name, order.devices):
            time.sleep(self._settings.settle_seconds)
        self._groups.await_members(name, order.devices, self._settings.visible_seconds)

    def _create_job(self, request: JobRequest) -> None:
        rendered = render_request(request)
        try:
            self._iot.create_job(**rendered)  # type: ignore[arg-type]  # a test holds it against the service model
        except ClientError as error:
            if code_of(error) != ALREADY_EXISTS or not self._started(request):
                raise

    def _cancel(self, name: str, comment: str) -> None:
        """AWS refuses to cancel what has ended meanwhile, or by a first try whose reply was lost."""
        try:
            self._iot.cancel_job(jobId=name, reasonCode=STOP_CODE, comment=comment)
        except ClientError:
            job = self._job(name)
            if job is not None and job["status"] not in ENDED:
                raise

    def _job(self, name: str) -> JobTypeDef | None:
        try:
            return self._iot.describe_job(jobId=name)["job"]
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    def _is_over(self, name: str) -> bool:
        """Whether the job has ended and no device is still at it."""
        job = self._job(name)
        if job is None or job["status"] not in ENDED:
            return False
        return not job.get("jobProcessDetails", {}).get("numberOfInProgressThings", 0)

    def _reports(self, name: str) -> Iterator[DeviceReport]:
        listing = self._iot.get_paginator("list_job_executions_for_job")
        for status in BAD:
            pages = listing.paginate(jobId=name, status=status, PaginationConfig={"PageSize": PAGE})
            for summary in (summary for page in pages for summary in page["executionSummaries"]):
                thing = summary["thingArn"].rpartition(":thing/")[2]
                yield device_report(thing, status, self._details(name, thing))

    def _details(self, name: str, thing: str) -> Mapping[str, str]:
        execution = self._iot.describe_job_execution(jobId=name, thingName=thing)["execution"]
        return execution.get("statusDetails", {}).get("detailsMap", {})


def device_report(thing: str, status: str, details: Mapping[str, str]) -> DeviceReport:
    """How `thing` ended, from its execution's status and statusDetails; unreadable details leave the status."""
    said = parse_details(details)
    if isinstance(said, Report) and status in OUTCOMES:
        return DeviceReport(thing, said.outcome, said.code, said.detail, said.slot)
    where = f" while {said.phase} ({said.percent} %)" if isinstance(said, Progress) else ""
    return DeviceReport(thing, OUTCOMES.get(status), None, f"AWS IoT closed it as {status}{where}")


def _payload(document: str) -> tuple[bytes, tuple[bytes, ...]] | None:
    """What a device would act on; None for a document that is none of ours."""
    try:
        parsed = parse_document(msgspec.json.decode(document))
    except (msgspec.DecodeError, ReleaseError):
        return None
    return parsed.metadata, parsed.roots
