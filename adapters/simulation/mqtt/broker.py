"""Sessions and routing: the part of the MQTT server that knows no sockets. Loop thread only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from adapters.simulation.mqtt.app import Message
from adapters.simulation.mqtt.packets import Reason
from adapters.simulation.mqtt.session import Pipe, Session, Subscription
from adapters.simulation.mqtt.trie import FilterTrie


class Link(Pipe, Protocol):
    """A connection that can also be ended."""

    def close(self, reason: Reason) -> None:
        """End the connection; MQTT 5 clients learn the reason."""
        ...


class Broker:
    """All sessions of one server.

    `now` gives seconds; sessions expire by it. `max_expiry` caps what clients ask for, in seconds.
    """

    def __init__(self, now: Callable[[], float], max_expiry: float) -> None:
        self._now = now
        self.max_expiry = max_expiry
        self._sessions: dict[str, Session] = {}
        self._links: dict[str, Link] = {}
        self._owners: FilterTrie[str] = FilterTrie()

    def open(self, client_id: str, link: Link, *, clean: bool, expiry: float) -> bool:
        """Attach a connection to its session, taking over from an older connection.

        Returns whether an earlier session continues.
        """
        self.disconnect(client_id, Reason.SESSION_TAKEN_OVER)
        session = self._sessions.get(client_id)
        if session is not None and (clean or self._is_over(session)):
            self._drop(session)
            session = None
        present = session is not None
        session = session or self._sessions.setdefault(client_id, Session(client_id))
        session.expiry = min(expiry, self.max_expiry)
        session.expires_at = None
        session.pipe = self._links[client_id] = link
        return present

    def resume(self, client_id: str) -> None:
        """Send what waited for a client that has just been welcomed."""
        self._sessions[client_id].resume()

    def detach(self, client_id: str, link: Link, expiry: float | None = None) -> None:
        """The connection ended; the session lives on for its expiry. Taken-over links are ignored."""
        session = self._sessions.get(client_id)
        if session is None or self._links.get(client_id) is not link:
            return
        session.pipe = None
        del self._links[client_id]
        lifetime = session.expiry if expiry is None else min(expiry, self.max_expiry)
        session.expires_at = self._now() + lifetime
        if not lifetime:
            self._drop(session)

    def disconnect(self, client_id: str, reason: Reason = Reason.ADMINISTRATIVE_ACTION) -> bool:
        """End a client's connection from this side; False if it has none."""
        link = self._links.get(client_id)
        if link is not None:
            link.close(reason)
            self.detach(client_id, link)
        return link is not None

    def connected(self) -> frozenset[str]:
        """The clients with an open connection."""
        return frozenset(self._links)

    def subscribe(self, client_id: str, topic_filter: str, subscription: Subscription) -> None:
        """Record a granted subscription."""
        self._sessions[client_id].subscribe(topic_filter, subscription)
        self._owners.add(topic_filter, client_id)

    def subscriptions(self, client_id: str) -> int:
        """How many filters the client has subscribed to."""
        return len(self._sessions[client_id].subscriptions)

    def unsubscribe(self, client_id: str, topic_filter: str) -> bool:
        """Remove a subscription; False if there was none."""
        self._owners.discard(topic_filter, client_id)
        return self._sessions[client_id].unsubscribe(topic_filter)

    def acknowledge(self, client_id: str, packet_id: int) -> None:
        """The client has taken a message."""
        self._sessions[client_id].acknowledge(packet_id)

    def route(self, message: Message) -> int:
        """Ordinary publish and subscribe; returns to how many sessions it went."""
        return sum(self.send(owner, message) for owner in sorted(self._owners.match(message.topic)))

    def send(self, client_id: str, message: Message, *, subscribed_only: bool = True) -> bool:
        """To one session only, whatever others subscribed to; False if it did not go anywhere."""
        session = self._sessions.get(client_id)
        if session is None:
            return False
        granted = session.grant(message.topic)
        if granted is None and subscribed_only:
            return False
        return session.deliver(message, granted)

    def expire(self) -> None:
        """Drop the sessions whose time is over."""
        for session in list(self._sessions.values()):
            if self._is_over(session):
                self._drop(session)

    def close(self) -> None:
        """End all connections; sessions go with the broker."""
        for client_id in tuple(self._links):
            self.disconnect(client_id, Reason.SERVER_SHUTTING_DOWN)

    def _is_over(self, session: Session) -> bool:
        return session.expires_at is not None and session.expires_at <= self._now()

    def _drop(self, session: Session) -> None:
        for topic_filter in session.subscriptions:
            self._owners.discard(topic_filter, session.client_id)
        del self._sessions[session.client_id]
