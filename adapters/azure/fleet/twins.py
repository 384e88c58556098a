"""The hub's twins: asked by query, changed by scheduled jobs, which cost one call for any number of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import NamedTuple, Protocol, TypeVar, cast

from azure.core.credentials import TokenCredential
from azure.iot.hub import IoTHubJobManager, IoTHubRegistryManager
from azure.iot.hub.models import JobRequest, QuerySpecification, Twin, TwinProperties
from msrest.exceptions import HttpOperationError

from adapters.azure.fleet.memberships import TwinPatch
from adapters.azure.fleet.pacing import Clock, Pace, Patience, insist
from adapters.azure.fleet.refusals import CONFLICT, NOT_FOUND, Waiting, code_of, delay_of, status_of
from adapters.azure.fleet.standings import Row, number

PAGE = 1000
JOB_SECONDS = 6 * 3600
"""How long a job may take: an S1 hub patches ten twins a second."""
CALL_SECONDS = 30
OVER = frozenset({"completed", "failed", "cancelled"})
UNKNOWN = "unknown"
"""What the hub says of a job that it does not know."""
BUSY = "ThrottlingMaxActiveJobCountExceeded"
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Job:
    """A scheduled job as the hub tells it."""

    job_id: str
    status: str
    devices: int
    succeeded: int
    failed: int
    reason: str

    @property
    def is_over(self) -> bool:
        """Whether it changes nothing any more."""
        return self.status in OVER

    def changed_all(self, devices: int) -> bool:
        """Whether it changed exactly so many twins."""
        return self.status == "completed" and self.succeeded == devices

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        why = f" ({self.reason})" if self.reason else ""
        return f"job {self.job_id} is {self.status}: {self.succeeded} of {self.devices} twins changed{failed}{why}"


class _Protocol(Protocol):
    """The generated client inside either manager, whose retries and timeout are set from outside."""

    config: object


class Twins:
    """One hub. Raises what azure.iot.hub raises, and Waiting."""

    def __init__(self, host: str, credential: TokenCredential, pace: Pace, clock: Clock) -> None:
        self._host = host
        self._credential = credential
        self._pace = pace
        self._clock = clock
        self._told: _Told | None = None

    def rows(self, query: str) -> Iterator[Row]:
        """All rows of a query's answer, page after page."""
        token: str | None = None
        while True:
            page = self._page(query, token)
            yield from map(_row, page.items)
            token = page.continuation_token
            if not token:
                return

    def now(self) -> float:
        """Seconds since the epoch by the hub's clock, as it was told with the last page; this machine's before any."""
        if self._told is None:
            return self._clock.now()
        return self._told.moment + self._clock.monotonic() - self._told.heard

    def count(self, query: str) -> int:
        """The one number that a query of COUNT() answers."""
        return sum(map(number, self.rows(query)))

    def job(self, job_id: str) -> Job | None:
        """How the job is; None when there is none."""
        try:
            found = self._insist(lambda: self._jobs.get_scheduled_job(job_id))
        except HttpOperationError as error:
            if status_of(error) == NOT_FOUND:
                return None
            raise
        job = _job(found)
        return None if job.status == UNKNOWN else job

    def create_job(self, job_id: str, condition: str, patch: TwinPatch, patience: Patience) -> None:
        """Ask for the twins under `condition` to be patched. A job of that name is this one: its reply was lost.

        No time is named: the hub begins at once, whatever this machine's clock says.
        """
        request = JobRequest(
            job_id=job_id,
            type="scheduleUpdateTwin",
            update_twin=_twin(patch),
            query_condition=condition,
            max_execution_time_in_seconds=JOB_SECONDS,
        )
        try:
            self._create(request, patience)
        except HttpOperationError as error:
            if status_of(error) != CONFLICT:
                raise

    def _create(self, request: JobRequest, patience: Patience) -> None:
        """A hub runs one job at a time (S1), perhaps somebody else's."""
        while True:
            try:
                self._insist(lambda: self._jobs.create_scheduled_job(request.job_id, request))
            except HttpOperationError as error:
                if code_of(error) != BUSY:
                    raise
                if not patience.wait():
                    raise Waiting(f"job {request.job_id} waits until the hub has run another job") from error
            else:
                return

    def _page(self, query: str, token: str | None) -> _Page:
        """The public method of the library would not show the answer's headers, which hold the hub's time."""

        def ask() -> _Answered:
            self._pace.wait()
            operation = self._registry.protocol.query.get_twins
            return cast("_Answered", operation(QuerySpecification(query=query), token, PAGE, None, raw=True))

        answered = self._insist(ask)
        self._hear(answered.response.headers.get("Date"))
        return _Page(answered.output or [], answered.headers.get("x-ms-continuation"))

    def _hear(self, date: str | None) -> None:
        """Take the hub's time from an answer, to the second; an answer without one changes nothing."""
        with suppress(TypeError, ValueError):
            self._told = _Told(parsedate_to_datetime(date or "").timestamp(), self._clock.monotonic())

    def _insist(self, call: Callable[[], _Answer]) -> _Answer:
        return insist(call, _unless_busy, self._clock)

    @cached_property
    def _registry(self) -> IoTHubRegistryManager:
        manager = IoTHubRegistryManager.from_token_credential(self._host, self._credential)
        _configure(manager.protocol)
        return manager

    @cached_property
    def _jobs(self) -> IoTHubJobManager:
        manager = IoTHubJobManager.from_token_credential(self._host, self._credential)
        _configure(manager.protocol)
        return manager


class _Headed(Protocol):
    headers: Mapping[str, str | None]


class _Answered(_Headed, Protocol):
    """msrest's ClientRawResponse, as far as it is looked at."""

    output: list[Twin] | None
    response: _Headed


class _Page(NamedTuple):
    items: list[Twin]
    continuation_token: str | None


class _Told(NamedTuple):
    """The hub's time, and this machine's monotonic one when it was heard."""

    moment: float
    heard: float


def _configure(protocol: _Protocol) -> None:
    """The library's own retries would hide what the hub answered, and wait for as long as the hub says."""
    config = protocol.config
    policy = config.retry_policy.policy  # type: ignore[attr-defined]  # the library is untyped
    policy.total, policy.connect, policy.read = 0, 0, 0
    policy.status_forcelist = frozenset()
    policy.respect_retry_after_header = False
    config.connection.timeout = CALL_SECONDS  # type: ignore[attr-defined]  # as above


def _unless_busy(error: Exception) -> float | None:
    return None if code_of(error) == BUSY else delay_of(error)


def _row(twin: Twin) -> Row:
    """The library reads every row as a twin; columns that no twin has are kept beside."""
    return {"deviceId": twin.device_id, **twin.additional_properties}


def _twin(patch: TwinPatch) -> Twin:
    properties = TwinProperties(desired=dict(patch.desired)) if patch.desired else None
    return Twin(etag="*", tags=dict(patch.tags), properties=properties)


def _job(response: object) -> Job:
    told = getattr(response, "device_job_statistics", None)
    return Job(
        job_id=str(getattr(response, "job_id", "")),
        status=str(getattr(response, "status", "")).lower(),
        devices=getattr(told, "device_count", None) or 0,
        succeeded=getattr(told, "succeeded_count", None) or 0,
        failed=getattr(told, "failed_count", None) or 0,
        reason=str(getattr(response, "failure_reason", None) or getattr(response, "status_message", None) or ""),
    )
