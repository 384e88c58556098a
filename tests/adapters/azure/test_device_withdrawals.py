"""Deployments that are retried, replaced or cancelled while a device is at them."""

from __future__ import annotations

import pytest

from agent.cloud.channel import OfferWithdrawn
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


def installed_before(channel, deployer, kit):
    """Another release, which the twin names as the device's."""
    deployer.deploy(kit.package(b"before", version="1.0.0"), stage="ob-winter-1")
    channel.conclude(channel.next_offer(WAIT).id, INSTALLED)
    assert "1.0.0" in deployer.agent["installedUpdateId"]


CLOSINGS = {
    "cancelled": lambda deployer, _: deployer.cancel(),
    "replaced": lambda deployer, kit: deployer.deploy(kit.package(b"newer", version="2.0.1")),
}


@pytest.mark.parametrize("heard", [False, True], ids=["heard of at the end", "heard of on the way"])
@pytest.mark.parametrize("close", CLOSINGS.values(), ids=CLOSINGS)
def test_a_withdrawal_that_comes_too_late_leaves_the_truth(*, channel, opened, deployer, kit, package, close, heard):
    """The slots were switched: the stage counts the device as withdrawn, and the twin says what runs there."""
    installed_before(channel, deployer, kit)
    deployer.deploy(package, stage=STAGE)
    offer = channel.next_offer(WAIT)
    close(deployer, kit)
    assert channel._line.await_news(WAIT)
    if heard:
        with pytest.raises(OfferWithdrawn):
            channel.progress(offer.id, Progress(Phase.PROVING))

    with pytest.raises(OfferWithdrawn):
        opened().conclude(offer.id, INSTALLED)

    told = deployer.reported["otabridge"]
    assert told["standing"] == f"{STAGE}/withdrawn"
    assert (told["said"]["outcome"], told["said"]["version"], told["said"]["slot"]) == ("installed", "2.0.0", "b")
    assert "installedUpdateId" not in deployer.agent


def test_a_withdrawal_before_a_failure_leaves_the_update_that_still_runs(channel, opened, deployer, kit, package):
    """And why the attempt failed, for whoever looks."""
    installed_before(channel, deployer, kit)
    deployer.deploy(package, stage=STAGE)
    offer = channel.next_offer(WAIT)
    deployer.cancel()

    with pytest.raises(OfferWithdrawn):
        opened().conclude(offer.id, FAILED)

    assert deployer.reported["otabridge"]["said"]["detail"] == "the card is full"
    assert "1.0.0" in deployer.agent["installedUpdateId"]


def test_a_release_that_falls_back_late_is_no_longer_claimed(channel, deployer, package):
    """Its stage has counted it as installed; the twin must not name it as what the device runs."""
    deployer.deploy(package, stage=STAGE)
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)

    with pytest.raises(OfferWithdrawn):
        channel.conclude(offer.id, Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.FELL_BACK, "left slot b"))

    told = deployer.reported["otabridge"]
    assert (told["standing"], told["said"]["outcome"]) == (f"{STAGE}/installed", "fell-back")
    assert "installedUpdateId" not in deployer.agent
    assert channel.next_offer(0.1) is None


def test_a_cancelled_deployment_that_is_wanted_again_is_offered_again(channel, deployer, package):
    """A device that leaves its group and comes back gets the same workflow; it has failed at nothing."""
    workflow = deployer.deploy(package, stage=STAGE)
    channel.next_offer(WAIT)
    deployer.cancel()
    assert channel.next_offer(0.1) is None

    deployer.deploy(package, workflow=workflow, stage=STAGE)
    channel.conclude(channel.next_offer(WAIT).id, INSTALLED)

    assert deployer.result == (0, 700, "00000000", workflow)
