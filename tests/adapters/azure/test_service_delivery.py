"""How deployments reach the real agent: in every form that the service delivers, at every odd moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.azure.simulator.device_update import Delays
from agent.cloud.channel import OfferWithdrawn
from agent.slots import Slot
from bridge.release.report import Outcome, Phase, Progress, Report
from tests.adapters.azure.conftest import SDK_LEAK
from tests.adapters.azure.deployer import History
from tests.adapters.azure.site import DEVICE, opened

pytestmark = SDK_LEAK
WAIT = 30.0
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A device that has been online."""
    with opened(tmp_path, monkeypatch) as site:
        yield site


@pytest.fixture
def channel(site):
    """The device's channel without the rest of its agent."""
    channel = site.channel()
    yield channel
    channel.close()


@pytest.fixture
def history(site):
    """What the device reports from now on."""
    return History(site.simulator.hub, DEVICE)


def test_a_detached_manifest_is_installed(site):
    """The twin holds the short form."""
    site.simulator.detached = 0
    deployment = site.update(2)

    service = site.simulator.hub.desired(DEVICE)["deviceUpdate"]["service"]
    assert "detachedManifestFileId" in json.loads(service["updateManifest"])
    assert site.counts(deployment) == (0, 1, 0, 0)
    assert site.bench.default is Slot.B


def test_a_later_root_key_package_is_taken_up(site):
    """The second deployment names version 2, which is kept in the place of version 1."""
    package = Path(site.cloud.settings(DEVICE)["root_key_package_file"])
    site.update(2)
    assert json.loads(package.read_bytes())["protected"]["version"] == 1
    site.simulator.renew_root_key_package()

    second = site.update(3)

    assert site.counts(second) == (0, 1, 0, 0)
    assert json.loads(package.read_bytes())["protected"]["version"] == 2


def test_a_key_that_the_service_disabled_installs_nothing(site):
    """The device refuses what that key signed, and the slot stays as it was."""
    site.simulator.renew_root_key_package(disable_signer=True)
    deployment = site.update(2)

    assert (site.counts(deployment), site.codes) == ((0, 0, 1, 0), "A0000005")
    site.bench.assert_old_slot_boots(Slot.A)


def test_a_manifest_that_was_tampered_with_installs_nothing(site):
    """It says the same in other bytes than those that were signed."""
    site.simulator.tamper_manifest = True
    deployment = site.update(2)

    assert site.counts(deployment) == (0, 0, 1, 0)
    assert "signature of the update manifest" in site.agent["lastInstallResult"]["resultDetails"]
    site.bench.assert_old_slot_boots(Slot.A)


def test_a_goal_without_a_root_key_package_is_installed(site):
    """As services of older models send it."""
    site.simulator.missing_root_key_package = True

    assert site.counts(site.update(2)) == (0, 1, 0, 0)


def test_nodeployment_before_a_deployment_is_only_acknowledged(site, channel, history):
    """Two of them, one to the idle device and one between two deployments, and neither is reported on."""
    site.simulator.clock.advance(1)  # until the service knows of the device
    site.simulator.idle_cancel = site.simulator.idle_first = True
    site.simulator.service.delays = Delays(delivery_seconds=60)
    assert channel.next_offer(0.1) is None
    site.simulator.clock.advance(60)

    for sequence in (2, 3):
        site.deploy(sequence)
        site.simulator.clock.advance(60)
        assert site.simulator.hub.desired(DEVICE)["deviceUpdate"]["service"]["workflow"]["id"] == "nodeployment"
        assert channel.next_offer(0.1) is None
        assert site.simulator.hub.reported(DEVICE)["deviceUpdate"]["service"]["value"]["workflow"]["action"] == 255
        site.simulator.clock.advance(60)
        channel.conclude(channel.next_offer(WAIT).id, INSTALLED)

    first, second = site.simulator.workflows(DEVICE)
    assert history.states[-4:] == [(6, first), (0, first), (6, second), (0, second)]


def test_nodeployment_in_the_middle_withdraws_what_runs(site, channel):
    """Another deployment takes the place of the one that runs; its own offer follows."""
    site.deploy(2)
    running = channel.next_offer(WAIT)
    site.simulator.idle_first = True
    site.simulator.service.delays = Delays(delivery_seconds=60)
    newer = site.deploy(3)
    site.simulator.clock.advance(60)

    with pytest.raises(OfferWithdrawn):
        channel.renew(running.id)
    assert channel.next_offer(0.1) is None
    site.simulator.clock.advance(60)
    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)

    assert offer.id != running.id
    assert site.counts(newer) == (0, 1, 0, 0)


def test_an_artifact_longer_than_a_range_may_be_is_installed(site, monkeypatch):
    """In parts: content hosts refuse longer ranges."""
    monkeypatch.setattr("agent.download.answer.MOST_BYTES", 64 * 1024)
    site.simulator.most_range = 64 * 1024

    assert site.counts(site.update(2)) == (0, 1, 0, 0)


def test_tokens_are_renewed_in_the_middle_and_nothing_is_said_twice(site):
    """A device with a key connects anew with each token, here each second, while it installs."""
    site.simulator.hub.remove_device(DEVICE)
    identity = site.simulator.add_device(DEVICE, symmetric=True)
    history = History(site.simulator.hub, DEVICE)
    keyed = {"certificate_file": None, "key_file": None, "symmetric_key_file": str(identity.symmetric_key_file)}
    channel = site.channel(**keyed, sas_seconds=121)  # of which the SDK leaves the last 120 alone
    assert channel.next_offer(0.1) is None

    site.deploy(2)
    offer = channel.next_offer(WAIT)
    before = history.connections
    assert site.simulator.hub.wait_until(lambda: history.connections > before + 1)
    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 50))
    channel.conclude(offer.id, INSTALLED)
    before = history.connections
    assert site.simulator.hub.wait_until(lambda: history.connections > before)
    assert channel.next_offer(0.1) is None
    channel.close()

    assert [state for state, _ in history.states if state is not None] == [6, 0]
