"""The whole agent against each cloud: one update from the offer to the report, whatever happens on the way."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from agent import wiring
from agent.slots import Slot
from bridge.fleet import StageOrder
from tests.conformance.bench import OLD, Bench
from tests.conformance.cloud import SIMULATED, Account, Cloud, End, Trouble
from tests.conformance.staged import until_taken
from tests.releases import Package

CLOUDS = SIMULATED

YEAR = dt.timedelta(days=365)


@dataclass
class Site:
    """A device on the bench, and the account that offers it releases."""

    bench: Bench
    cloud: Cloud
    account: Account
    device: str

    def update(self, package: Package) -> End:
        """Offer `package`, let agent and firmware do their work; what the cloud was told."""
        offer = self.account.offer(self.device, package)
        self.bench.run_to_end()
        return self.account.end(self.device, offer)


@pytest.fixture
def site(cloud, bench, device) -> Site:
    """One device, connected to each cloud in turn."""
    return Site(bench, cloud, cloud, device)


def assert_runs(site: Site, package: Package) -> None:
    """The other slot holds the release and is the default."""
    assert site.bench.default is Slot.B
    assert site.bench.content(Slot.B).startswith(package.image)


def test_a_release_is_installed_proved_and_reported(site):
    """The main way."""
    package = site.bench.package(2)

    assert site.update(package) == End("installed", "")
    assert_runs(site, package)


def test_an_order_made_again_is_answered_without_a_download(site, kit_of_bench):
    """A stage that was paused and goes on: the device has the release already, and says so at once."""
    package, stages = kit_of_bench
    for key in stages:
        order = StageOrder(key, package.document, (), (site.device,), timeout_minutes=30)
        until_taken(lambda order=order: site.cloud.fleet.start(order))
        before = site.cloud.fetched(package)
        site.bench.run_to_end()
        assert site.cloud.fleet.tally(key).installed == 1
        until_taken(lambda key=key: site.cloud.fleet.stop(key, "paused"))

    assert site.cloud.fetched(package) == before
    assert_runs(site, package)


@pytest.fixture
def kit_of_bench(site, key, tmp_path) -> tuple[Package, tuple[str, str]]:
    """The owner's next release, which the fleet holds, and the keys of two orders."""
    package = site.bench.package(2)
    source = tmp_path / "published"
    source.write_bytes(package.files[package.artifact.name])
    site.cloud.fleet.put_artifact(package.artifact, source, lambda _: None)
    return package, (key, f"{key}-2")


def test_an_unhealthy_release_falls_back_and_is_reported_so(site):
    """The trial boot fails its check: the old slot runs again, and the cloud learns why."""
    (site.bench.folder / "sick").touch()

    assert site.update(site.bench.package(2)) == End("fell-back", "400")
    site.bench.assert_old_slot_boots(Slot.A)


def test_a_withdrawal_after_the_switch_comes_too_late(site):
    """The trial boot is on: it is proved and stays, nobody waits for its report, and the next release is installed."""
    package = site.bench.package(2)
    offer = site.account.offer(site.device, package)
    site.bench.run()
    site.cloud.take_back(site.device, offer)

    site.bench.boot()
    site.bench.run_to_end(2)

    assert_runs(site, package)
    assert site.update(site.bench.package(3)) == End("installed", "")


HEALED = [Trouble.DOWNLOAD_CUT, Trouble.DOWNLOAD_EXPIRED, Trouble.DOWNLOAD_REFUSED]


@pytest.mark.parametrize("trouble", HEALED)
def test_a_broken_download_is_gone_on_with(site, trouble):
    """A cut, an expired URL, a fault of the store: asked again, and the release is installed."""
    package = site.bench.package(2)
    site.cloud.disturb(trouble, site.device)
    before = site.cloud.troubles()

    assert site.update(package) == End("installed", "")
    assert site.cloud.troubles() == before + 1
    assert_runs(site, package)


def test_a_corrupt_download_is_never_booted(site):
    """One flipped bit: refused with the reason, and the old slot stays."""
    package = site.bench.package(2)
    site.cloud.disturb(Trouble.DOWNLOAD_CORRUPT, site.device, times=99)
    before = site.cloud.troubles()

    end = site.update(package)

    assert end.outcome in {"rejected", "failed"}
    assert end.code in {"105", "200"}
    assert site.cloud.troubles() > before
    assert site.bench.content(Slot.A).startswith(OLD)
    site.bench.assert_old_slot_boots(Slot.A)


@pytest.mark.parametrize("years", [-1, 1])
def test_a_clock_that_is_wrong_by_a_year_does_not_hinder_an_update(site, monkeypatch, years):
    """Devices without a battery wake up in the wrong year; a release that is good then too is installed."""
    set_clock(monkeypatch, years)
    package = site.bench.package(2)

    assert site.update(package) == End("installed", "")
    assert_runs(site, package)


def test_a_clock_that_is_ahead_refuses_what_has_expired_by_it(site, monkeypatch):
    """Expiry is judged by the device's own clock, and the cloud learns why."""
    set_clock(monkeypatch, 1)
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)

    assert site.update(site.bench.package(2, expires=soon)) == End("rejected", "102")
    site.bench.assert_old_slot_boots(Slot.A)


def set_clock(monkeypatch, years: int) -> None:
    """The agent's clock, which the device's owner forgot to set."""

    def now(zone: dt.tzinfo) -> dt.datetime:
        return dt.datetime.now(zone) + years * YEAR

    monkeypatch.setattr(wiring, "datetime", SimpleNamespace(now=now))
