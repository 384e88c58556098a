"""`otabridge rollout pause|resume|promote|rollback|abort`: each once, each twice, each where it cannot be."""

from __future__ import annotations

import pytest

from bridge.release.report import Outcome
from tests.bridge.cli.desk import ROLLOUT, WAY_BACK
from tests.bridge.fakes import Refuse

SOAKING = ROLLOUT.replace("percent: 10\n", "percent: 10\n    soak: 2d\n")


def say(desk, control: str, reason: str = "heat wave"):
    """One of the controls; what is promoted is the first stage."""
    stage = ["--stage", "1"] if control == "promote" else []
    return desk.rollout(control, "gates", *stage, "--reason", reason)


def acts(desk) -> list[str]:
    """What the ledger says that people did, and why."""
    entries = desk.rollout("history", "gates", "-o", "json").json["entries"]
    return [f"{each['entry']['what']}: {each['entry']['reason']}" for each in entries if "@" in each["entry"]["actor"]]


def test_a_paused_rollout_goes_on_where_it_was(desk):
    """Offers are withdrawn, and made again; each device is updated once."""
    desk.stall()
    desk.apply("--no-wait")

    paused = say(desk, "pause")
    held = desk.apply()
    desk.depot.silent = frozenset()
    resumed = say(desk, "resume", "cool again")
    done = desk.apply()

    assert (paused.code, held.code, resumed.code, done.code) == (0, 27, 0, 0)
    assert "state    paused (resume), stage 1 of 3" in paused.out
    assert "because  heat wave\n" in paused.out
    assert "otabridge: rollout gates is paused: heat wave. " in held.err
    assert "`otabridge rollout explain gates` says what would move it on" in held.err
    assert "state    running (pending), stage 1 of 3" in resumed.out
    assert all(sorted(fleet.offered) == sorted(fleet.ids) for fleet in desk.fleets.values())
    assert acts(desk) == ["planned: applied", "paused: heat wave", "resumed: cool again"]


@pytest.mark.parametrize("control", ["pause", "resume", "promote", "rollback", "abort"])
def test_each_control_twice_is_once(desk, control):
    """The second says so, ends with 0, and leaves no entry in the ledger."""
    desk.write_release("previous", version="1.9.0", sequence=1)
    desk.write(SOAKING + WAY_BACK)
    desk.stall()
    desk.apply("--no-wait")
    if control == "resume":
        say(desk, "pause")

    first = say(desk, control)
    before = acts(desk)
    second = say(desk, control)

    assert (first.code, second.code) == (0, 0)
    assert "nothing to do" not in first.err
    assert second.err.startswith("otabridge: nothing to do, ")
    assert acts(desk) == before


def test_promote_ends_a_soak(desk):
    """The next stage begins at once."""
    desk.write(SOAKING)
    soaking = desk.passes(4)[-1]

    promoted = say(desk, "promote", "seen it work")
    again = say(desk, "promote")

    assert "state    running (soak), stage 1 of 3" in soaking.out
    assert "state    running, stage 2 of 3" in promoted.out
    assert (
        again.err == "otabridge: nothing to do, the stage of rollout gates has passed already, or was promoted before\n"
    )
    assert desk.rollout("history", "gates").out.count(" promoted: ") == 1
    assert "promoted: seen it work" in acts(desk)


def test_rollback_sends_devices_back(desk):
    """With a progress of its own; apply then ends with 30."""
    desk.write_release("previous", version="1.9.0", sequence=1)
    desk.write(SOAKING + WAY_BACK)
    desk.passes(4)

    back = say(desk, "rollback", "it drains batteries")
    done = desk.apply()

    assert back.code == 0
    assert "state    rolling-back" in back.out
    assert done.code == 30
    assert "  factory: 2 installed; back: 2 installed" in done.out
    assert say(desk, "rollback").err == "otabridge: nothing to do, rollout gates is rolled-back already\n"


def test_an_abort_ends_the_rollout_for_good(desk):
    """Abort itself succeeds; applying again then ends with 21."""
    desk.stall()
    desk.apply("--no-wait")

    aborted = say(desk, "abort")
    again = desk.apply()

    assert aborted.code == 0
    assert "state    aborted, stage 1 of 3\nbecause  heat wave" in aborted.out
    assert "  depot: 2 waiting\n" in aborted.out
    assert (again.code, again.err) == (21, "otabridge: rollout gates is aborted: heat wave\n")
    assert say(desk, "abort").err == "otabridge: nothing to do, rollout gates is aborted already\n"


def test_a_control_that_does_not_reach_a_fleet_says_so(desk):
    """It is recorded, and the fleet is told by the next one to run."""
    desk.apply("--no-wait")
    desk.depot.hook = Refuse(("stop",))

    refused = say(desk, "abort")
    desk.depot.hook = lambda _: None
    again = say(desk, "abort")

    assert (refused.code, again.code) == (1, 0)
    assert (
        "it is recorded, but not every fleet was told: fleet depot: throttled. Run the same command again"
        in refused.err
    )
    assert "state    aborted" in refused.out
    assert all(order.stopped for order in desk.depot.orders.values())


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ("pause", "rollout gates is completed: only a running rollout can be paused"),
        ("resume", "rollout gates is completed: only a paused rollout can be resumed"),
        ("rollback", "rollout gates names no previous release: roll_back.release in its file is the way back"),
        ("abort", "rollout gates is completed: there is nothing to abort"),
    ],
)
def test_what_cannot_be_is_refused(desk, control, message):
    """Exit code 2, and nothing in the ledger."""
    desk.apply()

    refused = say(desk, control)

    assert (refused.code, refused.err) == (2, f"otabridge: {message}\n")
    assert acts(desk) == ["planned: applied"]


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 1001])
def test_a_reason_is_one_line(desk, reason):
    """It goes into the ledger and to the clouds."""
    desk.apply("--no-wait")

    refused = say(desk, "pause", reason)

    assert refused.code == 2
    assert "write one line of 1 to 1000 printable characters" in refused.err
    assert "running" in desk.rollout("list").out


def test_the_reason_of_a_pause_outlives_later_passes(desk):
    """Whoever comes later reads it, and what could be done; a way back only where the file names one."""
    desk.stall()
    desk.apply("--no-wait")
    say(desk, "pause")
    desk.otabridge("controller", "once")

    explained = desk.rollout("explain", "gates").out

    assert "  - a person paused it: heat wave\n" in explained
    assert "otabridge rollout resume gates --reason WHY" in explained
    assert "rollback" not in explained
    assert "because  heat wave\n" in desk.rollout("status", "gates").out


def test_a_paused_rollout_is_resumed_before_it_is_promoted(desk):
    """The message says so."""
    desk.stall()
    desk.apply("--no-wait")
    say(desk, "pause")

    refused = say(desk, "promote")

    assert refused.code == 2
    assert refused.err == "otabridge: rollout gates is paused: resume it first, then promote the stage\n"


def test_resuming_forgives_what_it_paused_for(desk):
    """A person has looked; the next failure counts anew."""
    desk.factory.outcomes = dict.fromkeys(desk.factory.ids[:1], Outcome.FELL_BACK)
    stages = "  - percent: 90\n  - percent: 100\n"
    desk.write(f"{ROLLOUT[: ROLLOUT.index('  -')]}{stages}on_breach: pause\n")
    paused = desk.apply()

    say(desk, "resume", "a broken cable")
    done = desk.apply()

    assert (paused.code, done.code) == (27, 0)


def test_a_stage_that_has_not_begun_cannot_be_promoted(desk):
    """Nor one of a rollout that has stopped."""
    desk.factory.outcomes = dict.fromkeys(desk.factory.ids, Outcome.FELL_BACK)
    desk.apply()

    refused = [desk.rollout("promote", "gates", "--stage", number, "--reason", "x") for number in "12"]

    assert [each.code for each in refused] == [2, 2]
    assert refused[0].err == "otabridge: rollout gates is stopped: only a running one has a stage to promote\n"
    assert "rollout gates is at stage 1: stage 2 cannot be promoted before it begins" in refused[1].err


def test_controls_print_the_status_as_json(desk):
    """As `rollout status` does."""
    desk.stall()
    desk.apply("--no-wait")

    paused = desk.rollout("pause", "gates", "--reason", "x", "-o", "json").json

    assert (paused["schema"], paused["state"], paused["waiting"]) == (2, "paused", "resume")
