"""A deployment from its goal to its end, and nothing begun or reported twice. Real azure-iot-device on loopback."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from adapters.simulation.faults import Effect
from agent.cloud.channel import OfferWithdrawn
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report

WAIT = 30.0
DEVICE = "device-1"
STAGE = "ob-spring-1"
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "the card is full")


@contextmanager
def meanwhile(act):
    """Runs `act` in another thread a moment after the block began to wait."""
    timer = threading.Timer(0.3, act)
    timer.start()
    yield
    timer.join()


def test_a_deployment_is_an_offer(channel, deployer, package):
    """With the release, the later roots, and where the artifact is."""
    roots = (b"root 2", b"root 3")
    workflow = deployer.deploy(package, stage=STAGE, roots=roots)

    offer = channel.next_offer(WAIT)

    assert (offer.id, offer.release, offer.roots) == (workflow, package.document, roots)
    assert list(offer.urls) == [package.artifact.name]
    assert deployer.result[:2] == (6, 1)
    assert deployer.acknowledged
    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/running"


def test_the_device_introduces_itself(channel, deployer, simulator):
    """The service indexes a device by these, and by the model that it announces."""
    assert channel.next_offer(0.1) is None

    properties = deployer.agent["deviceProperties"]
    assert (properties["manufacturer"], properties["model"]) == ("acme", "gateway-3")
    assert deployer.agent["compatPropertyNames"] == "manufacturer,model"
    assert simulator.hub.model_id(DEVICE) == "dtmi:azure:iot:deviceUpdateModel;3"
    assert deployer.reported["deviceInformation"]["totalMemory"] > 0


def test_a_stranger_introduces_itself_again(channel, deployer):
    """Its twin was made anew, or it was moved to another hub: the service passes over a device without a word."""
    assert channel.next_offer(0.1) is None
    deployer.hub.report(DEVICE, {"deviceUpdate": None, "deviceInformation": None})

    assert channel.next_offer(0.1) is None

    assert deployer.agent["deviceProperties"]["model"] == "gateway-3"
    assert "deviceInformation" in deployer.reported


def test_an_installed_release_is_reported(channel, deployer, package):
    """State 0 with the update's id: what the service counts as success."""
    workflow = deployer.deploy(package, stage=STAGE)
    offer = channel.next_offer(WAIT)

    channel.conclude(offer.id, INSTALLED)

    assert deployer.result == (0, 700, "00000000", workflow)
    assert deployer.agent["installedUpdateId"] == '{"provider":"acme","name":"gateway-os","version":"2.0.0"}'
    assert deployer.agent["lastInstallResult"]["stepResults"]["step_0"]["resultCode"] == 700
    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/installed"
    assert channel.next_offer(0.1) is None


def test_a_failure_is_reported_with_its_code(channel, deployer, package):
    """State 255, our code as one of a custom handler, and the words for a person."""
    workflow = deployer.deploy(package, stage=STAGE)
    offer = channel.next_offer(WAIT)

    channel.conclude(offer.id, FAILED)

    assert deployer.result == (255, 0, "3200012C", workflow)
    assert deployer.agent["lastInstallResult"]["resultDetails"] == "the card is full"
    assert deployer.reported["otabridge"] == {
        "standing": f"{STAGE}/failed",
        "said": {
            "outcome": "failed",
            "code": "300",
            "slot": "a",
            "version": "1.0.0",
            "detail": "the card is full",
            "fallbacks": "0",
        },
    }
    assert channel.next_offer(0.1) is None


def test_a_deployment_that_comes_while_the_device_waits(channel, deployer, package):
    """A patch wakes it."""
    assert channel.next_offer(0.1) is None

    with meanwhile(lambda: deployer.deploy(package)):
        offer = channel.next_offer(WAIT)

    assert offer.release == package.document


def test_a_lost_patch_is_made_up_for(opened, simulator, deployer, package):
    """Nobody tells the device: it reads its twin by itself after its interval."""
    channel = opened(ask_again_seconds=0.2)
    assert channel.next_offer(0.1) is None
    simulator.faults.plan("desired", Effect.LOSE_REQUEST)

    with meanwhile(lambda: deployer.deploy(package)):
        offer = channel.next_offer(WAIT)

    assert offer.release == package.document
    assert len(simulator.faults.hits()) == 1


def test_signs_of_life_are_sparse(channel, deployer, package, history):
    """One patch for each ten per cent of a phase."""
    deployer.deploy(package, stage=STAGE)
    offer = channel.next_offer(WAIT)
    before = history.count

    for percent in range(100):
        channel.progress(offer.id, Progress(Phase.DOWNLOADING, percent))

    assert history.count == before + 10
    assert deployer.reported["otabridge"]["said"] == {"phase": "downloading", "percent": "90"}
    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/running"


def test_what_a_device_waits_for_is_told_once_each(channel, deployer, package, history):
    """Two who are in the way one after the other are two patches; the words go with the wait."""
    deployer.deploy(package, stage=STAGE)
    offer = channel.next_offer(WAIT)
    before = history.count

    for what in ("install: consent: nobody", "install: consent: nobody", "install: window: opens Sunday"):
        channel.progress(offer.id, Progress(Phase.WAITING, 0, what))

    assert history.count == before + 2
    assert deployer.reported["otabridge"]["said"] == {
        "phase": "waiting",
        "percent": "0",
        "detail": "install: window: opens Sunday",
    }
    channel.progress(offer.id, Progress(Phase.SWITCHING))
    assert deployer.reported["otabridge"]["said"] == {"phase": "switching", "percent": "0"}


def test_a_restart_gets_the_same_offer_and_reports_nothing(channel, opened, deployer, package, history):
    """The hub's copy says that it has begun; the agent's journal does the rest."""
    deployer.deploy(package)
    first = channel.next_offer(WAIT)

    restarted = opened()
    second = restarted.next_offer(WAIT)
    restarted.conclude(second.id, INSTALLED)

    assert second == first
    assert history.states == [(6, first.id), (0, first.id)]


def test_an_end_is_known_after_a_restart(channel, opened, deployer, package, history):
    """No offer again, whatever the end was, and nothing is said twice."""
    deployer.deploy(package)
    channel.conclude(channel.next_offer(WAIT).id, FAILED)
    before = history.count

    restarted = opened()
    assert restarted.next_offer(0.1) is None

    assert history.count == before + 1  # the introduction
    assert [state for state, _ in history.states] == [6, 255]


def test_an_end_may_be_told_again_after_a_restart(channel, opened, deployer, package, history):
    """The agent repeats a report whose success it has not seen; another end it may not put in its place."""
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)
    before = history.count

    restarted = opened()
    restarted.conclude(offer.id, INSTALLED)
    with pytest.raises(OfferWithdrawn, match=f"{offer.id} has ended with Device Update already"):
        restarted.conclude(offer.id, FAILED)

    assert history.count == before


def test_an_end_can_be_told_without_an_offer_first(channel, opened, deployer, package):
    """After the reboot into the new slot the agent reports before it asks."""
    workflow = deployer.deploy(package, stage=STAGE)
    channel.next_offer(WAIT)

    restarted = opened()
    restarted.conclude(workflow, INSTALLED)

    assert deployer.result == (0, 700, "00000000", workflow)
    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/installed"


def test_a_goal_that_is_written_again_is_only_acknowledged(channel, deployer, package, history):
    """While it runs and after its end: no second report that it began, no second end."""
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    deployer.redeliver()
    assert channel.next_offer(WAIT).id == offer.id
    assert deployer.acknowledged

    channel.conclude(offer.id, INSTALLED)
    deployer.redeliver()
    assert channel.next_offer(0.1) is None

    assert deployer.acknowledged
    assert history.states == [(6, offer.id), (0, offer.id)]


def test_a_patch_that_comes_twice_is_one_offer(channel, simulator, deployer, package, history):
    """A hint more costs a look at the twin."""
    assert channel.next_offer(0.1) is None
    simulator.faults.plan("desired", Effect.DUPLICATE)

    with meanwhile(lambda: deployer.deploy(package)):
        offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)

    assert channel.next_offer(0.1) is None
    assert history.states == [(6, offer.id), (0, offer.id)]


def test_a_dropped_connection_reports_nothing_again(channel, simulator, deployer, package, history):
    """The SDK connects again by itself; the twin, read again, says that nothing is left to do."""
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)
    before = history.count

    simulator.disconnect(DEVICE)
    assert simulator.hub.wait_until(lambda: history.connections > 1)
    assert channel.next_offer(0.5) is None

    assert history.count == before


def test_a_renewed_token_reports_nothing_again(*, opened, keyed, simulator, deployer, package, history):
    """The SDK connects anew with each token; other agents report "in progress" then, and stay there."""
    channel = opened(**keyed, sas_seconds=121)  # of which it leaves the last 120 alone
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)
    before = history.count

    assert simulator.hub.wait_until(lambda: history.connections > 1)
    assert channel.next_offer(0.5) is None

    assert history.count == before


def test_an_attempt_stays_in_the_stage_it_began_in(channel, opened, deployer, package):
    """The device was put into the next stage meanwhile, and the agent restarted: the first stage still counts it."""
    deployer.deploy(package, stage=STAGE)
    channel.next_offer(WAIT)
    deployer.write({"otabridge": {"stage": "ob-next-1"}})

    restarted = opened()
    offer = restarted.next_offer(WAIT)
    restarted.progress(offer.id, Progress(Phase.DOWNLOADING, 50))
    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/running"
    restarted.conclude(offer.id, INSTALLED)

    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/installed"


def test_reaching_the_cloud_begins_nothing(channel, deployer, package):
    """A trial boot asks whether it is heard: the twin is read, and nothing is told it."""
    deployer.deploy(package, stage=STAGE)
    before = dict(deployer.reported)
    channel.reach(WAIT)

    assert deployer.reported == before
    assert channel.next_offer(WAIT) is not None


def test_a_hub_that_does_not_answer_is_not_reached(channel, simulator):
    """The check tries again, over a new connection."""
    channel.reach(WAIT)
    simulator.faults.plan("twin_get", Effect.LOSE_REPLY)
    with pytest.raises(ChannelError):
        channel.reach(0.5)

    channel.reach(WAIT)
