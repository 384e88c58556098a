"""What a thing says of itself, in its named shadow; and that a policy which forbids that stops no update.

Real awsiotsdk against the simulator.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from adapters.aws.device import MOST_DENIALS, AwsChannel
from adapters.aws.mqtt import AwsSettings
from adapters.aws.simulator.device_topics import DeviceTopics
from adapters.aws.simulator.shadows import Shadows
from adapters.simulation.faults import Effect
from adapters.simulation.mqtt.codec import MalformedPacketError
from adapters.simulation.mqtt.packets import Reason
from agent.cloud.announcer import Announcer
from bridge.names import stage_name
from bridge.release.bucket import bucket
from bridge.release.errors import ChannelError
from bridge.release.report import Outcome, Report
from bridge.release.state import DeviceState, render
from bridge.tally import Tally

WAIT = 30.0
THING = "device-1"
TOPICS = {"publish": 1, "subscribe": 2}
"""Packets of one request that a policy meets: both answers are subscribed to at once."""
STATE = DeviceState("gateway-3", "2.1.0", 21, "b", "b", 4, 1, 2, "1.0.0", "installed", 5_000_000_000)
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


def shadow(simulator):
    """What the cloud reads of the thing."""
    answer = simulator.client("iot-data").get_thing_shadow(thingName=THING, shadowName="otabridge")
    return json.loads(answer["payload"].read())


@dataclass
class Policy:
    """Forbids the thing the topics of shadows: AWS IoT hangs up at publish or subscribe, or neither and refuses."""

    hang_up_at: str = "publish"
    met: int = 0

    says_why: bool = False

    def deny(self, topics: DeviceTopics) -> bool:
        """Hang up before the packet is acknowledged; or afterwards, and say why."""
        self.met += 1
        if not self.says_why:
            raise MalformedPacketError("nothing is acknowledged after this")
        topics._server.post(lambda broker: broker.disconnect(THING, Reason.NOT_AUTHORIZED))
        return True


@pytest.fixture
def policy(monkeypatch):
    """The thing's policy."""
    policy, subscribe, publish = Policy(), DeviceTopics.subscribe, DeviceTopics.publish

    def on_subscribe(topics, client, topic_filter, qos):
        if "/shadow/" not in topic_filter or policy.hang_up_at == "publish":
            return subscribe(topics, client, topic_filter, qos)
        return policy.deny(topics) if policy.hang_up_at == "subscribe" else None

    def on_publish(topics, client, message):
        if "/shadow/" not in message.topic:
            return publish(topics, client, message)
        return policy.deny(topics)

    monkeypatch.setattr(DeviceTopics, "subscribe", on_subscribe)
    monkeypatch.setattr(DeviceTopics, "publish", on_publish)
    return policy


def test_the_shadow_says_what_the_thing_is(simulator, channel):
    """With the bucket of the thing's name, so that a query of the index finds it."""
    channel.state(STATE)

    assert shadow(simulator)["state"] == {"reported": render(STATE, THING)}
    assert shadow(simulator)["state"]["reported"]["bucket"] == bucket(THING)


def test_a_new_state_replaces_the_old(simulator, channel):
    """All of it, in one update."""
    channel.state(STATE)
    later = replace(STATE, release="", boots=5, outcome="fell-back")
    channel.state(later)

    assert shadow(simulator)["state"]["reported"] == render(later, THING)
    assert shadow(simulator)["version"] == 2


def test_updates_and_states_share_a_connection(simulator, fleet, channel, order):
    """One after the other, in any order."""
    channel.state(STATE)
    fleet.start(order)
    offer = channel.next_offer(WAIT)
    channel.state(replace(STATE, boots=5))
    channel.conclude(offer.id, INSTALLED)

    assert fleet.tally(order.key) == Tally(installed=1, open=False)
    assert shadow(simulator)["state"]["reported"]["boots"] == 5


@pytest.mark.parametrize("effect", [Effect.LOSE_REQUEST, Effect.LOSE_REPLY])
def test_a_state_without_an_answer_may_be_told_again(simulator, channel, effect):
    """Whether the update or only its answer was lost is not known, and does not matter."""
    simulator.faults.plan("UpdateThingShadow", effect)

    with pytest.raises(ChannelError, match="AWS IoT did not answer") as raised:
        channel.state(STATE)
    assert raised.value.retryable
    channel.state(STATE)
    assert shadow(simulator)["state"]["reported"] == render(STATE, THING)


def test_one_cut_is_an_accident(simulator, channel):
    """The next try goes through, on a new connection."""
    simulator.faults.plan("UpdateThingShadow", Effect.DISCONNECT)

    with pytest.raises(ChannelError, match="AWS IoT hung up") as raised:
        channel.state(STATE)
    assert raised.value.retryable
    channel.state(replace(STATE, boots=9))
    assert shadow(simulator)["state"]["reported"]["boots"] == 9


@pytest.mark.parametrize(("code", "retryable"), [(413, False), (403, False), (429, True), (500, True)])
def test_a_refusal_is_told_with_its_reason(channel, monkeypatch, code, retryable):
    """One that may pass is worth another try; the others are as final as the state."""

    def refuse(_shadows, _call, payload):
        return "rejected", {"code": code, "message": "Why not", "clientToken": json.loads(payload)["clientToken"]}

    monkeypatch.setattr(Shadows, "answer", refuse)

    with pytest.raises(ChannelError, match=f"shadow otabridge: {code}: Why not") as raised:
        channel.state(STATE)
    assert raised.value.retryable is retryable


@pytest.mark.parametrize("hang_up_at", ["publish", "subscribe", "neither"])
def test_a_policy_that_forbids_the_shadow_is_noticed(channel, policy, hang_up_at):
    """After a few tries the shadow is left alone, and whoever reads the log knows what to allow."""
    policy.hang_up_at = hang_up_at
    for _ in range(MOST_DENIALS - 1):
        with pytest.raises(ChannelError) as raised:
            channel.state(STATE)
        assert raised.value.retryable
    with pytest.raises(ChannelError, match="is left alone until the agent starts anew") as raised:
        channel.state(STATE)

    assert not raised.value.retryable
    assert "allow iot:Publish, iot:Receive and iot:Subscribe on $aws/things/device-1/shadow/" in str(raised.value)
    met = policy.met
    channel.state(replace(STATE, boots=5))
    assert policy.met == met


def test_a_broker_that_says_why_is_believed_at_once(channel, policy):
    """No second connection is spent on it."""
    policy.says_why = True

    with pytest.raises(ChannelError, match=r"left alone until the agent starts anew \(AWS IoT hung up: "):
        channel.state(STATE)
    channel.state(STATE)
    assert policy.met == 1


@pytest.mark.parametrize("hang_up_at", ["publish", "subscribe"])
def test_a_policy_that_forbids_the_shadow_stops_no_update(fleet, channel, order, policy, hang_up_at):
    """The forbidden request is not repeated at each new connection: offers come, reports go."""
    policy.hang_up_at = hang_up_at
    fleet.start(order)
    announcer = Announcer(channel)
    announcer.state(STATE)

    offer = announcer.next_offer(WAIT)
    met = policy.met
    announcer.conclude(offer.id, INSTALLED)

    assert offer.id == stage_name(order.key)
    assert 1 <= met <= TOPICS[hang_up_at]
    assert policy.met == met
    assert fleet.tally(order.key) == Tally(installed=1, open=False)


def test_a_setting_forbids_the_shadow(simulator, settings):
    """Then nothing is said, and nothing connected for it."""
    channel = AwsChannel(AwsSettings(**settings, report_state=False))
    channel.state(STATE)
    channel.close()

    with pytest.raises(Exception, match="ResourceNotFound"):
        shadow(simulator)


def test_without_a_connection_a_state_says_so(settings):
    """After the time of one request, with where and why."""
    channel = AwsChannel(AwsSettings(**{**settings, "port": 1}))

    with pytest.raises(ChannelError, match="no connection to AWS IoT at localhost:1") as raised:
        channel.state(STATE)
    channel.close()
    assert raised.value.retryable
