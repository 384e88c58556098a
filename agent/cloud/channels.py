"""A device that several clouds may update: their channels as one.

The same release offered by two clouds is installed once. The engine goes by the release's digest: to the second offer
it answers with what the device has become, so that each cloud gets its own, true report.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace

from agent.cloud.channel import Channel, Offer, OfferWithdrawn
from agent.cloud.folder import LOCAL
from agent.cloud.line import Line
from agent.pace import Backoff
from bridge.release.errors import ChannelError
from bridge.release.report import Progress, Report
from bridge.release.state import DeviceState

MARK = ":"
"""Ends the cloud's name at the front of an offer's id. An id is read up to its first mark, so whatever a cloud puts
into its own ids, those of two clouds differ; and no cloud may be named so that its ids look like a folder's."""

PATIENCE = Backoff(first=2.0, most=300.0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waits:
    """Times, in seconds.

    A wait that is left behind when another cloud's offer is taken goes on for up to `slice`: so long may that cloud
    still hand over an offer that has to lie, and so long a report to it may be held up. A shorter slice has its price:
    each begins with a question to the cloud, which is paid by the message. At 300 a device that idles asks each cloud
    288 times a day, twice as often as a device of one cloud does. And a report is hardly ever held up: a cloud whose
    offer the device works on has handed it over, so that no wait for it is under way.

    `head_start` is how long the offers of others are held back for the cloud whose offer is begun already; `overrun`
    how much longer than asked a channel may take to come back; `patience` spaces questions to one that is down;
    `hang_up` is how long a channel at rest may take to close.
    """

    slice: float = 300.0
    head_start: float = 30.0
    overrun: float = 30.0
    patience: Backoff = PATIENCE
    hang_up: float = 30.0


def _nothing_begun() -> str:
    return ""


class Channels:
    """The Channel of a device with several clouds. Each has a thread of its own, so that one that hangs, or is down,
    neither hides the offers of another nor delays a report to it.

    An offer's id is the cloud's name, a colon, and the id that its own channel gave it.
    """

    def __init__(
        self, channels: Mapping[str, Channel], begun: Callable[[], str] = _nothing_begun, waits: Waits | None = None
    ) -> None:
        """`channels` by the name of the cloud; `begun` tells the id of the offer that the device works on, or ""."""
        self._waits = waits or Waits()
        self._begun = begun
        self._lines = {cloud: Line(_named(cloud), channel, self._waits.patience) for cloud, channel in channels.items()}
        self._chance = random.SystemRandom().random

    def next_offer(self, timeout: float) -> Offer | None:
        """See Channel. The offer begun first, then the one that has waited longest.

        Raises: ChannelError when every cloud cannot be asked, naming each.
        """
        first = self._lines.get(cloud_of(self._begun()))
        start = time.monotonic()
        for line in self._lines.values():
            line.begin()
        while True:
            now = time.monotonic()
            self._look(now, start + timeout)
            chosen = self._choose(first, held_back=now < start + min(timeout, self._waits.head_start))
            if chosen is not None:
                return _marked(chosen.cloud, chosen.take())
            if not self._expects(now, start + timeout):
                return None
            self._sleep(now, start, timeout)

    def reach(self, timeout: float, *, every: bool = False) -> None:
        """See Clouds. All are asked at once, and one that hangs is not waited for longer than it may take."""
        asked = {cloud: line.reach(timeout) for cloud, line in self._lines.items()}
        needed = len(asked) if every else 1
        _await_answers(asked.values(), needed, time.monotonic() + timeout + self._waits.overrun)
        troubles = {cloud: trouble for cloud, answer in asked.items() if (trouble := _trouble_of(answer)) is not None}
        if len(asked) - len(troubles) < needed:
            told = "; ".join(f"{cloud}: {trouble}" for cloud, trouble in troubles.items())
            raise ChannelError(f"not every cloud answers: {told}" if every else f"no cloud answers: {told}")

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        line, inner = self._line(offer_id)
        return _marked(line.cloud, line.call(lambda channel: channel.renew(inner)))

    def progress(self, offer_id: str, progress: Progress) -> None:
        """See Channel."""
        line, inner = self._line(offer_id)
        line.call(lambda channel: channel.progress(inner, progress))

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel."""
        line, inner = self._line(offer_id)
        line.call(lambda channel: channel.conclude(inner, report))

    def state(self, state: DeviceState) -> None:
        """See Channel. Each cloud is told on its own thread, once no wait for its offers is under way, and again when
        that failed; so this raises nothing."""
        for line in self._lines.values():
            line.describe(state)

    def close(self) -> None:
        """Hang up on every cloud. One that is waited for is hung up on when its wait ends, or with the process: a
        channel cannot be woken, and nothing of a wait needs to be finished."""
        idle = [line for line in self._lines.values() if line.waiting is None or line.waiting.done()]
        for line in self._lines.values():
            line.hang_up()
        for line in idle:
            line.join(self._waits.hang_up)

    def _look(self, now: float, deadline: float) -> None:
        for line in self._lines.values():
            known = line.trouble
            line.settle(now, self._chance())
            if line.trouble is not None and str(line.trouble) != str(known):
                _log.warning("%s cannot be asked: %s", line.cloud, line.trouble)
            if now < deadline or not line.answered:
                line.ask(max(0.0, min(self._waits.slice, deadline - now)), now)

    def _choose(self, first: Line | None, *, held_back: bool) -> Line | None:
        held = [line for line in self._lines.values() if line.offer is not None]
        if first is not None and first.offer is None and not first.answered and held_back:
            return None
        return min(held, key=lambda line: (line is not first, line.landed), default=None)

    def _expects(self, now: float, deadline: float) -> bool:
        """Whether an offer may still come. Raises: ChannelError when nobody can be asked."""
        lines = self._lines.values()
        if all(line.trouble is not None for line in lines):
            troubles = [(line.cloud, line.trouble) for line in lines if line.trouble is not None]
            raise ChannelError(
                "no cloud can be asked: " + "; ".join(f"{cloud}: {trouble}" for cloud, trouble in troubles),
                retryable=any(trouble.retryable for _, trouble in troubles),
            )
        held_back = any(line.offer is not None for line in lines)
        waiting = any(line.waiting is not None for line in lines)
        return held_back or (waiting and now < deadline + self._waits.overrun)

    def _sleep(self, now: float, start: float, timeout: float) -> None:
        """Until a wait ends, or it is time for something else."""
        lines = list(self._lines.values())
        times = [start + self._waits.head_start, start + timeout, start + timeout + self._waits.overrun]
        times += [line.again for line in lines if line.waiting is None]
        until = min(time for time in times if time > now)
        wait([line.waiting for line in lines if line.waiting is not None], until - now, FIRST_COMPLETED)

    def _line(self, offer_id: str) -> tuple[Line, str]:
        line = self._lines.get(cloud_of(offer_id))
        if line is None:
            raise OfferWithdrawn(
                f"{offer_id} is of none of {', '.join(self._lines)}: it was begun under another configuration; "
                "a cloud that still wants it offers it again"
            )
        return line, _inner(offer_id)


class SoleChannel:
    """The Channel of a device with one cloud, whose ids it leaves as they are. An offer begun while the device had
    several clouds is found again: an update may change the configuration in its middle."""

    def __init__(self, cloud: str, channel: Channel, clouds: Iterable[str]) -> None:
        """`clouds` are all that a device can have."""
        self._cloud = cloud
        self._channel = channel
        self._clouds = frozenset(clouds)

    def next_offer(self, timeout: float) -> Offer | None:
        """See Channel."""
        return self._channel.next_offer(timeout)

    def reach(self, timeout: float, *, every: bool = False) -> None:  # noqa: ARG002 - one is all that there are
        """See Clouds."""
        self._channel.reach(timeout)

    def renew(self, offer_id: str) -> Offer:
        """See Channel."""
        return replace(self._channel.renew(self._own(offer_id)), id=offer_id)

    def progress(self, offer_id: str, progress: Progress) -> None:
        """See Channel."""
        self._channel.progress(self._own(offer_id), progress)

    def conclude(self, offer_id: str, report: Report) -> None:
        """See Channel."""
        self._channel.conclude(self._own(offer_id), report)

    def state(self, state: DeviceState) -> None:
        """See Channel."""
        self._channel.state(state)

    def close(self) -> None:
        """See Channel."""
        self._channel.close()

    def _own(self, offer_id: str) -> str:
        cloud = cloud_of(offer_id)
        if cloud not in self._clouds:
            return offer_id
        if cloud != self._cloud:
            raise OfferWithdrawn(f"{offer_id} came from {cloud}, which the configuration does not name any more")
        return _inner(offer_id)


def _await_answers(asked: Collection[Future[None]], needed: int, end: float) -> None:
    """Until `needed` of them have brought an answer, none can any more, or it is too late."""
    while (left := end - time.monotonic()) > 0:
        unanswered = [answer for answer in asked if not answer.done()]
        answered = sum(_trouble_of(answer) is None for answer in asked)
        if answered >= needed or not unanswered:
            return
        wait(unanswered, left, FIRST_COMPLETED)


def _trouble_of(answer: Future[None]) -> ChannelError | None:
    """Why a cloud has not answered, None when it has. Raises: what the channel raised, unless it is a ChannelError."""
    if not answer.done():
        return ChannelError("it has not answered in time")
    try:
        answer.result()
    except ChannelError as error:
        return error
    return None


def cloud_of(offer_id: str) -> str:
    """The cloud that an id names; "" when it names none."""
    cloud, mark, _ = offer_id.partition(MARK)
    return cloud if mark else ""


def _inner(offer_id: str) -> str:
    return offer_id.partition(MARK)[2]


def _named(cloud: str) -> str:
    if not cloud or MARK in cloud or f"{cloud}{MARK}" == LOCAL:
        raise ValueError(f"no cloud can be named {cloud!r}")
    return cloud


def _marked(cloud: str, offer: Offer) -> Offer:
    return replace(offer, id=f"{cloud}{MARK}{offer.id}")
