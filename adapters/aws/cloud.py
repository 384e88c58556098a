"""A fleet in AWS: one account and region. Stages become thing groups and SNAPSHOT jobs. Implements bridge.fleet.

A stage's group and job have one name, made from the order's key. `start` can be repeated after a crash at any line: a
job that is there is compared with the order, not made again. A stage without devices makes an empty group and no job
(AWS refuses a job without targets); the group is how `tally` later knows that it was started. An order by buckets makes
a dynamic group, so that its calls do not grow with its devices.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from adapters.aws.adoption import adopted
from adapters.aws.executions import Executions
from adapters.aws.facts import facts_of
from adapters.aws.groups import StageGroups
from adapters.aws.health import Offered, health_count, reset_count, savings
from adapters.aws.index import BY_BUCKET, FleetIndex
from adapters.aws.limits import MAX_COMMENT
from adapters.aws.members import Members
from adapters.aws.orders import payload_of, query_of, request_of, sequence_of
from adapters.aws.refusals import ALREADY_EXISTS, code_of, explained, is_missing
from adapters.aws.request import (
    ENDED,
    JobRequest,
    describe_group,
    is_adopted,
    is_empty,
    job_name,
    order_buckets,
    parse_tally,
    render_request,
)
from adapters.aws.s3 import ArtifactStore
from adapters.aws.settings import AwsFleetSettings, read_settings
from bridge.fleet import Adopted, Census, Device, DeviceReport, FleetError, HealthCount, Savings, Sent, StageOrder
from bridge.planning.planned import Facts
from bridge.release.bucket import Buckets
from bridge.release.details import one_line
from bridge.release.manifest import Artifact, Release
from bridge.rollout.model import FleetPart
from bridge.tally import Tally

if TYPE_CHECKING:  # stubs, which only type checkers have
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_iot.type_defs import JobTypeDef

STOP_CODE = "OTABRIDGE_STOP"


def open_fleet(name: str, settings: Mapping[str, object]) -> AwsFleet:
    """The fleet that `settings`, fields of AwsFleetSettings, describe. Raises: UsageError naming the field."""
    return AwsFleet(name, read_settings(name, settings))


class AwsFleet:
    """`bridge.fleet.Fleet` over AWS IoT. Nothing is called before the first method; from one thread at a time."""

    def __init__(self, name: str, settings: AwsFleetSettings) -> None:
        self._name = name
        self._settings = settings
        self._known: dict[str, Offered] = {}

    @property
    def name(self) -> str:
        """The fleet's name in the configuration."""
        return self._name

    def facts(self) -> Facts:
        """What AWS and the settings give. Raises: LimitError naming what fleet indexing lacks; FleetError."""
        with explained(self._name):
            if self._settings.by_bucket:
                self._index.require(shadow=True, fields=BY_BUCKET)
            return facts_of(self._settings)

    def census(self, part: FleetPart, buckets: tuple[Buckets, ...] = (), models: tuple[str, ...] = ()) -> Census:
        """Counts by hardware model; two calls with `by_bucket`. Raises: LimitError; FleetError."""
        with explained(self._name):
            return self._members.census(part, buckets, models)

    def devices(self, part: FleetPart, buckets: tuple[Buckets, ...] = ()) -> Iterator[Device]:
        """The things of `part`, each once. Raises: LimitError; FleetError."""
        with explained(self._name):
            yield from self._members.devices(part, buckets)

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
            self._groups.sweep(self._is_over)
            arn = self._group_of(order, request.job_id)
            if order.devices or order.buckets:
                self._create_job(replace(request, targets=(arn,)))

    def tally(self, key: str) -> Tally | None:
        """Counts of the stage order; None when it was never started. Raises: FleetError."""
        with explained(self._name):
            name = job_name(key)
            job = self._job(name)
            if job is None:
                return Tally(open=False) if is_empty(self._groups.description(name) or "") else None
            counts: Mapping[str, object] = {**job.get("jobProcessDetails", {})}
            return parse_tally(counts, status=job["status"], description=job.get("description", ""))

    def reports(self, key: str) -> Iterator[DeviceReport]:
        """How the devices that did not install ended, `most_reports` at most. Raises: FleetError."""
        with explained(self._name):
            name = job_name(key)
            if self._job(name) is not None:
                yield from Executions(self._iot, self._settings.most_reports).bad(name)

    def health(self, keys: Sequence[str], condition: str) -> HealthCount:
        """Devices that meet `condition`, of those that report the orders' release and of the others; four counts.

        Raises: LimitError naming what fleet indexing lacks, or the limit that the condition breaks; FleetError.
        """
        with explained(self._name):
            return health_count(self._index, self._offered(keys), condition)

    def watchdog_resets(self, keys: Sequence[str]) -> int:
        """Devices that report the orders' release and a reset by a watchdog since. Raises: LimitError; FleetError."""
        with explained(self._name):
            return reset_count(self._index, self._offered(keys))

    def saved(self, keys: Sequence[str], release: Release) -> Savings:
        """What deltas saved the devices that report `release`, whose orders are `keys`; one aggregate. Raises:
        LimitError naming what fleet indexing lacks; FleetError.
        """
        with explained(self._name):
            return savings(self._index, release) if keys else Savings()

    def adopt(self, native: str) -> Adopted:
        """The job `native`, ended or not; its key leads to it in `tally`, `reports` and `stop`. Raises: FleetError."""
        with explained(self._name):
            job = self._job(native)
            if job is None:
                raise FleetError(f"fleet {self._name}: there is no job {native} in this account and region")
            return adopted(self._name, job, self._document(native))

    def stop(self, key: str, reason: str) -> None:
        """Cancel the job without force: devices in the middle finish; then delete its group. Unknown: nothing.

        A job that was adopted is cancelled, and its groups are left alone. Raises: FleetError.
        """
        with explained(self._name):
            name = job_name(key)
            job = self._job(name)
            if job is not None and job["status"] not in ENDED:
                self._cancel(name, one_line(reason, MAX_COMMENT) or "stopped")
            if not is_adopted(key) and (self._is_over(name) if job else self._is_left(name)):
                self._groups.delete(name)

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
    def _index(self) -> FleetIndex:
        return FleetIndex(self._iot)

    @cached_property
    def _members(self) -> Members:
        settings = self._settings
        return Members(self._iot, self._index, by_bucket=settings.by_bucket, workers=settings.workers)

    @cached_property
    def _store(self) -> ArtifactStore:
        s3 = self._session.client("s3", endpoint_url=self._settings.endpoint_url, config=self._config)
        return ArtifactStore(s3, self._settings.bucket, self._settings.prefix)

    def _request_of(self, order: StageOrder) -> JobRequest:
        return request_of(order, self._settings)

    def _started(self, request: JobRequest) -> bool:
        """Whether the job is there already, for the same release. Raises: FleetError."""
        if self._job(request.job_id) is None:
            return False
        if payload_of(self._document(request.job_id)) != payload_of(request.document):
            raise FleetError(
                f"fleet {self._name}: job {request.job_id} exists already and offers another release: "
                "a stage order's key belongs to one release; plan the rollout under another name"
            )
        return True

    def _group_of(self, order: StageOrder, name: str) -> str:
        """The ARN of the order's group, which holds its devices. Raises: FleetError, retryable while it does not."""
        words, patience = describe_group(order), self._settings.visible_seconds
        if order.buckets:
            arn = self._groups.create_dynamic(name, words, query_of(order))
            self._groups.await_built(name, patience)
            time.sleep(self._settings.settle_seconds)
            return arn
        arn = self._groups.create(name, words)
        if order.devices and self._groups.fill(name, order.devices):
            time.sleep(self._settings.settle_seconds)
        if order.devices:
            self._groups.await_members(name, order.devices, patience)
        return arn

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

    def _is_left(self, name: str) -> bool:
        """Whether a start got no further than the group. The group of an order without devices is all it ever has."""
        description = self._groups.description(name)
        return description is not None and not is_empty(description)

    def _is_over(self, name: str) -> bool:
        """Whether the job has ended and no device is still at it."""
        job = self._job(name)
        if job is None or job["status"] not in ENDED:
            return False
        return not job.get("jobProcessDetails", {}).get("numberOfInProgressThings", 0)

    def _offered(self, keys: Sequence[str]) -> tuple[Offered, ...]:
        """What every order that was started is for. Raises: FleetError, BrokenLimits."""
        return tuple(offered for key in keys if (offered := self._offer(job_name(key))) is not None)

    def _offer(self, name: str) -> Offered | None:
        """Asked once: neither changes."""
        if name not in self._known:
            job = self._job(name)
            if job is None:
                return None
            self._known[name] = Offered(
                order_buckets(job.get("description", "")), sequence_of(name, self._document(name))
            )
        return self._known[name]

    def _document(self, name: str) -> str:
        return self._iot.get_job_document(jobId=name).get("document", "")
