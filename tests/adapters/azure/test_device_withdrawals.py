"""Deployments that are retried, replaced or cancelled while a device is at them."""

from __future__ import annotations

import pytest

from agent.channel import OfferWithdrawn
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report

WAIT = 30.0
STAGE = "ob-spring-1"
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "the card is full")
HALFWAY = Progress(Phase.DOWNLOADING, 50)


def test_a_retry_is_another_offer(channel, opened, deployer, package, history):
    """Same workflow, another time: begun and reported as its own; a restart in the middle finds it again."""
    workflow = deployer.deploy(package, stage=STAGE)
    channel.conclude(channel.next_offer(WAIT).id, FAILED)

    deployer.retry("2026-11-22T10:00:00.000Z")
    offer = channel.next_offer(WAIT)
    restarted = opened()
    assert restarted.next_offer(WAIT).id == offer.id
    restarted.conclude(offer.id, INSTALLED)

    assert offer.id == f"{workflow}#2026-11-22T10:00:00.000Z"
    assert [state for state, _ in history.states] == [6, 255, 6, 0]
    assert deployer.agent["workflow"]["retryTimestamp"] == "2026-11-22T10:00:00.000Z"


ACTS = {
    "renew": lambda channel, offer: channel.renew(offer.id),
    "progress": lambda channel, offer: channel.progress(offer.id, HALFWAY),
    "conclude": lambda channel, offer: channel.conclude(offer.id, INSTALLED),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("workflow", ["nodeployment", "its own"])
def test_a_deployment_cancelled_in_the_middle_is_withdrawn(channel, deployer, package, act, workflow):
    """Whatever the agent does next meets it, and the service is told that the device knows."""
    running = deployer.deploy(package, stage=STAGE)
    offer = channel.next_offer(WAIT)
    deployer.cancel(running if workflow == "its own" else workflow)
    assert channel._line.await_news(WAIT)

    with pytest.raises(OfferWithdrawn, match=f"{running}: Device Update does not want it"):
        act(channel, offer)

    assert deployer.result == (0, -1, "00000000", running)
    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/withdrawn"
    assert "installedUpdateId" not in deployer.agent
    assert deployer.acknowledged
    assert channel.next_offer(0.1) is None


def test_a_cancellation_found_while_waiting_is_told(channel, opened, deployer, package):
    """The agent was restarted, and asks for an offer before anything else."""
    workflow = deployer.deploy(package)
    channel.next_offer(WAIT)
    deployer.cancel()

    restarted = opened()
    assert restarted.next_offer(0.1) is None

    assert deployer.result == (0, -1, "00000000", workflow)


def test_a_cancellation_before_the_offer_is_only_acknowledged(channel, deployer, package, history):
    """As each group's change begins with one, and as devices get it that never had a deployment."""
    deployer.deploy(package)
    deployer.cancel()

    assert channel.next_offer(0.1) is None

    assert deployer.acknowledged
    assert history.states == []


def test_a_cancellation_after_the_end_changes_nothing(channel, deployer, package, history):
    """What is installed stays reported as installed."""
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)

    deployer.cancel()
    assert channel.next_offer(0.1) is None
    channel.conclude(offer.id, INSTALLED)

    assert deployer.acknowledged
    assert history.states == [(6, offer.id), (0, offer.id)]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_replaced_deployment_is_withdrawn_and_the_newest_offered(*, channel, deployer, kit, package, act, history):
    """Only the last of those that came meanwhile."""
    old = deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    deployer.deploy(kit.package(b"skipped", version="2.0.1"))
    newest = deployer.deploy(kit.package(b"newest", version="2.0.2"))
    assert channel._line.await_news(WAIT)

    with pytest.raises(OfferWithdrawn, match=old):
        act(channel, offer)
    assert channel.next_offer(WAIT).id == newest
    channel.conclude(newest, INSTALLED)

    assert history.states == [(6, old), (6, newest), (0, newest)]
