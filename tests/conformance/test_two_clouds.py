"""One device that AWS and Azure may both update: the real agent, over both simulators at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.simulation.faults import Effect
from agent.slots import Slot
from tests.conformance.aws import AwsSimulatorCloud
from tests.conformance.azure import AzureSimulatorCloud
from tests.conformance.bench import Bench
from tests.conformance.cloud import End
from tests.releases import Package

OFTEN = 10_000
STEPS = 6
"""Of the agent, with a restart after each: more than two updates take."""


@dataclass
class Both:
    """A device on the bench, under one name in both clouds."""

    bench: Bench
    aws: AwsSimulatorCloud
    azure: AzureSimulatorCloud
    device: str

    def offer(self, package: Package) -> tuple[str, str]:
        """Both offer `package`; the names for `ends`."""
        return self.aws.offer(self.device, package), self.azure.offer(self.device, package)

    def ends(self, offers: tuple[str, str]) -> tuple[End, End]:
        """What each was told."""
        return self.aws.end(self.device, offers[0]), self.azure.end(self.device, offers[1])

    def fetched(self, package: Package) -> int:
        """Bytes of the artifact that both have ever sent."""
        sent = self.azure.simulator.bytes_sent_by_name()
        return self.aws.simulator.bytes_sent + sent.get(package.artifact.name, 0)


@pytest.fixture(scope="module")
def clouds(tmp_path_factory, module_patch) -> Iterator[tuple[AwsSimulatorCloud, AzureSimulatorCloud]]:
    """Both, side by side."""
    folder: Path = tmp_path_factory.mktemp("two-clouds")
    with ExitStack() as stack:
        aws = AwsSimulatorCloud(folder / "aws", module_patch)
        stack.callback(aws.stop)
        azure = AzureSimulatorCloud(folder / "azure", module_patch)
        stack.callback(azure.stop)
        yield aws, azure


@pytest.fixture
def both(clouds, key, tmp_path, monkeypatch) -> Both:
    """One device with the configuration for both."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test run keeps its own handlers
    monkeypatch.chdir(tmp_path)
    device = f"bench-{key}"
    for cloud in clouds:
        cloud.heal()
        cloud.add_device(device)
    bench = Bench(tmp_path)
    bench.build_for({cloud.name: cloud.settings(device) for cloud in clouds})
    return Both(bench, *clouds, device)


def test_the_same_release_from_both_is_installed_once(both):
    """Fetched once, and each cloud hears that it runs."""
    package = both.bench.package(2)
    before = both.fetched(package)
    offers = both.offer(package)

    both.bench.run_to_end(STEPS)

    assert both.ends(offers) == (End("installed", ""), End("installed", ""))
    assert both.fetched(package) - before == package.artifact.length
    assert both.bench.default is Slot.B
    assert both.bench.content(Slot.B).startswith(package.image)


def test_a_release_that_falls_back_is_told_to_both(both):
    """Each offer is an order: tried once for each, and the old slot runs after both."""
    (both.bench.folder / "sick").touch()
    offers = both.offer(both.bench.package(2))

    both.bench.run_to_end(STEPS)

    assert both.ends(offers) == (End("fell-back", "400"), End("fell-back", "400"))
    both.bench.assert_old_slot_boots(Slot.A)
    both.bench.run_to_end(2)
    assert both.ends(offers) == (End("fell-back", "400"), End("fell-back", "400"))


def test_a_later_release_is_installed_whichever_cloud_offers_it(both):
    """First one of them, then the other; neither hears of what is none of its own."""
    first = both.aws.offer(both.device, both.bench.package(2))
    both.bench.run_to_end()
    second = both.azure.offer(both.device, both.bench.package(3))
    both.bench.run_to_end()

    assert both.ends((first, second)) == (End("installed", ""), End("installed", ""))
    assert both.bench.default is Slot.A
    assert both.bench.content(Slot.A).startswith(both.bench.package(3).image)


def test_a_cloud_that_is_down_neither_hinders_an_update_nor_misses_its_end(both):
    """Azure lets nobody in: AWS updates the device; once Azure is back it hears the truth about its own offer."""
    package = both.bench.package(2)
    offers = both.offer(package)
    both.azure.simulator.faults.plan("connect", Effect.THROTTLE, both.device, times=OFTEN)
    both.bench.run_to_end(3)
    assert both.ends(offers) == (End("installed", ""), End("", ""))
    before = both.fetched(package)

    both.azure.heal()
    both.bench.run_to_end(2)

    assert both.ends(offers) == (End("installed", ""), End("installed", ""))
    assert both.fetched(package) == before
