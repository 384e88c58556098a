"""Sessions outlive connections for as long as they were asked to, and lose nothing at QoS 1."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from adapters.simulation.mqtt.app import Message
from adapters.simulation.mqtt.broker import Broker
from adapters.simulation.mqtt.packets import Publish, Reason
from adapters.simulation.mqtt.properties import Property
from adapters.simulation.mqtt.session import Subscription

CAP = 3600


@dataclass(eq=False)
class Wire:
    """A connection that remembers what went over it."""

    receive_maximum: int = 100
    sent: list[Publish] = field(default_factory=list)
    closed: Reason | None = None

    @property
    def writable(self):
        return self.closed is None

    def send_publish(self, publish):
        self.sent.append(publish)

    def close(self, reason):
        self.closed = reason

    @property
    def payloads(self):
        return [each.message.payload for each in self.sent]


@dataclass
class Time:
    """Seconds that a test turns by hand."""

    now: float = 0


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def broker(time):
    return Broker(lambda: time.now, CAP)


def join(broker, client="dev", *, clean=False, expiry=CAP, wire=None, topic="t/#", qos=1):
    """Connect and subscribe; returns the wire."""
    wire = wire or Wire()
    broker.open(client, wire, clean=clean, expiry=expiry)
    broker.subscribe(client, topic, Subscription(qos))
    return wire


def test_a_message_reaches_all_who_subscribed(broker):
    """Ordinary routing goes by filters."""
    first, second, third = join(broker, "a"), join(broker, "b", topic="t/+"), join(broker, "c", topic="u")

    reached = broker.route(Message("t/1", b"x"))

    assert reached == 2
    assert (first.payloads, second.payloads, third.payloads) == ([b"x"], [b"x"], [])


def test_one_client_alone_can_be_reached_on_a_shared_topic(broker):
    """The same topic means something else for each device on some clouds."""
    first, second = join(broker, "a"), join(broker, "b")

    broker.send("a", Message("t/1", b"only a"))

    assert (first.payloads, second.payloads) == ([b"only a"], [])


def test_an_answer_may_go_to_who_did_not_subscribe(broker):
    """Jobs answers go to the requester even without a subscription."""
    wire = join(broker)

    assert not broker.send("dev", Message("u", b"no"))
    assert broker.send("dev", Message("u", b"yes"), subscribed_only=False)
    assert wire.payloads == [b"yes"]


def test_messages_wait_for_a_client_that_comes_back(broker, time):
    """QoS 1 is kept for the session's life, QoS 0 is not."""
    broker.detach("dev", join(broker))
    broker.route(Message("t/1", b"kept", qos=1))
    broker.route(Message("t/1", b"lost", qos=0))
    time.now = CAP - 1
    wire = Wire()

    present = broker.open("dev", wire, clean=False, expiry=CAP)
    broker.resume("dev")

    assert present
    assert wire.payloads == [b"kept"]


def test_what_was_not_acknowledged_comes_again_marked_as_duplicate(broker):
    """A message in flight when the link breaks is resent with the same packet id."""
    old = join(broker)
    broker.route(Message("t/1", b"x", qos=1))
    broker.detach("dev", old)
    wire = Wire()
    broker.open("dev", wire, clean=False, expiry=CAP)

    broker.resume("dev")

    assert [(each.packet_id, each.duplicate) for each in wire.sent] == [(old.sent[0].packet_id, True)]


@pytest.mark.parametrize(("asked", "kept_until"), [(60, 60), (10 * CAP, CAP)])
def test_a_session_ends_after_its_expiry_capped_by_the_server(broker, time, asked, kept_until):
    """Whatever a client asks for, the server's limit holds."""
    broker.detach("dev", join(broker, expiry=asked))
    time.now = kept_until
    broker.expire()

    assert not broker.open("dev", Wire(), clean=False, expiry=asked)
    assert broker.route(Message("t/1", b"x", qos=1)) == 0


def test_a_clean_start_forgets_the_earlier_session(broker):
    """Subscriptions do not survive a clean start."""
    broker.detach("dev", join(broker))

    assert not broker.open("dev", Wire(), clean=True, expiry=CAP)
    assert broker.route(Message("t/1", b"x", qos=1)) == 0


def test_a_second_connection_takes_the_session_over(broker):
    """The older connection is told why it ends, and its late end disturbs nobody."""
    old = join(broker)
    new = Wire()
    present = broker.open("dev", new, clean=False, expiry=CAP)
    broker.detach("dev", old)

    broker.route(Message("t/1", b"x"))

    assert (old.closed, present) == (Reason.SESSION_TAKEN_OVER, True)
    assert (old.payloads, new.payloads) == ([], [b"x"])


def test_no_more_is_in_flight_than_the_client_takes(broker):
    """Receive maximum holds messages back until acknowledgements come."""
    wire = join(broker, wire=Wire(receive_maximum=2))
    for number in range(4):
        broker.route(Message("t/1", bytes((number,)), qos=1))
    assert wire.payloads == [b"\0", b"\1"]

    broker.acknowledge("dev", wire.sent[0].packet_id)

    assert wire.payloads == [b"\0", b"\1", b"\2"]


def test_the_highest_granted_qos_and_its_identifier_arrive(broker):
    """Overlapping subscriptions deliver one copy."""
    wire = join(broker, qos=0)
    broker.subscribe("dev", "t/1", Subscription(1, identifier=7))

    broker.route(Message("t/1", b"x", qos=1))

    assert [each.message.qos for each in wire.sent] == [1]
    assert wire.sent[0].message.properties[Property.SUBSCRIPTION_ID] == 7


def test_an_unsubscribed_topic_falls_silent(broker):
    """Unsubscribing says whether there was anything to end."""
    wire = join(broker)

    assert broker.unsubscribe("dev", "t/#")
    assert not broker.unsubscribe("dev", "t/#")
    assert broker.route(Message("t/1", b"x")) == 0
    assert wire.sent == []


def test_hanging_up_needs_somebody_there(broker):
    """`disconnect` tells whether a connection ended."""
    wire = join(broker)

    assert broker.disconnect("dev")
    assert wire.closed is Reason.ADMINISTRATIVE_ACTION
    assert not broker.disconnect("dev")
    assert broker.connected() == frozenset()
