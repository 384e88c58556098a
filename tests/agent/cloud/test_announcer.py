"""A state is told before the next wait, until it got through, and never in the way of an offer."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from agent.cloud.announcer import Announcer
from agent.cloud.channel import Offer
from agent.pace import Backoff, Timing
from bridge.release.errors import ChannelError
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.release.state import DeviceState

OFFER = Offer("job-1", b"release", (), {})
OLD = DeviceState("gateway", "1.0.0", 1, "a", "a", 3, 0, 0, "1", "")
NEW = DeviceState("gateway", "2.0.0", 2, "b", "b", 1, 0, 0, "1", "installed")


@dataclass
class Cloud:
    """A cloud that answers `state` with the next of `troubles`, each answer taking `seconds`."""

    troubles: list[ChannelError | None] = field(default_factory=list)
    seconds: float = 0.0
    now: float = 100.0
    heard: list[object] = field(default_factory=list)

    def next_offer(self, timeout: float) -> Offer:
        self.heard.append(timeout)
        return OFFER

    def renew(self, offer_id: str) -> Offer:
        return Offer(offer_id, b"fresh", (), {})

    def progress(self, offer_id: str, progress: Progress) -> None:
        self.heard.append((offer_id, progress))

    def conclude(self, offer_id: str, report: Report) -> None:
        self.heard.append((offer_id, report))

    def state(self, state: DeviceState) -> None:
        self.now += self.seconds
        self.heard.append(state)
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble

    def close(self) -> None:
        self.heard.append("closed")

    def announcer(self) -> Announcer:
        return Announcer(self, Backoff(first=10.0, most=40.0), Timing(clock=lambda: self.now, random=lambda: 1.0))


def test_a_state_is_told_once():
    """Noted at once, told before the next wait, and not repeated after that."""
    cloud = Cloud()
    announcer = cloud.announcer()

    announcer.state(OLD)
    assert cloud.heard == []
    assert announcer.next_offer(600.0) == announcer.next_offer(600.0) == OFFER
    assert cloud.heard == [OLD, 600.0, 600.0]


def test_only_the_newest_state_is_told():
    """What changed meanwhile replaces what was to be said."""
    cloud = Cloud()
    announcer = cloud.announcer()
    announcer.state(OLD)
    announcer.state(NEW)
    announcer.next_offer(600.0)

    assert cloud.heard == [NEW, 600.0]


def test_a_state_that_does_not_get_through_is_tried_again_ever_less_often(caplog):
    """Offers go on meanwhile."""
    caplog.set_level("INFO")
    cloud = Cloud([ChannelError("no answer"), ChannelError("no answer")])
    announcer = cloud.announcer()
    announcer.state(OLD)
    tries = []
    for cloud.now in (100.0, 109.0, 110.0, 129.0, 130.0, 900.0):
        announcer.next_offer(60.0)
        tries.append(cloud.heard.count(OLD))

    assert tries == [1, 1, 2, 2, 3, 3]
    assert "the cloud has not heard what this device is, and is told again later: no answer" in caplog.messages


def test_a_state_that_the_cloud_never_takes_is_given_up(caplog):
    """It is said once, with the reason; the next state is another matter."""
    cloud = Cloud([ChannelError("the twin has no room", retryable=False)])
    announcer = cloud.announcer()
    announcer.state(OLD)
    for cloud.now in (100.0, 10_000.0):
        assert announcer.next_offer(60.0) == OFFER
    announcer.state(NEW)
    announcer.next_offer(60.0)

    assert cloud.heard == [OLD, 60.0, 60.0, NEW, 60.0]
    assert caplog.messages == ["the cloud is not told what this device is: the twin has no room"]


@pytest.mark.parametrize(("seconds", "left"), [(7.0, 53.0), (70.0, 0.0)])
def test_telling_takes_of_the_time_to_wait(seconds, left):
    """The service manager's watchdog counts both together."""
    cloud = Cloud(seconds=seconds)
    announcer = cloud.announcer()
    announcer.state(OLD)
    announcer.next_offer(60.0)

    assert cloud.heard == [OLD, left]


def test_everything_else_goes_straight_through():
    """A report waits for no state."""
    cloud = Cloud()
    announcer = cloud.announcer()
    announcer.state(OLD)
    announcer.progress("job-1", Progress(Phase.CHECKING))
    announcer.conclude("job-1", Report(Outcome.INSTALLED, "b", "2.0.0"))
    announcer.close()

    assert announcer.renew("job-1").release == b"fresh"
    assert OLD not in cloud.heard
    assert len(cloud.heard) == 3
