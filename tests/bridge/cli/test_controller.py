"""`otabridge controller run|once`: all rollouts in rounds, what it prints, how it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from bridge.cli import controller
from bridge.errors import StoreError
from bridge.release.report import Outcome
from bridge.store.store import Store
from tests.bridge.cli.desk import APPROVALS, ROLLOUT
from tests.bridge.fakes import Refuse


@pytest.fixture
def two(desk):
    """Two rollouts, each of which was applied with one pass."""
    for name in ("gates", "doors"):
        desk.write(ROLLOUT.replace("name: gates", f"name: {name}"))
        desk.apply("--no-wait")
    return desk


def once(desk, *options: str):
    """One round."""
    return desk.otabridge("controller", "once", *options)


def states(desk) -> dict[str, str]:
    """Where each rollout stands."""
    return {each["name"]: each["state"] for each in desk.rollout("list", "-o", "json").json["rollouts"]}


def test_rounds_bring_every_rollout_to_its_end(two):
    """0 each time; then there is nothing left to tell, however often."""
    rounds = [once(two) for _ in range(12)]

    assert [each.code for each in rounds] == [0] * 12
    assert states(two) == {"gates": "completed", "doors": "completed"}
    assert (rounds[-1].out, rounds[-1].err) == ("", "")


def test_a_plan_that_waits_for_signatures_goes_on_once_they_are_there(desk):
    """Nobody has to apply it again."""
    desk.approvers()
    desk.write(ROLLOUT + APPROVALS)
    desk.apply("--no-wait")
    held = once(desk)
    for name in ("ann", "ben"):
        desk.rollout("approve", "gates", "--key", f"{name}.pem")
    begun = once(desk)

    assert "gates  planned (approval), stage 1 of 3: " in held.out
    assert "gates  running, stage 1 of 3" in begun.out or "gates  running (pending), stage 1 of 3" in begun.out


def test_trouble_with_one_rollout_does_not_keep_the_others(two):
    """Its fleet refuses for good: 1, a sentence on stderr, and the other one goes on."""
    two.otabridge("rollout", "abort", "doors", "--reason", "x")
    two.depot.hook = Refuse(("tally",), retryable=False)

    ended = once(two)

    assert ended.code == 1
    assert "otabridge: rollout gates: rollout gates is running; fleet depot: access denied\n" in ended.err


def test_trouble_that_may_pass_is_told_and_is_no_error(two):
    """0: each could be looked after; the next round tries again."""
    two.depot.hook = Refuse(("tally",))

    ended = once(two)

    assert ended.code == 0
    assert ended.err.count("fleet depot: throttled") == 2


def test_what_another_process_holds_is_left_to_it(two):
    """Neither waited for nor told."""
    with two.store.hold("gates", 0):
        held = once(two)
    free = once(two)

    assert (held.code, free.code) == (0, 0)
    assert "doors" in held.out
    assert "gates" not in held.out + held.err
    assert "gates" in free.out


def test_programs_get_a_document_a_line(two):
    """With a version, and what is wrong."""
    two.depot.hook = Refuse(("tally",))

    lines = once(two, "-o", "json").lines

    assert {each["rollout"] for each in lines} == {"gates", "doors"}
    assert all((each["schema"], each["state"], each["waiting"]) == (1, "running", "unknown") for each in lines)
    assert all(each["problems"][0] == "fleet depot: throttled" for each in lines)


def test_a_store_that_is_away_ends_one_round_with_1(two, monkeypatch):
    """Nobody knows which rollouts there are."""
    monkeypatch.setattr(Store, "unfinished", away)

    ended = once(two)

    assert (ended.code, ended.err) == (1, "otabridge: the store is away\n")


def away(_: Store) -> tuple[str, ...]:
    """The database is gone."""
    raise StoreError("the store is away")


@pytest.mark.parametrize("every", ["0s", "2h", "1d", "soon", "30", ""])
def test_the_rest_between_rounds_is_bounded(desk, every):
    """From a second to an hour."""
    refused = desk.otabridge("controller", "run", "--every", every)

    assert (refused.code, refused.err) == (
        2,
        f"otabridge: --every {every}: write a time from 1s to 1h, such as 30s or 5m\n",
    )


def resting(monkeypatch, rests: list[float], act: Callable[[int], None]) -> None:
    """Note each rest of the controller, and let `act` happen in it."""

    def sleep(_: controller.Ending, seconds: float) -> None:
        rests.append(seconds)
        act(len(rests))

    monkeypatch.setattr(controller.Ending, "sleep", sleep)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_makes_rounds_until_it_is_told_to_end(two, monkeypatch, number):
    """By the signal of a service manager or of a terminal: exit code 0."""
    before, rests = signal.getsignal(number), list[float]()
    resting(monkeypatch, rests, lambda count: os.kill(os.getpid(), number) if count == 12 else None)

    ended = two.otabridge("controller", "run", "--every", "5m")

    assert (ended.code, ended.err) == (0, "")
    assert rests == [300.0] * 12
    assert states(two) == {"gates": "completed", "doors": "completed"}
    assert signal.getsignal(number) == before


def test_run_prints_what_changed_and_nothing_else(two, monkeypatch):
    """A rollout that waits for days leaves one line in the log, trouble likewise."""
    two.stall()
    two.factory.hook = Refuse(("tally",))
    resting(monkeypatch, [], lambda count: os.kill(os.getpid(), signal.SIGTERM) if count == 5 else None)

    ended = two.otabridge("controller", "run")

    assert sorted(line.split()[3] for line in ended.out.splitlines()) == ["doors", "gates"]
    assert ended.err.count("fleet factory: throttled") == 2


def test_run_waits_for_a_store_that_is_away(two, monkeypatch):
    """Longer each time, and as usual once it is back."""
    rests: list[float] = []
    lost = monkeypatch.context()

    with lost as patch:
        patch.setattr(Store, "unfinished", away)

        def act(count: int) -> None:
            if count == 4:
                patch.undo()
                resting(monkeypatch, rests, act)
            if count == 6:
                os.kill(os.getpid(), signal.SIGTERM)

        resting(monkeypatch, rests, act)
        ended = two.otabridge("controller", "run")

    assert ended.code == 0
    assert rests == [1.0, 2.0, 4.0, 8.0, 30.0, 30.0]
    assert ended.err.count("the store is away") == 4


def test_a_signal_ends_a_round_before_its_next_act(two):
    """The rollouts that are left have their turn after the next start."""
    two.depot.hook = Interrupting("tally ends")
    two.factory.hook = Interrupting("tally ends")

    ended = once(two)

    asked = two.depot.hook.count + two.factory.hook.count
    assert (ended.code, asked) == (0, 1)
    assert set(states(two).values()) == {"running"}


class Interrupting:
    """A hook that sends SIGTERM to this process at `call`; `count` is how often that was."""

    def __init__(self, call: str) -> None:
        self._call = call
        self.count = 0

    def __call__(self, call: str) -> None:
        if call == self._call:
            self.count += 1
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_bad_release_is_stopped_by_whoever_makes_rounds(two):
    """The budget is watched without anybody who applies."""
    two.factory.outcomes = dict.fromkeys(two.factory.ids, Outcome.FELL_BACK)

    for _ in range(4):
        once(two)

    assert set(states(two).values()) == {"stopped"}
