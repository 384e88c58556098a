"""The run loop, over a cloud and an engine that do what a list says."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from agent.cloud.channel import Channel, Offer, OfferWithdrawn
from agent.cloud.folder import LOCAL
from agent.cloud.uplink import UnopenedChannel, Uplink
from agent.heartbeat import Heartbeat
from agent.notify import Notifier
from agent.pace import StopRequested, Timing
from agent.permit.permission import Moment
from agent.ports import Concluded, Halt, Idle, Postponed, Rebooting, Suspended
from agent.service import ALONE, Service, Surroundings
from agent.update.journal import JournalError
from bridge.release.errors import ChannelError, FailureCode
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.release.state import DeviceState

INSTALLED = Concluded(Report(Outcome.INSTALLED, "b", "2.0.0"), delivered=True)
REFUSED = Concluded(Report(Outcome.REJECTED, "a", "1.0.0", FailureCode.UNSIGNED, "signed by nobody"), delivered=True)
UNHEARD = Concluded(Report(Outcome.INSTALLED, "b", "2.0.0"), delivered=False)


class Said(Notifier):
    """Keeps what systemd would hear."""

    def __init__(self) -> None:
        super().__init__({})
        self.words: list[str] = []

    def _send(self, state: str) -> None:
        self.words.append(state)


@dataclass
class Script:
    """Plays the engine and the cloud. `offers` and `steps` are taken one by one; at their end the agent is stopped."""

    steps: list[Halt | Exception] = field(default_factory=list)
    offers: list[str | Exception | None] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)
    said: Said = field(default_factory=Said)
    states: list[DeviceState] = field(default_factory=list)
    boots: int = 1
    surroundings: Surroundings = ALONE
    excuses: list[Exception | None] = field(default_factory=lambda: [None])

    def __post_init__(self) -> None:
        self.heartbeat = Heartbeat(self.said)
        self.timing = Timing(sleep=self.naps.append, random=lambda: 1.0)

    def service(self, *, supervised: bool = False) -> Service:
        return Service(
            self,
            self,
            self.heartbeat,
            self.said,
            self.timing,
            supervised=supervised,
            surroundings=self.surroundings,
        )

    def excuse_restart(self, most: int) -> None:
        self.log.append(f"excuse {most}")
        self._next(self.excuses)

    def resume(self, channel: Channel) -> Halt:
        assert channel is self
        self.log.append("resume")
        return self._next(self.steps)

    def install(self, channel: Channel, offer: Offer) -> Halt:
        assert channel is self
        self.log.append(f"install {offer.id}")
        return self._next(self.steps)

    def next_offer(self, timeout: float) -> Offer | None:
        assert timeout > 0
        self.log.append("next_offer")
        offer = self._next(self.offers)
        return None if offer is None else Offer(offer, b"", (), {})

    def describe(self) -> DeviceState:
        return DeviceState("gateway", "1.0.0", 1, "a", "a", self.boots, 0, 0, "1", "")

    def state(self, state: DeviceState) -> None:
        self.states.append(state)

    def _next(self, answers):
        if not answers:
            raise StopRequested
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_one_offer_after_the_other():
    """After resuming, the agent installs what it is offered, whatever came of the one before."""
    script = Script([Idle(), REFUSED, Idle(), INSTALLED, Idle()], [None, "job-1", "job-2"])

    assert script.service().run() is None
    assert script.log == [
        "resume",
        *("next_offer", "next_offer", "install job-1", "resume"),
        *("next_offer", "install job-2", "resume", "next_offer"),
    ]
    assert script.naps == []


def test_the_clouds_hear_what_the_device_is():
    """Before the first wait, and again only once something has changed."""
    script = Script([Idle(), REFUSED, Idle(), INSTALLED, Idle()], [None, "job-1", "job-2"])
    install = script.install

    def changing(channel: Channel, offer: Offer) -> Halt:
        script.boots += offer.id == "job-2"
        return install(channel, offer)

    script.install = changing  # type: ignore[method-assign]
    script.service().run()

    assert [state.boots for state in script.states] == [1, 2]


def test_one_update_at_most_tells_the_state_too():
    """A device that asks now and then, from a timer, is counted as well."""
    script = Script([Idle()], [None])
    script.service().once()

    assert [state.slot for state in script.states] == ["a"]


def test_clouds_that_repeat_themselves_in_turn_are_slowed_down():
    """Each repeats an offer that has ended; the device does not answer them in circles."""
    offers = ["aws:1", "azure:1", "aws:1", "azure:1"]
    script = Script([Idle(), *[INSTALLED, Idle()] * len(offers)], list(offers))

    script.service().run()

    assert [line for line in script.log if line.startswith("install")] == [f"install {each}" for each in offers]
    assert len(script.naps) == 2


def test_systemd_hears_what_goes_on():
    """The service is ready before a trial boot is proved, says what it does, and that it stops."""
    script = Script([Idle(), REFUSED, Idle()], ["job-1"])
    script.service().run()

    assert script.said.words == [
        "READY=1",
        "STATUS=waiting for an offer",
        "STATUS=installing offer job-1",
        "STATUS=rejected: slot a runs 1.0.0 (signed by nobody)",
        "STATUS=waiting for an offer",
        "STOPPING=1",
    ]


def test_cloud_out_of_reach():
    """A cloud that cannot be asked is asked again, ever less often; an answer starts the waits anew."""
    down = ChannelError("no route to the broker")
    script = Script([Idle()], [down, down, down, None, down])
    script.service().run()

    assert script.naps == [2.0, 4.0, 8.0, 2.0]
    assert "STATUS=no route to the broker; next try in 2 s" in script.said.words


def test_waits_are_bounded():
    """After days without a cloud the agent still asks every five minutes."""
    script = Script([Idle()], [ChannelError("down")] * 40)
    script.service().run()

    assert max(script.naps) == 300.0


def test_suspended_update_goes_on():
    """An update that lost the cloud in mid-download gets its offer again after a pause."""
    script = Script([Idle(), Suspended("the line dropped"), INSTALLED, Idle()], ["job-1", "job-1"])
    script.service().run()

    asked = ["next_offer", "install job-1", "next_offer", "install job-1", "resume", "next_offer"]
    assert script.log == ["resume", *asked]
    assert script.naps == [2.0]


def test_undelivered_report_is_tried_again():
    """A report that did not get through is resumed until it does, before anything new begins."""
    script = Script([UNHEARD, UNHEARD, INSTALLED, Idle()], [])
    script.service().run()

    assert script.log == ["resume", "resume", "resume", "resume", "next_offer"]
    assert script.naps == [2.0, 4.0]


def test_repeated_offer_does_not_spin():
    """A cloud that repeats an offer which has ended gets the same answer, but ever less often."""
    script = Script([Idle(), INSTALLED, Idle(), INSTALLED, Idle(), INSTALLED], ["job-1"] * 3)
    script.service().run()

    assert script.naps == [2.0, 4.0]


def test_machine_restarts():
    """With a reboot command the agent waits to be ended; if that does not happen it asks again."""
    script = Script([Rebooting(), Rebooting()], [])

    assert script.service().run() is None
    assert script.log == ["resume"] * 3
    assert script.naps == [600.0, 600.0]


def test_supervised_machine():
    """Without a reboot command the agent ends, and says why."""
    script = Script([Idle(), Rebooting()], ["job-1"])

    assert script.service(supervised=True).run() == Rebooting()
    assert script.said.words[-1] == "STOPPING=1"


def test_stop_between_two_steps():
    """A signal that comes during a step takes effect after it."""
    script = Script([Idle(), INSTALLED], ["job-1", "job-2"])
    install = script.install

    def stopping(channel: Channel, offer: Offer) -> Halt:
        script.heartbeat.stop()
        return install(channel, offer)

    script.install = stopping  # type: ignore[method-assign]

    assert script.service().run() is None
    assert script.log == ["resume", "next_offer", "install job-1"]


@pytest.mark.parametrize("trouble", [JournalError("the disk is full"), UnopenedChannel("the SDK is missing")])
def test_what_waiting_does_not_mend(trouble: Exception):
    """A broken journal or a channel that cannot be set up ends the agent with its sentence."""
    script = Script([Idle(), trouble], ["job-1"])

    with pytest.raises(type(trouble)):
        script.service().run()
    assert script.said.words[-1] == "STOPPING=1"


def test_channel_that_cannot_be_set_up_ends_the_loop():
    """It is not taken for an outage."""
    script = Script([Idle()], [UnopenedChannel("the SDK is missing")])

    with pytest.raises(UnopenedChannel):
        script.service().run()


@pytest.mark.parametrize(
    ("steps", "offers", "step", "log"),
    [
        ([Idle()], [None], Idle(), ["resume", "next_offer"]),
        ([Idle(), Rebooting()], ["job-1"], Rebooting(), ["resume", "next_offer", "install job-1"]),
        ([INSTALLED], ["job-2"], INSTALLED, ["resume"]),
    ],
)
def test_once(steps: list[Halt], offers: list[str | None], step: Halt, log: list[str]):
    """One update at most: the one that is under way, else the next."""
    script = Script(list(steps), list(offers))

    assert script.service().once() == step
    assert script.log == log


class Cloud:
    """A channel that counts how often it was opened, and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def next_offer(self, timeout: float) -> Offer:
        return Offer(f"job within {timeout}", b"", (), {})

    def renew(self, offer_id: str) -> Offer:
        return Offer(offer_id, b"fresh", (), {})

    def progress(self, offer_id: str, progress: Progress) -> None:
        self.told.append((offer_id, progress))

    def conclude(self, offer_id: str, report: Report) -> None:
        self.told.append((offer_id, report))

    def state(self, state: DeviceState) -> None:
        self.told.append(state)

    def close(self) -> None:
        self.told.append("closed")


def test_a_silent_line_keeps_every_end_for_later():
    """While a person installs from a folder nobody waits for the cloud."""
    uplink = Uplink(lambda: pytest.fail("the cloud is left alone"), silent=True)
    uplink.progress("job-1", Progress(Phase.DOWNLOADING))

    with pytest.raises(ChannelError, match="the end of job-1 is told later"):
        uplink.conclude("job-1", INSTALLED.report)
    uplink.conclude(LOCAL + "abc", INSTALLED.report)


def test_a_silent_line_says_nothing_of_the_device():
    """Nor does it set up its channel for that."""
    Uplink(lambda: pytest.fail("the cloud is left alone"), silent=True).state(Script().describe())


def test_line_opens_once():
    """The channel is set up when it is first needed, and then kept."""
    cloud = Cloud()
    openings = []
    uplink = Uplink(lambda: openings.append(1) or cloud)
    uplink.close()
    assert openings == []

    uplink.progress("job-1", Progress(Phase.DOWNLOADING))
    uplink.conclude("job-1", INSTALLED.report)
    uplink.state(Script().describe())
    assert uplink.next_offer(5.0).id == "job within 5.0"
    assert uplink.renew("job-1").release == b"fresh"
    uplink.close()
    assert openings == [1]
    said = [("job-1", Progress(Phase.DOWNLOADING)), ("job-1", INSTALLED.report), Script().describe()]
    assert cloud.told == [*said, "closed"]


def test_line_keeps_folders_from_the_cloud():
    """The cloud does not hear of an installation that it did not order."""
    uplink = Uplink(lambda: pytest.fail("nothing here concerns the cloud"))
    uplink.progress(LOCAL + "abc", Progress(Phase.DOWNLOADING))
    uplink.conclude(LOCAL + "abc", INSTALLED.report)

    with pytest.raises(OfferWithdrawn, match="came from a folder: install it from there again"):
        uplink.renew(LOCAL + "abc")


def test_line_drops_signs_of_life_without_a_channel():
    """Progress may be lost; an end may not."""

    def broken() -> Channel:
        raise UnopenedChannel("the SDK is missing")

    uplink = Uplink(broken)
    uplink.progress("job-1", Progress(Phase.DOWNLOADING))

    with pytest.raises(ChannelError, match="the SDK is missing") as trouble:
        uplink.conclude("job-1", INSTALLED.report)
    assert trouble.value.retryable


WAITING = Postponed(Moment.INSTALL, "window: opens Sunday", 90.0)


def test_a_postponed_update_is_asked_about_again():
    """After as long as whoever postponed it said, second by second, so that the watchdog hears of it."""
    script = Script([Idle(), WAITING, INSTALLED, Idle()], ["job-1", "job-1"])
    script.service().run()

    assert script.naps == [1.0] * 90
    assert script.log == [
        *("resume", "next_offer", "install job-1"),
        *("next_offer", "install job-1", "resume", "next_offer"),
    ]
    assert "STATUS=waiting: window: opens Sunday" in script.said.words


def test_somebody_who_says_something_ends_the_wait():
    """Within a second, not after a quarter of an hour."""
    stirs = [False, False, True]
    script = Script([Idle(), WAITING, INSTALLED, Idle()], ["job-1", "job-1"])
    script.surroundings = Surroundings(stirred=lambda: stirs.pop(0))
    script.service().run()

    assert script.naps == [1.0] * 3


def test_local_programs_are_told_after_each_step():
    """And before each wait."""
    told: list[int] = []
    script = Script([Idle(), REFUSED, Idle()], ["job-1"])
    script.surroundings = Surroundings(told=lambda: told.append(len(script.log)))
    script.service().run()

    assert told == [1, 3, 4]


@pytest.mark.parametrize(("going_down", "most", "excuses"), [(True, 3, ["excuse 3"]), (False, 3, []), (True, 0, [])])
def test_a_stop_excuses_the_restart_of_the_machine(going_down, most, excuses):
    """Not that of the agent alone, nor where the owner wants none excused."""
    script = Script([Idle()])
    script.surroundings = Surroundings(going_down=lambda: going_down, excused=most)

    assert script.service().run() is None
    assert script.log[2:] == excuses


def test_a_restart_that_cannot_be_excused(caplog):
    """The agent stops all the same; the boot counts."""
    script = Script([Idle()], excuses=[JournalError("the disk is full")])
    script.surroundings = Surroundings(going_down=lambda: True, excused=3)

    assert script.service().run() is None
    assert "the restart counts as a failed boot: the disk is full" in caplog.text


def test_the_excuse_is_not_stopped_itself():
    """What a boot loader's environment takes to write beats, too, and the agent is being stopped."""
    script = Script([Idle()])
    script.surroundings = Surroundings(going_down=lambda: script.heartbeat.beat() is None, excused=3)

    def ask(timeout: float) -> None:  # noqa: ARG001 - the port's signature
        script.heartbeat.stop()

    script.next_offer = ask  # type: ignore[method-assign, assignment]

    assert script.service().run() is None
    assert script.log[-1] == "excuse 3"
