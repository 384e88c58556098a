"""What Device Update's portal shows of the real agent, after each kind of end."""

from __future__ import annotations

import pytest

from agent.cloud.channel import OfferWithdrawn
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from tests.adapters.azure.conftest import SDK_LEAK
from tests.adapters.azure.dtdl import Model
from tests.adapters.azure.formats.published import needs_samples
from tests.adapters.azure.site import DEVICE, opened
from tests.conformance.cloud import Trouble

pytestmark = SDK_LEAK
WAIT = 30.0
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FELL_BACK = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, "sick", fallbacks=1)


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


def test_an_installed_release_is_shown_as_succeeded(site):
    """In the deployment, and as the update that the device has."""
    deployment = site.update(2)

    shown = site.management.get_device(DEVICE)
    assert site.counts(deployment) == (0, 1, 0, 0)
    assert (shown["deploymentStatus"], shown["onLatestUpdate"]) == ("Succeeded", True)
    assert shown["installedUpdate"]["updateId"]["version"] == "900.1"
    assert shown["lastInstallResult"]["resultCode"] == 700


def test_a_fallback_is_shown_as_failed(site):
    """With our code in its extended result code, and the words for a person."""
    (site.bench.folder / "sick").touch()
    deployment = site.update(2)

    shown = site.management.get_device(DEVICE)
    assert site.counts(deployment) == (0, 0, 1, 0)
    assert (shown["deploymentStatus"], shown["onLatestUpdate"]) == ("Failed", False)
    assert shown["lastInstallResult"]["extendedResultCode"] == 0x32000190
    assert "health check well failed" in shown["lastInstallResult"]["resultDetails"]


def test_a_download_that_fails_is_shown_as_failed_and_can_be_tried_again(site):
    """The portal's retry is a new attempt, which succeeds."""
    site.cloud.disturb(Trouble.DOWNLOAD_REFUSED, DEVICE, times=100)
    deployment = site.update(2)
    assert site.counts(deployment) == (0, 0, 1, 0)

    site.cloud.heal()
    site.simulator.retry(deployment)
    site.bench.run_to_end()

    assert site.counts(deployment) == (0, 1, 0, 0)
    assert site.agent["workflow"]["retryTimestamp"]


def test_a_cancelled_attempt_is_shown_as_cancelled(site, channel):
    """The device hears of it in the middle, says so, and offers nothing more."""
    deployment = site.deploy(2)
    offer = channel.next_offer(WAIT)
    assert site.counts(deployment) == (1, 0, 0, 0)

    site.cancel(deployment)
    with pytest.raises(OfferWithdrawn):
        channel.conclude(offer.id, INSTALLED)

    assert site.counts(deployment) == (0, 0, 0, 1)
    assert (site.agent["state"], site.agent["lastInstallResult"]["resultCode"]) == (0, -1)
    assert channel.next_offer(0.1) is None


@needs_samples
def test_all_that_an_agent_reports_is_in_its_model(site, channel):
    """Every component and property, after each kind of end, as the published model has it."""
    model = Model()
    assert set(model.components) == {"deviceUpdate", "deviceInformation", "diagnosticInformation"}
    seen = {}

    def look(when):
        seen[when] = model.broken(site.simulator.hub.reported(DEVICE))

    assert channel.next_offer(0.1) is None
    look("introduced")
    site.deploy(2)
    offer = channel.next_offer(WAIT)
    channel.progress(offer.id, Progress(Phase.DOWNLOADING, 40))
    look("running")
    channel.conclude(offer.id, FELL_BACK)
    look("failed")
    site.deploy(3)
    channel.conclude(channel.next_offer(WAIT).id, INSTALLED)
    look("installed")
    cancelled = site.deploy(4)
    assert channel.next_offer(WAIT)
    site.cancel(cancelled)
    assert channel.next_offer(0.1) is None
    look("cancelled")

    assert [each for each in seen.items() if each[1]] == []


@needs_samples
def test_the_answer_to_a_log_request_is_in_its_model(site, channel):
    """Its result code, and the acknowledgement."""
    site.simulator.send_log_request(DEVICE)
    assert channel.next_offer(0.1) is None

    reported = site.simulator.hub.reported(DEVICE)
    assert "service" in reported["diagnosticInformation"]
    assert Model().broken(reported) == []


@needs_samples
def test_the_check_of_the_model_can_fail():
    """A wrong type, an unknown name, a missing marker."""
    odd = {"deviceUpdate": {"agent": {"state": "0", "mood": 1}}, "deviceInformation": {"__t": "c", "colour": "red"}}

    assert sorted(Model().broken(odd)) == [
        "deviceInformation.colour: unknown",
        "deviceUpdate.agent.mood: unknown",
        "deviceUpdate.agent.state: '0' is no integer",
        "deviceUpdate: no component marker",
    ]
