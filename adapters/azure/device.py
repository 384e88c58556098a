"""The channel of a device in Azure Device Update: deployments as offers, reports as reported properties of its twin.

What shapes it (Device Update's agent protocol, IoT Hub device twins):

- The twin is a state, not a queue: a patch may be lost or come twice, so it is only a hint; then the twin is read.
- The hub's copy of what the device reported tells whether a deployment has ended, so a goal that is delivered again,
  after a reconnect, a new token or a restart, is neither begun nor reported again.
- A reply can be lost after the patch took effect. A report is repeated until the twin, read again, shows its end.
- A deployment is withdrawn by another goal. Whatever a caller does next with its offer meets that in the twin.

Everything of one turn goes in one patch: the component of Device Update, ours, and the acknowledgement of the goal.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from adapters.azure.channel import telling
from adapters.azure.channel.about import introduction, is_introduced
from adapters.azure.channel.acceptance import UNACCEPTABLE, Acceptance, Accepted
from adapters.azure.channel.diagnostics import LogCollection
from adapters.azure.channel.enrolment import Enrolment
from adapters.azure.channel.files import Files
from adapters.azure.channel.goal_decision import (
    Act,
    Life,
    View,
    decide,
    ended_as,
    is_told,
    life_of,
    offered,
    parse_view,
)
from adapters.azure.channel.key_store import RootKeys
from adapters.azure.channel.line import HubLine, Twin
from adapters.azure.channel.sdk import Declined, IdentityRefused
from adapters.azure.channel.settings import AzureSettings
from adapters.azure.formats.component import Goal
from adapters.azure.formats.twin_limits import check_twin_patch
from adapters.violations import BrokenLimits
from agent.cloud.channel import Offer, OfferWithdrawn
from agent.pace import Backoff
from bridge.release.errors import ChannelError, OtabridgeError, ReleaseError
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState, render

Answer = TypeVar("Answer")

MOST_SECONDS = 300.0
"""After so long no call begins another attempt: the agent has a watchdog."""
STEP = 10
"""Per cent of one phase between two signs of life; a hub's devices share 50 updates of twins a second (tier S1)."""

_log = logging.getLogger(__name__)


def open_channel(settings: Mapping[str, object]) -> AzureChannel:
    """The channel that `settings`, fields of AzureSettings, describe. Raises: ChannelError, final, naming the field."""
    try:
        return AzureChannel(msgspec.convert(settings, AzureSettings))
    except msgspec.ValidationError as error:
        raise ChannelError(f"channel: {error}", retryable=False) from error


class AzureChannel:
    """`agent.cloud.channel.Channel` over Azure Device Update. Connects at the first call; one thread uses it.

    An offer's id is the workflow's; from a retry of a deployment on, the retry's time follows after `#`.
    """

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings
        self._files = Files(settings)
        self._logs = LogCollection(settings, self._files)
        self._acceptance = Acceptance(self._files, RootKeys(settings, self._files))
        self._line = HubLine(settings, Enrolment(settings))
        self._reported: Mapping[str, object] = {}
        self._introduced = False
        self._running = ""
        """The offer that the device works on, as far as is known here."""
        self._told: tuple[str, str, int, str] | None = None
        self._backoff = Backoff(settings.backoff_seconds, settings.backoff_most_seconds)
        self._chance = random.SystemRandom().random

    def next_offer(self, timeout: float) -> Offer | None:
        """What the hub wants installed now, the attempt already begun first. Raises: ChannelError."""
        deadline = time.monotonic() + timeout
        while True:
            self._line.forget_news()
            offer = self._insist(self._take_stock, deadline)
            if offer is not None or not self._await_news(deadline):
                return offer

    def reach(self, timeout: float) -> None:
        """Read the twin, once. Raises: ChannelError."""
        self._read(timeout)

    def renew(self, offer_id: str) -> Offer:
        """The offer with the URLs that the twin holds now. Raises: OfferWithdrawn; ChannelError."""
        return self._insist(lambda: self._renewed(offer_id), None)

    def progress(self, offer_id: str, progress: Progress) -> None:
        """Show a sign of life; dropped while the link is down, or when little has changed. Raises: OfferWithdrawn."""
        if not self._line.linked and not self._line.lost:
            return
        try:
            self._check_news(offer_id)
            self._show(offer_id, progress)
        except OfferWithdrawn:
            raise
        except ChannelError as error:
            self._told = None
            _log.debug("a sign of life of %s was dropped: %s", offer_id, error)

    def conclude(self, offer_id: str, report: Report) -> None:
        """Report the end. Raises: OfferWithdrawn; ChannelError."""
        self._insist(lambda: self._tell_end(offer_id, report), None)
        self._running = ""

    def state(self, state: DeviceState) -> None:
        """Patch what the twin does not say yet of the state of the device. Raises: ChannelError."""
        twin = self._read()
        patch = telling.described(twin.reported, render(state, self._line.device))
        if not patch:
            return
        try:
            check_twin_patch(patch, current=twin.reported)
        except BrokenLimits as error:
            raise ChannelError(f"the twin has no room for the state of the device: {error}", retryable=False) from error
        self._line.patch(patch)

    def close(self) -> None:
        """Hang up; idempotent."""
        self._line.close()
        self._files.close()

    def _take_stock(self) -> Offer | None:
        twin = self._read()
        self._introduce(twin)
        offer = self._act(parse_view(twin.desired, twin.reported))
        if offer is None:
            self._collect_logs(twin)
        return offer

    def _introduce(self, twin: Twin) -> None:
        """At the start, and wherever the device is a stranger: another hub, or a twin that was made anew."""
        if not self._introduced or not is_introduced(twin.reported):
            self._line.patch(introduction(self._settings))
            self._introduced = True

    def _act(self, view: View) -> Offer | None:
        act, goal = decide(view), view.goal
        match act:
            case Act.NOTHING if view.fault is not None and goal is None:
                _log.warning("%s; nothing in it can be answered", view.fault)
            case Act.ANSWER:
                self._patch(telling.answered(view))
            case Act.WITHDRAW:
                self._tell_closed(view, None)
            case Act.REJECT if goal is not None and view.fault is not None:
                self._refuse(view, goal, view.fault)
            case Act.BEGIN | Act.RESUME if goal is not None:
                return self._take_on(view, goal, is_new=act is Act.BEGIN)
        return None

    def _take_on(self, view: View, goal: Goal, *, is_new: bool) -> Offer | None:
        """The offer in `goal`; None when it was none of ours and has been refused."""
        try:
            accepted = self._acceptance.accept(goal)
        except UNACCEPTABLE as error:
            self._refuse(view, goal, error)
            return None
        self._patch(telling.begun(view, goal) if is_new else telling.answered(view))
        offer_id = offered(view)
        self._running = offer_id
        return _offer(offer_id, accepted)

    def _refuse(self, view: View, goal: Goal, error: OtabridgeError) -> None:
        _log.warning("the deployment %s is refused: %s", goal.workflow_id, error)
        self._patch(telling.refused(view, goal, error))

    def _collect_logs(self, twin: Twin) -> None:
        """Never in the way of an update: a failure is an answer, and an answer that is refused only a warning."""
        answer = self._logs.answer(twin.desired, twin.reported, self._line.device)
        try:
            if answer is not None:
                self._line.patch(answer)
        except Declined as error:
            if error.retryable:
                raise
            _log.warning("the answer to a collection of logs: %s", error)

    def _renewed(self, offer_id: str) -> Offer:
        view = self._live_view(offer_id)
        if view.goal is None:
            raise _gone(offer_id)
        try:
            return _offer(offer_id, self._acceptance.accept(view.goal))
        except UNACCEPTABLE as error:
            raise ChannelError(f"{offer_id}: Device Update describes it otherwise than before: {error}") from error

    def _check_news(self, offer_id: str) -> None:
        """Read the twin where the offer may have been withdrawn. Raises: OfferWithdrawn."""
        known = self._running == offer_id
        if known and not self._line.await_news(0.0) and self._line.linked:
            return
        self._line.forget_news()
        self._live_view(offer_id, self._settings.progress_seconds)
        self._running = offer_id

    def _show(self, offer_id: str, progress: Progress) -> None:
        mark = (offer_id, progress.phase.value, progress.percent // STEP, progress.detail)
        if mark == self._told:
            return
        self._told = mark
        self._line.patch(telling.going_on(progress), self._settings.progress_seconds)

    def _tell_end(self, offer_id: str, report: Report) -> None:
        view = self._view()
        life = life_of(view, offer_id)
        if life is Life.ENDED and ended_as(view, report.outcome):
            self._patch(telling.answered(view))
            return
        goal = self._require_live(view, offer_id, report)
        try:
            patch = telling.concluded(view, goal, report, self._acceptance.codes_of(goal))
        except ReleaseError as error:
            raise OfferWithdrawn(f"{offer_id}: Device Update describes it otherwise than before: {error}") from error
        self._patch(patch)

    def _tell_closed(self, view: View, report: Report | None) -> None:
        known = telling.withdrawn(view, view.agent) if view.agent and decide(view) is Act.WITHDRAW else {}
        became = {} if report is None else telling.afterwards(view, report)
        self._patch(telling.merged(known, became))

    def _live_view(self, offer_id: str, seconds: float | None = None) -> View:
        view = self._view(seconds)
        self._require_live(view, offer_id)
        return view

    def _require_live(self, view: View, offer_id: str, report: Report | None = None) -> Goal:
        """Raises: OfferWithdrawn, once the hub has been told that the device knows, and what `report` says."""
        life = life_of(view, offer_id)
        if life is Life.LIVE and view.goal is not None:
            return view.goal
        self._tell_closed(view, report if is_told(view, offer_id) else None)
        if life is Life.ENDED:
            raise OfferWithdrawn(f"{offer_id} has ended with Device Update already")
        raise _gone(offer_id)

    def _view(self, seconds: float | None = None) -> View:
        twin = self._read(seconds)
        return parse_view(twin.desired, twin.reported)

    def _read(self, seconds: float | None = None) -> Twin:
        twin = self._line.twin(seconds)
        self._reported = twin.reported
        return twin

    def _patch(self, patch: Mapping[str, object]) -> None:
        """Tell the twin; of a patch that it has no room for, the least. Raises: ChannelError."""
        if not patch:
            return
        try:
            check_twin_patch(patch, current=self._reported)
            self._line.patch(patch)
        except (BrokenLimits, Declined) as error:
            if isinstance(error, Declined) and error.retryable:
                raise
            _log.warning("the twin has no room for all of a report, telling it the least: %s", error)
            self._line.patch(telling.without_echo(patch))

    def _await_news(self, deadline: float) -> bool:
        """Whether to read the twin again before `deadline`; with the link down only a new connection is a reason."""
        while (left := deadline - time.monotonic()) > 0:
            heard = self._line.await_news(min(left, self._settings.ask_again_seconds))
            if not heard and time.monotonic() >= deadline:
                return False
            self._line.forget_news()
            if self._line.linked or self._line.broken:
                return True
        return False

    def _insist(self, act: Callable[[], Answer], deadline: float | None) -> Answer:
        """What `act` gives, repeated while that may help. Raises: ChannelError; OfferWithdrawn."""
        attempt = 0
        deadline = time.monotonic() + MOST_SECONDS if deadline is None else deadline
        while True:
            try:
                return act()
            except ChannelError as error:
                if not self._may_help(error) or not self._pause(attempt, deadline):
                    raise
            attempt += 1

    def _may_help(self, error: ChannelError) -> bool:
        """A refused identity stays refused, unless enrolment may name another hub."""
        enrolled = self._settings.id_scope is not None
        return error.retryable and (enrolled or not isinstance(error, IdentityRefused))

    def _pause(self, attempt: int, deadline: float) -> bool:
        """Wait before the next attempt, with full jitter; False when there is none, or none before `deadline`."""
        if attempt + 1 >= self._settings.attempts:
            return False
        delay = self._backoff.delay(attempt + 1, self._chance())
        if time.monotonic() + delay >= deadline:
            return False
        time.sleep(delay)
        return True


def _offer(offer_id: str, accepted: Accepted) -> Offer:
    return Offer(offer_id, accepted.release, accepted.roots, accepted.urls)


def _gone(offer_id: str) -> OfferWithdrawn:
    return OfferWithdrawn(f"{offer_id}: Device Update does not want it of this device any more")
