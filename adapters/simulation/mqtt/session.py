"""A client's session: subscriptions, messages that wait and messages in flight."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from adapters.simulation.mqtt.app import Message
from adapters.simulation.mqtt.packets import Publish
from adapters.simulation.mqtt.properties import Property
from adapters.simulation.mqtt.trie import FilterTrie

_QUEUE_LIMIT = 1000
_PACKET_IDS = 65_535


class Pipe(Protocol):
    """The open connection of a session."""

    @property
    def receive_maximum(self) -> int:
        """How many QoS 1 messages may be in flight."""
        ...

    @property
    def writable(self) -> bool:
        """Whether bytes can still be sent."""
        ...

    def send_publish(self, publish: Publish) -> None:
        """Write one PUBLISH."""
        ...


@dataclass(frozen=True)
class Subscription:
    """What was granted for one filter."""

    qos: int
    identifier: int | None = None


def _fresh_ids() -> Iterator[int]:
    return itertools.cycle(range(1, _PACKET_IDS + 1))


@dataclass(eq=False)
class Session:
    """Outlives its connection when the client asked for that.

    `expiry` is in seconds after the connection ended; `expires_at` is set while disconnected.
    The queue holds 1000 messages; older ones are dropped.
    """

    client_id: str
    expiry: float = 0
    expires_at: float | None = None
    pipe: Pipe | None = None
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    _filters: FilterTrie[str] = field(default_factory=FilterTrie)
    _queue: deque[Message] = field(default_factory=lambda: deque(maxlen=_QUEUE_LIMIT))
    _flight: OrderedDict[int, Message] = field(default_factory=OrderedDict)
    _ids: Iterator[int] = field(default_factory=_fresh_ids)

    def subscribe(self, topic_filter: str, subscription: Subscription) -> None:
        """Add or replace a subscription."""
        self.subscriptions[topic_filter] = subscription
        self._filters.add(topic_filter, topic_filter)

    def unsubscribe(self, topic_filter: str) -> bool:
        """Remove a subscription; False if there was none."""
        self._filters.discard(topic_filter, topic_filter)
        return self.subscriptions.pop(topic_filter, None) is not None

    def grant(self, topic: str) -> Subscription | None:
        """The subscription with the highest QoS that matches a topic."""
        matching = [self.subscriptions[each] for each in self._filters.match(topic)]
        return max(matching, key=lambda each: each.qos, default=None)

    def deliver(self, message: Message, granted: Subscription | None) -> bool:
        """Send now or keep for later. Without a connection QoS 0 is lost; False then."""
        if granted is not None:
            message = _as_granted(message, granted)
        if self.pipe is None and not message.qos:
            return False
        self._queue.append(message)
        self.pump()
        return True

    def acknowledge(self, packet_id: int) -> None:
        """The client has taken a QoS 1 message."""
        self._flight.pop(packet_id, None)
        self.pump()

    def resume(self) -> None:
        """Resend what was in flight when the last connection ended, then what waited."""
        if self.pipe is not None:
            for packet_id, message in self._flight.items():
                self.pipe.send_publish(Publish(message, packet_id, duplicate=True))
        self.pump()

    def pump(self) -> None:
        """Write as much of the queue as the client's receive maximum allows."""
        while self.pipe is not None and self.pipe.writable and self._may_send(self.pipe):
            message = self._queue.popleft()
            self.pipe.send_publish(Publish(message, self._track(message)))

    def _may_send(self, pipe: Pipe) -> bool:
        if not self._queue:
            return False
        return not self._queue[0].qos or len(self._flight) < pipe.receive_maximum

    def _track(self, message: Message) -> int:
        if not message.qos:
            return 0
        packet_id = next(each for each in self._ids if each not in self._flight)
        self._flight[packet_id] = message
        return packet_id


def _as_granted(message: Message, granted: Subscription) -> Message:
    properties = dict(message.properties)
    if granted.identifier is not None:
        properties[Property.SUBSCRIPTION_ID] = granted.identifier
    return replace(message, qos=min(message.qos, granted.qos), properties=properties)
