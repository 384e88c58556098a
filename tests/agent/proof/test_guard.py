"""The guard of a trial boot: armed, fed by beats of working code alone, and never longer than the proof may take."""

from __future__ import annotations

import math

import pytest

from agent.heartbeat import Heartbeat
from agent.notify import Notifier
from agent.proof.guard import GRACE_SECONDS, GuardedHealth, HardwareGuard, WatchdogSettings
from agent.proof.watchdog_device import WatchdogDevice, WatchdogError
from tests.agent.dog import PATH, SimulatedWatchdog

DEADLINE = 900.0


@pytest.fixture
def dog() -> SimulatedWatchdog:
    """A watchdog that nobody has open."""
    return SimulatedWatchdog()


def guard(dog: SimulatedWatchdog, **settings: object) -> HardwareGuard:
    return HardwareGuard(
        WatchdogSettings(device=PATH, **settings),
        PATH,
        DEADLINE,
        lambda: dog.now,
        opened=lambda path: WatchdogDevice(path, dog),
        require_stoppable=lambda _: None,
    )


def beats(dog: SimulatedWatchdog, guarding: HardwareGuard, seconds: int) -> None:
    """Work for `seconds`, a beat each, unless the machine is restarted before."""
    for _ in range(seconds):
        dog.now += 1
        if dog.bitten:
            return
        guarding.feed()


def test_an_agent_that_hangs_is_restarted_with_its_machine(dog):
    """It works for ten minutes, then no beat comes any more."""
    guarding = guard(dog)
    guarding.arm()
    beats(dog, guarding, 600)
    assert not dog.bitten

    dog.now += 60
    assert dog.bitten


def test_a_proof_that_takes_too_long_is_ended_though_the_agent_works(dog, caplog):
    """After the deadline of the checks and a grace nothing feeds the watchdog any more."""
    guarding = guard(dog)
    guarding.arm()
    start = dog.now
    beats(dog, guarding, 3600)

    assert dog.bitten
    assert DEADLINE + GRACE_SECONDS <= dog.now - start <= DEADLINE + GRACE_SECONDS + 60
    assert "the trial has taken longer than 1020 s" in caplog.text


def test_starting_the_trial_again_gives_it_no_more_time(dog):
    """The engine arms at each of its steps; the deadline is that of the first."""
    guarding = guard(dog)
    for _ in range(40):
        guarding.arm()
        beats(dog, guarding, 30)

    assert dog.bitten


def test_after_the_commit_it_is_handed_back(dog):
    """Nobody has it open, and it runs no more."""
    guarding = guard(dog)
    guarding.arm()
    beats(dog, guarding, 300)
    guarding.release()
    dog.now += 10_000

    assert (dog.bites_at, dog.taken) == (None, False)
    guarding.feed()
    assert guarding.patience == math.inf


def test_it_is_handed_back_for_an_agent_that_died_in_the_trial(dog):
    """The watchdog still runs when the next process commits: a person's, or one after a restart."""
    guard(dog).arm()
    dog.die()
    dog.now += 20
    guard(dog).release()

    assert (dog.bites_at, dog.taken) == (None, False)


def test_beats_by_the_thousand_feed_it_now_and_then(dog):
    """Writing a slot beats with each block."""
    guarding = guard(dog)
    guarding.arm()
    fed = len(dog.fed)
    for _ in range(60_000):
        dog.now += 0.001
        guarding.feed()

    assert len(dog.fed) - fed == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"taken": True}, "is in use: is it systemd's"), ({"most": 30}, "takes no timeout of 60 s: Invalid argument")],
)
def test_a_trial_that_should_be_guarded_and_is_not_is_unhealthy(dog, changes, words):
    """The report says why; and the watchdog is not left running with a time that was not wanted."""
    for name, value in changes.items():
        setattr(dog, name, value)
    guarding = guard(dog)
    guarding.arm()

    fault = GuardedHealth(Passing(), guarding).prove([])
    assert fault is not None
    assert fault.startswith("the trial boot is not guarded: ")
    assert words in fault
    assert dog.bites_at is None


def test_one_that_cannot_be_stopped_is_not_started(dog):
    """Its driver was loaded with nowayout, and it was to be handed back."""

    def refuse(_: object) -> None:
        raise WatchdogError("it cannot be stopped")

    settings = WatchdogSettings(device=PATH)
    guarding = HardwareGuard(
        settings,
        PATH,
        DEADLINE,
        lambda: dog.now,
        opened=lambda path: WatchdogDevice(path, dog),
        require_stoppable=refuse,
    )
    guarding.arm()

    assert (guarding.fault, dog.fed) == ("it cannot be stopped", [])


def test_a_guarded_trial_is_proved_by_its_checks(dog):
    """The verdict is theirs, whatever it is."""
    guarding = guard(dog)
    guarding.arm()

    assert GuardedHealth(Passing(), guarding).prove([]) is None
    assert GuardedHealth(Passing("no network"), guarding).prove(["net"]) == "no network"


def test_always_goes_on_after_the_commit_at_leisure(dog):
    """The service feeds it between updates, where a beat may be minutes away, and hands it back when it is stopped."""
    dog.most = 4000
    guarding = guard(dog, when="always")
    with guarding.standing():
        assert dog.armed_for == [1200]
        guarding.arm()
        beats(dog, guarding, 100)
        guarding.release()
        assert dog.armed_for == [1200, 60, 1200]
        assert guarding.patience == 600.0

        dog.now += 1100
        guarding.feed()
        dog.now += 1100
        assert not dog.bitten
    assert (dog.bites_at, dog.taken) == (None, False)


def test_a_service_that_is_stopped_in_a_trial_leaves_it_running(dog):
    """Whoever stops it, nothing proves the trial then: the machine falls back."""
    guarding = guard(dog)
    with guarding.standing():
        guarding.arm()
    dog.die()
    dog.now += 60

    assert dog.bitten


def test_always_without_a_driver_that_can_is_done_without(dog, caplog):
    """What runs is good: it must not be restarted for want of a long timeout."""
    guarding = guard(dog, when="always")
    with guarding.standing():
        assert (dog.bites_at, dog.taken) == (None, False)

    assert "what runs is good, and no watchdog guards it: the driver of /dev/watchdog0" in caplog.text


def test_a_command_between_does_not_keep_it(dog):
    """Only the process that stays feeds it; one that a person calls hands it back."""
    dog.most = 4000
    guarding = guard(dog, when="always")
    guarding.release()

    assert (dog.bites_at, dog.taken) == (None, False)


def test_the_heartbeat_feeds_it(dog):
    """A sleep of the checks beats each second, and the waits for offers stay within its time."""
    guarding = guard(dog)

    def nap(seconds: float) -> None:
        dog.now += seconds

    heart = Heartbeat(Notifier({}), 1200.0, clock=lambda: dog.now, nap=nap, pulse=guarding)
    assert heart.patience == 600.0
    guarding.arm()
    assert heart.patience == 30.0
    heart.sleep(DEADLINE)

    assert not dog.bitten


class Passing:
    """Health that says what it was told to."""

    def __init__(self, verdict: str | None = None) -> None:
        self._verdict = verdict

    def prove(self, _):
        return self._verdict
