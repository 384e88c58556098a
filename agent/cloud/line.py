"""One channel on a thread of its own, so that a device can wait for several clouds at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TypeVar

from agent.cloud.announcer import Announcer
from agent.cloud.channel import Channel, Offer
from agent.pace import Backoff
from bridge.release.errors import ChannelError
from bridge.release.state import DeviceState

Answer = TypeVar("Answer")
Act = Callable[[], None]


class Line:
    """A channel, the one thread that uses it, and what its last wait for an offer has brought.

    All methods are called from one thread. What they ask of the channel happens on the other, in the order asked.
    """

    def __init__(self, cloud: str, channel: Channel, patience: Backoff) -> None:
        """`patience` spaces the waits for a cloud that cannot be asked."""
        self.cloud = cloud
        self.offer: Offer | None = None
        """What the cloud wants and nobody has taken yet."""
        self.landed = 0.0
        """When `offer` came."""
        self.trouble: ChannelError | None = None
        """Why the last wait failed; None once the cloud has answered."""
        self.answered = False
        """Whether a wait has ended since `begin`."""
        self.waiting: Future[Offer | None] | None = None
        """The wait that is under way."""
        self.again = 0.0
        """Before this time the cloud is not asked again."""
        self._channel = Announcer(channel, patience)
        self._patience = patience
        self._faults = 0
        self._acts: SimpleQueue[Act | None] | None = None
        self._closing: Future[None] | None = None

    def begin(self) -> None:
        """A new call: whatever went wrong before, the cloud is asked again. A wait under way goes on."""
        self.trouble, self.answered, self.again = None, False, 0.0

    def ask(self, seconds: float, now: float) -> None:
        """Start a wait of `seconds`, unless one is under way, an offer is at hand, or it is too early."""
        if self.waiting is None and self.offer is None and now >= self.again:
            self.again = now + seconds  # a channel that comes back early is not asked in circles
            self.waiting = self._submit(lambda: self._channel.next_offer(seconds))

    def settle(self, now: float, chance: float) -> None:
        """Take note of a wait that has ended. Raises: what the channel raised, unless it is a ChannelError."""
        if self.waiting is None or not self.waiting.done():
            return
        ended, self.waiting, self.answered = self.waiting, None, True
        try:
            self.offer, self.landed, self.trouble, self._faults = ended.result(), now, None, 0
        except ChannelError as error:
            self._faults += 1
            self.trouble, self.again = error, now + self._patience.delay(self._faults, chance)

    def take(self) -> Offer:
        """The offer at hand, which is its taker's from now on. Raises: RuntimeError when there is none, a bug."""
        offer, self.offer = self.offer, None
        if offer is None:
            raise RuntimeError(f"{self.cloud} has no offer at hand")
        return offer

    def call(self, act: Callable[[Channel], Answer]) -> Answer:
        """What `act` returns or raises, done on the channel's thread once it is free."""
        return self._submit(lambda: act(self._channel)).result()

    def reach(self, seconds: float) -> Future[None]:
        """Whether the cloud answers, once the channel's thread is free; see Channel."""
        return self._submit(lambda: self._channel.reach(seconds))

    def describe(self, state: DeviceState) -> None:
        """Have the cloud told what the device is, before the next wait for an offer."""
        self._submit(lambda: self._channel.state(state))

    def hang_up(self) -> None:
        """Close the channel as soon as its thread is free, and end the thread; idempotent."""
        if self._acts is None:
            return
        self._closing = self._submit(self._channel.close)
        self._acts.put(None)
        self._acts = None

    def join(self, seconds: float) -> None:
        """Wait up to `seconds` until the channel is closed after `hang_up`. Raises: what its `close` raised."""
        if self._closing is not None and wait([self._closing], seconds).done:
            self._closing.result()

    def _submit(self, act: Callable[[], Answer]) -> Future[Answer]:
        answer: Future[Answer] = Future()
        self._queue().put(lambda: _fulfil(answer, act))
        return answer

    def _queue(self) -> SimpleQueue[Act | None]:
        if self._acts is None:
            self._acts = SimpleQueue()
            # A daemon: a wait for the cloud must not keep the process from ending.
            threading.Thread(target=_work, args=(self._acts,), name=f"line-{self.cloud}", daemon=True).start()
        return self._acts


def _work(acts: SimpleQueue[Act | None]) -> None:
    while (act := acts.get()) is not None:
        act()


def _fulfil(answer: Future[Answer], act: Callable[[], Answer]) -> None:
    try:
        answer.set_result(act())
    except BaseException as error:  # noqa: BLE001 - whatever it was is raised again where the answer is awaited
        answer.set_exception(error)
