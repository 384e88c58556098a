"""The channel of a device in AWS IoT Core: job executions as offers, reports as statusDetails.

Rules of the Jobs API that shape it (developer guide, "Jobs and devices"):

- A notification can be lost, so start-next is asked at every connection, notification and long interval; it hands out
  an execution already in progress again, unchanged, until that ended.
- A reply can be lost after the update took effect. Updates therefore name the version that they expect; the repeated
  one is refused with where the execution stands, which tells whether the first had arrived.
- Each description of a job carries URLs signed at that moment; that is how an offer is renewed.

All jobs of the thing must be for this agent: a document of anybody else is rejected, or it would block the queue.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from adapters.aws.jobs import PASSING, SHADOW, Denied, Execution, JobsLine, Refused, State
from adapters.aws.mqtt import AwsSettings
from adapters.aws.wire import IN_PROGRESS, STATUS, check_signed, parse_document
from agent.cloud.channel import Offer, OfferWithdrawn
from agent.pace import Backoff
from bridge.release.details import progress_details, report_details
from bridge.release.errors import ChannelError, ReleaseError
from bridge.release.report import MAX_DETAIL, Outcome, Progress, Report
from bridge.release.state import DeviceState, render

Answer = TypeVar("Answer")

MOST_DENIALS = 3
"""In a row, before the shadow is left alone: each costs a connection."""
PASSING_HTTP = frozenset({"429", "500", "503"})
"""Refusals of a shadow's update that may pass (developer guide, shadow error messages)."""
LIVE = frozenset({"QUEUED", IN_PROGRESS})
STEP = 10
"""Per cent of one phase between two signs of life; an account's devices share 200 updates a second."""


def open_channel(settings: Mapping[str, object]) -> AwsChannel:
    """The channel that `settings`, fields of AwsSettings, describe. Raises: ChannelError, final, naming the field."""
    try:
        return AwsChannel(msgspec.convert(settings, AwsSettings))
    except msgspec.ValidationError as error:
        raise ChannelError(f"channel: {error}", retryable=False) from error


class AwsChannel:
    """`agent.cloud.channel.Channel` over AWS IoT Jobs. Connects at the first call; one thread uses it.

    An offer's id is the job's id; from the second attempt of a job on, its number follows after `#`.
    """

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._line = JobsLine(settings)
        self._versions: dict[str, int] = {}
        self._denials = 0
        self._told: tuple[str, str, int, str] | None = None
        self._backoff = Backoff(settings.backoff_seconds, settings.backoff_most_seconds)
        self._chance = random.SystemRandom().random

    def next_offer(self, timeout: float) -> Offer | None:
        """The execution in progress, else the next in the queue. Raises: ChannelError."""
        deadline = time.monotonic() + timeout
        self._line.open()
        self._line.await_link(timeout)
        while True:
            self._line.forget_news()
            execution = self._ask(self._line.start_next, deadline)
            offer = None if execution is None else self._accept(execution)
            if offer is not None or time.monotonic() >= deadline:
                return offer
            if execution is None and not self._await_news(deadline):
                return None

    def reach(self, timeout: float) -> None:
        """Ask what comes next in the queue, which begins nothing. Raises: ChannelError."""
        self._line.open()
        self._line.await_link(timeout)
        try:
            self._line.peek()
        except Refused as refusal:
            raise _outcome_of(refusal) from refusal

    def renew(self, offer_id: str) -> Offer:
        """The offer with URLs signed now. Raises: OfferWithdrawn; ChannelError."""
        job_id, number = _job_of(offer_id)
        self._line.open()
        try:
            execution = self._ask(lambda: self._line.describe(job_id, number), None)
        except _Declined as error:
            raise OfferWithdrawn(f"{offer_id}: {error}") from error
        if execution is None or execution.status not in LIVE:
            raise OfferWithdrawn(f"{offer_id}: AWS IoT holds no such job for {self._settings.thing} any more")
        try:
            return self._offer(execution)
        except ReleaseError as error:
            raise ChannelError(f"{offer_id}: AWS IoT described the job otherwise than before: {error}") from error

    def progress(self, offer_id: str, progress: Progress) -> None:
        """Show a sign of life; dropped while the link is down, or when little has changed. Raises: OfferWithdrawn."""
        mark = (offer_id, progress.phase.value, progress.percent // STEP, progress.detail)
        if mark == self._told or not self._line.linked:
            return
        self._told = mark
        details = progress_details(progress)
        try:
            self._update(offer_id, IN_PROGRESS, details, self._settings.progress_seconds)
        except Refused as refusal:
            if refusal.code not in PASSING:
                self._adopt(offer_id, refusal, IN_PROGRESS, details)
        except ChannelError:
            self._told = None

    def conclude(self, offer_id: str, report: Report) -> None:
        """Report the end. Raises: OfferWithdrawn; ChannelError."""
        self._line.open()
        self._tell(offer_id, STATUS[report.outcome], report_details(report))
        self._versions.pop(offer_id, None)

    def state(self, state: DeviceState) -> None:
        """Update the named shadow `otabridge`, unless the settings or the thing's policy forbid it.

        Raises: ChannelError; not retryable when it is given up, which updates do not suffer from.
        """
        if not self._settings.report_state or self._denials >= MOST_DENIALS:
            return
        self._line.open()
        self._line.await_link(self._settings.reply_seconds)
        try:
            self._line.describe_thing(render(state, self._settings.thing))
        except Denied as denial:
            raise self._counted(denial) from denial
        except Refused as refusal:
            raise ChannelError(f"shadow {SHADOW}: {refusal}", retryable=refusal.code in PASSING_HTTP) from refusal
        self._denials = 0

    def close(self) -> None:
        """Hang up; idempotent."""
        self._line.close()

    def _counted(self, denial: Denied) -> ChannelError:
        """One may be an outage that came at that moment; several in a row are the policy's."""
        self._denials = MOST_DENIALS if denial.certain else self._denials + 1
        if self._denials < MOST_DENIALS:
            return denial
        return ChannelError(
            f"shadow {SHADOW} of {self._settings.thing} is left alone until the agent starts anew ({denial}): allow "
            f"iot:Publish, iot:Receive and iot:Subscribe on $aws/things/{self._settings.thing}/shadow/name/{SHADOW}/* "
            "in the certificate's policy, or set report_state = false in [channel.aws]",
            retryable=False,
        )

    def _await_news(self, deadline: float) -> bool:
        """Whether to ask again before `deadline`; with the link down only a new connection is a reason."""
        while True:
            left = deadline - time.monotonic()
            if self._line.await_news(min(left, self._settings.ask_again_seconds)):
                return True
            if time.monotonic() >= deadline:
                return False
            if self._line.linked:
                return True

    def _accept(self, execution: Execution) -> Offer | None:
        """The offer in `execution`; None when it was none of ours and has been rejected."""
        try:
            return self._offer(execution)
        except ReleaseError as refusal:
            report = Report(Outcome.REJECTED, "", "", refusal.code, str(refusal)[:MAX_DETAIL])
            with contextlib.suppress(OfferWithdrawn):  # nobody waits for the rejection any more
                self.conclude(_offer_id(execution), report)
            return None

    def _offer(self, execution: Execution) -> Offer:
        offer_id = _offer_id(execution)
        if execution.version_number is not None:
            self._versions = {offer_id: execution.version_number}
        document = parse_document(execution.job_document)
        check_signed(document)
        return Offer(offer_id, document.metadata, document.roots, document.urls)

    def _ask(self, ask: Callable[[], Answer], deadline: float | None) -> Answer:
        """The answer of `ask`, repeated while that may help. Raises: ChannelError, _Declined."""
        for attempt in range(self._settings.attempts):
            try:
                return ask()
            except Refused as refusal:
                trouble = _outcome_of(refusal)
            except ChannelError as error:
                trouble = error
            if isinstance(trouble, _Declined) or not trouble.retryable or not self._pause(attempt, deadline):
                break
        raise trouble

    def _tell(self, offer_id: str, status: str, details: Mapping[str, str]) -> None:
        trouble: Exception | None = None
        for attempt in range(self._settings.attempts):
            try:
                return self._update(offer_id, status, details, None)
            except Refused as refusal:
                trouble = refusal
                if refusal.code not in PASSING:
                    if self._adopt(offer_id, refusal, status, details):
                        return None
                    continue
            except ChannelError as error:
                trouble = error
            self._pause(attempt, None)
        raise ChannelError(f"{offer_id}: the report {status} did not get through: {trouble}") from trouble

    def _update(self, offer_id: str, status: str, details: Mapping[str, str], seconds: float | None) -> None:
        job_id, number = _job_of(offer_id)
        version = self._versions.get(offer_id)
        state = self._line.update(job_id, status, details, number=number, version=version, seconds=seconds)
        self._learn(offer_id, state)

    def _learn(self, offer_id: str, state: State | None) -> None:
        if state is None or state.version_number is None:
            self._versions.pop(offer_id, None)
        else:
            self._versions[offer_id] = state.version_number

    def _adopt(self, offer_id: str, refusal: Refused, status: str, details: Mapping[str, str]) -> bool:
        """Whether the cloud already holds what we wished to tell; if it may be told yet, False.

        Raises: OfferWithdrawn.
        """
        state = refusal.state
        if state is None:
            raise OfferWithdrawn(f"{offer_id}: {refusal}")
        if _holds(state, status, details):
            self._learn(offer_id, state)
            return True
        if state.status not in LIVE or refusal.code != "VersionMismatch":
            raise OfferWithdrawn(f"{offer_id}: AWS IoT has closed it as {state.status} ({refusal})")
        self._learn(offer_id, state)
        return False

    def _pause(self, attempt: int, deadline: float | None) -> bool:
        """Wait before the next attempt, with full jitter; False when there is none, or none before `deadline`."""
        if attempt + 1 >= self._settings.attempts:
            return False
        delay = self._backoff.delay(attempt + 1, self._chance())
        if deadline is not None and time.monotonic() + delay >= deadline:
            return False
        time.sleep(delay)
        return True


class _Declined(ChannelError):
    """The service says no for good: there is no such execution, or it has ended."""


def _outcome_of(refusal: Refused) -> ChannelError:
    if refusal.code in PASSING:
        return ChannelError(f"AWS IoT: {refusal}")
    return _Declined(f"AWS IoT: {refusal}")


def _holds(state: State, status: str, details: Mapping[str, str]) -> bool:
    """Whether `state` is the one that an update to `status` with `details` leaves behind."""
    held = state.status_details or {}
    same = all(held.get(name, wanted) == wanted for name, wanted in details.items() if name != "detail")
    return state.status == status and same


def _offer_id(execution: Execution) -> str:
    number = execution.execution_number or 1
    return execution.job_id if number == 1 else f"{execution.job_id}#{number}"


def _job_of(offer_id: str) -> tuple[str, int | None]:
    """Job id and number; a first attempt needs no number, so that a job is found however it counts."""
    job_id, _, number = offer_id.partition("#")
    return job_id, int(number) if number.isdecimal() else None
