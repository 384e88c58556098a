"""One device, two clouds, the same release from both: one install, and each cloud hears the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from agent.cloud.channel import Offer
from agent.cloud.channels import Channels
from agent.ports import Concluded, Idle, Rebooting, Suspended
from agent.slots import Slot
from bridge.release.errors import ChannelError, DownloadError, FailureCode
from bridge.release.report import Outcome, Phase
from tests.agent.device import IMAGE_BYTES, SimulatedCloud, SimulatedDevice, image, package


class Both(Channels):
    """The real thing, with the short words of the simulated device."""

    offer: Offer | None = None

    def next_offer(self, timeout: float = 30) -> Offer | None:
        """See Channel."""
        return super().next_offer(timeout)


@dataclass
class TwoCloudDevice(SimulatedDevice):
    """A device in memory that two clouds may update. Each process of its agent has channels of its own."""

    north: SimulatedCloud = field(default_factory=SimulatedCloud)
    south: SimulatedCloud = field(default_factory=SimulatedCloud)

    def start_agent(self) -> None:
        """A new agent process in the same boot."""
        self.hang_up()
        super().start_agent()
        self.cloud = Both({"north": self.north, "south": self.south}, self._begun)

    def hang_up(self) -> None:
        """Let the threads of the last process go."""
        if isinstance(self.cloud, Both):
            self.cloud.close()

    def ordered(self, number: int, *clouds: SimulatedCloud) -> None:
        """Release `number` is offered by `clouds`."""
        offer = self.offer(package(number))
        for cloud in clouds:
            cloud.offer = offer

    def _begun(self) -> str:
        update = self.record.update
        return "" if update is None else update.offer


@pytest.fixture
def device() -> Iterator[TwoCloudDevice]:
    """Fresh from the factory."""
    device = TwoCloudDevice.built()
    yield device
    device.hang_up()


def outcomes(cloud: SimulatedCloud) -> list[tuple[str, Outcome]]:
    """What a cloud was told of which offer."""
    return [(offer, report.outcome) for offer, report in cloud.reports]


def test_the_same_release_from_both_clouds_is_installed_once(device):
    """One download, one restart; the second cloud hears that its release runs."""
    device.ordered(2, device.north, device.south)

    first, second = device.run(), device.run()

    assert (first.outcome, second.outcome) == (Outcome.INSTALLED, Outcome.INSTALLED)
    assert (first.slot, first.version) == (second.slot, second.version) == (Slot.B, "2.0.0")
    assert device.reboots == 1
    assert device.link.offsets == [0]
    assert outcomes(device.north) == outcomes(device.south) == [("job-1", Outcome.INSTALLED)]
    assert device.running_image() == image(2)


def test_the_cloud_whose_offer_was_begun_hears_its_end_after_the_restart(device):
    """South's offer comes while the device restarts for north's: it waits, and then costs nothing."""
    device.ordered(2, device.north)
    assert device.work() == Rebooting()
    device.south.offer = device.north.offer
    device.kernel.settle()
    device.power_up()

    while device.run() is not None:
        pass

    assert device.reboots == 1
    assert outcomes(device.north) == outcomes(device.south) == [("job-1", Outcome.INSTALLED)]


def test_an_install_goes_on_under_the_other_clouds_offer(device):
    """North is lost in mid-download; south offers the same release: not a byte is fetched again."""
    device.ordered(2, device.north)
    device.link.fault_after = 60_000
    device.link.faults = [ChannelError("north does not renew its URLs")]
    assert isinstance(device.work(), Suspended)
    north_comes_back, device.north.offer = device.north.offer, None
    device.south.offer = north_comes_back
    device.start_agent()

    report = device.run()
    device.north.offer = north_comes_back
    device.run()

    assert report.outcome is Outcome.INSTALLED
    assert device.link.offsets[1] > 0
    assert device.reboots == 1
    assert outcomes(device.north) == outcomes(device.south) == [("job-1", Outcome.INSTALLED)]


def test_a_begun_install_is_not_thrown_away_for_the_other_clouds_release(device):
    """After a power cut both clouds offer, each another release: the one begun goes on at its mark."""
    device.ordered(2, device.south)
    device.link.fault_after = 60_000
    device.link.faults = [ChannelError("no route")]
    assert isinstance(device.work(), Suspended)
    device.ordered(3, device.north)
    device.start_agent()

    assert device.run().version == "2.0.0"
    assert device.link.offsets[1] > 0
    assert device.run().version == "3.0.0"
    assert outcomes(device.north) == outcomes(device.south) == [("job-1", Outcome.INSTALLED)]


def test_a_failed_install_is_tried_again_for_the_other_cloud(device):
    """Each offer is an order: north hears of the failure, south of what came of its own attempt."""
    device.ordered(2, device.north, device.south)
    device.link.faults = [DownloadError("the store lost the artifact")]

    first, second = device.run(), device.run()

    assert (first.outcome, first.code) == (Outcome.FAILED, FailureCode.DOWNLOAD)
    assert second.outcome is Outcome.INSTALLED
    told = outcomes(device.north) + outcomes(device.south)
    assert sorted(outcome for _, outcome in told) == [Outcome.FAILED, Outcome.INSTALLED]


def test_a_release_that_does_not_boot_is_tried_once_for_each_cloud(device):
    """Twice and no more; both hear that the device fell back, and it runs what it ran."""
    device.ordered(2, device.north, device.south)
    device.dead = {Slot.B}

    first, second = device.run(), device.run()

    assert (first.outcome, second.outcome) == (Outcome.FELL_BACK, Outcome.FELL_BACK)
    assert (first.fallbacks, second.fallbacks) == (1, 2)
    assert outcomes(device.north) == outcomes(device.south) == [("job-1", Outcome.FELL_BACK)]
    assert device.run() is None
    assert device.running_image() == image(1)[:IMAGE_BYTES]


def test_what_one_cloud_withdraws_the_other_still_gets(device):
    """North cancels in mid-download: it hears nothing more; south, which still wants the release, gets it."""
    device.ordered(2, device.north)
    device.north.withdraw_at = Phase.DOWNLOADING
    first = device.cloud.next_offer()
    device.south.offer = replace(device.north.offer, id="job-2")
    assert device.engine.install(device.cloud, first) == Idle()

    while device.run() is not None:
        pass

    assert outcomes(device.north) == []
    assert outcomes(device.south) == [("job-2", Outcome.INSTALLED)]
    assert device.reboots == 1


def test_a_report_that_one_cloud_does_not_take_waits_for_it(device):
    """North is told again until it has the end; only then south's turn comes, with its own."""
    device.ordered(2, device.north, device.south)
    device.north.refusals = [ChannelError("no route")]
    device.south.refusals = [ChannelError("no route")]

    first, second = device.run(), device.run()

    assert (first.outcome, second.outcome) == (Outcome.INSTALLED, Outcome.INSTALLED)
    assert outcomes(device.north) == outcomes(device.south) == [("job-1", Outcome.INSTALLED)]
    assert device.reboots == 1


def test_a_withdrawal_after_the_switch_comes_too_late_for_one_and_not_for_the_other(device):
    """North cancels during the trial: nobody waits for its report; south hears that the release runs."""
    device.ordered(2, device.north)
    assert device.work() == Rebooting()
    device.south.offer = device.north.offer
    device.north.withdraw_at = Phase.PROVING
    device.kernel.settle()
    device.power_up()

    step = device.work()
    while device.run() is not None:
        pass

    assert isinstance(step, Concluded)
    assert device.north.offer is None
    assert outcomes(device.south) == [("job-1", Outcome.INSTALLED)]
    assert device.running_image() == image(2)
