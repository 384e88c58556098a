"""What a device says of itself, in its twin: only what changed, within the twin's room. Real SDK on loopback."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.azure.channel.telling import described
from adapters.simulation.faults import Effect
from bridge.release.bucket import bucket
from bridge.release.errors import ChannelError
from bridge.release.report import Outcome, Report
from bridge.release.state import DeviceState, render

WAIT = 30.0
DEVICE = "device-1"
STATE = DeviceState("gateway-3", "2.1.0", 21, "b", "b", 4, 1, 2, "1.0.0", "installed", 5_000_000_000)
FIELDS = render(STATE, DEVICE)


@pytest.mark.parametrize(
    ("component", "news"),
    [
        (None, FIELDS),
        ("odd", FIELDS),
        ({"standing": "none/running"}, FIELDS),
        (FIELDS, {}),
        ({**FIELDS, "said": {"phase": "checking"}}, {}),
        ({**FIELDS, "boots": 3, "slot": "a"}, {"boots": 4, "slot": "b"}),
        ({**FIELDS, "fallbacks": True}, {"fallbacks": 1}),
        ({**FIELDS, "release": {"odd": 1}}, {"release": "2.1.0"}),
    ],
)
def test_only_what_the_twin_does_not_say_is_patched(component, news):
    """Whatever it holds instead."""
    assert described({"otabridge": component}, FIELDS) == ({"otabridge": news} if news else {})
    assert described({}, FIELDS) == {"otabridge": FIELDS}


def test_the_twin_says_what_the_device_is(channel, deployer):
    """With the bucket of its id in the hub, where a query finds it."""
    channel.state(STATE)

    assert deployer.reported["otabridge"] == FIELDS
    assert deployer.reported["otabridge"]["bucket"] == bucket(DEVICE)


def test_nothing_new_is_no_message(opened, history):
    """Not even after a restart of the agent: the hub has it."""
    opened().state(STATE)
    before = history.count
    opened().state(STATE)

    assert history.count == before


def test_state_and_standing_stay_out_of_each_others_way(channel, deployer, package):
    """An update in the middle, and what its stage counts, are not touched; nor is the state by a report."""
    deployer.deploy(package, stage="ob-spring-1")
    offer = channel.next_offer(WAIT)
    channel.state(STATE)
    channel.conclude(offer.id, Report(Outcome.INSTALLED, "b", "2.0.0"))
    channel.state(replace(STATE, boots=5))

    ours = deployer.reported["otabridge"]
    assert ours["standing"] == "ob-spring-1/installed"
    assert {name: ours[name] for name in FIELDS} == {**FIELDS, "boots": 5}
    assert channel.next_offer(0.1) is None


def test_a_twin_without_room_is_final(channel, deployer):
    """The message names the limit; somebody has to clear the twin first."""
    deployer.hub.report(DEVICE, {f"log{number}": "x" * 4000 for number in range(8)})
    deployer.hub.report(DEVICE, {"rest": "x" * 700})

    with pytest.raises(ChannelError, match=r"the twin has no room for the state of the device: .*32768") as raised:
        channel.state(STATE)
    assert not raised.value.retryable


def test_a_busy_hub_may_be_told_again(simulator, channel, deployer):
    """It is not tried in circles here: the agent has a pace for that."""
    channel.next_offer(0.1)
    simulator.faults.plan("*", Effect.THROTTLE)

    with pytest.raises(ChannelError) as raised:
        channel.state(STATE)
    assert raised.value.retryable
    channel.state(STATE)
    assert deployer.reported["otabridge"]["slot"] == "b"
