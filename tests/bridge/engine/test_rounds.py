"""Rounds: each rollout has its turn, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.engine.rounds import FIRST_DELAY, LONGEST_DELAY, Rounds, Stopping, Turn, delay_after, is_lost, stoppable
from bridge.errors import RolloutBusy, StoreError
from bridge.fleet import FleetError
from bridge.release.errors import AlteredRelease
from bridge.store.errors import LostHold
from tests.bridge.fakes import Refuse
from tests.bridge.worlds import new_request


def rounds(world, stopping: Callable[[], bool] = lambda: False) -> Rounds:
    """Rounds over the store of the world."""
    return Rounds(world.process(), world.store, stopping)


class Steps:
    """A controller whose passes end as `endings` say."""

    def __init__(self, **endings: Exception) -> None:
        self.endings = endings
        self.stepped: list[str] = []

    def step(self, name: str, wait: float | None = None):
        """Raise, or say nothing."""
        assert wait == 0, "a rollout that is held is left to its holder"
        self.stepped.append(name)
        if name in self.endings:
            raise self.endings[name]

    def unfinished(self) -> tuple[str, ...]:
        """All of them, and one that is fine."""
        return (*self.endings, "fine")


def test_rounds_bring_a_rollout_to_its_end(world):
    """And leave out what has ended."""
    world.process().admit(new_request(), ())
    made = []
    for _ in range(12):
        made.append(list(rounds(world).make()))
        world.tick()

    assert world.record().state == "completed"
    assert made[-1] == []


def test_a_fleet_that_must_be_told_the_end_is_told_by_rounds(world):
    """A rollout that was aborted while the fleet was away; again until no device is in the middle."""
    world.apply(passes=3)
    world.depot.hook = Refuse(("stop",))
    world.abort(hook=Refuse(("stop",)))
    world.depot.hook = lambda _: None

    (turn,) = rounds(world).make()

    assert turn.done.is_settled
    world.tick()
    list(rounds(world).make())
    assert list(rounds(world).make()) == []


@pytest.mark.parametrize(
    "error",
    [
        FleetError("fleet depot: access denied"),
        StoreError("the disk is full"),
        LostHold("the hold is gone"),
        AlteredRelease("the artifact was edited"),
    ],
)
def test_what_goes_wrong_with_one_does_not_keep_the_others(error):
    """It is told with its name."""
    steps = Steps(broken=error)

    broken, fine = Rounds(steps, steps, lambda: False).make()

    assert (broken.name, broken.error, broken.problems) == ("broken", error, (str(error),))
    assert (fine.name, fine.problems) == ("fine", ())


def test_a_rollout_that_another_process_holds_is_left_to_it():
    """Neither a pass nor an error."""
    steps = Steps(held=RolloutBusy("another otabridge is acting on it"))

    assert next(Rounds(steps, steps, lambda: False).make()) == Turn("held")


def test_a_defect_of_ours_is_not_hidden():
    """What is no refusal ends the process, with its traceback."""
    steps = Steps(broken=ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        list(Rounds(steps, steps, lambda: False).make())


def test_who_is_stopping_begins_no_further_turn():
    """Nor goes on with a pass once an act is done."""
    steps = Steps(first=Stopping(), second=FleetError("x"))

    assert list(Rounds(steps, steps, lambda: False).make()) == []
    assert steps.stepped == ["first"]
    assert list(Rounds(steps, steps, lambda: True).make()) == []


def test_a_pass_can_be_stopped_between_any_two_acts_and_loses_nothing(world):
    """As after a crash: the next process goes on, and no device is offered it twice."""
    world.process().admit(new_request(), ())
    for limit in range(60):
        left = iter(range(limit))
        controller = world.process()
        controller = type(controller)(
            world.store,
            stoppable(world.fleets.__getitem__, lambda left=left: next(left, None) is None),
            world.publisher,
            "ada@desk",
        )
        list(Rounds(controller, world.store, lambda: False).make())
        world.tick()
    while world.record().state != "completed":
        list(rounds(world).make())
        world.tick()

    assert sorted(world.factory.offered) == sorted(world.factory.ids)
    assert sorted(world.depot.offered) == sorted(world.depot.ids)


def test_a_fleet_is_opened_until_somebody_asks_to_stop(world):
    """Then none is."""
    asked: list[str] = []
    fleets = stoppable(world.fleets.__getitem__, lambda: bool(asked))
    assert fleets("depot") is world.depot
    asked.append("SIGTERM")

    with pytest.raises(Stopping):
        fleets("depot")


def test_a_store_that_is_away_is_told_from_other_trouble():
    """Only then is the next round put off."""
    assert is_lost([Turn("a", error=StoreError("gone")), Turn("b")])
    assert not is_lost([Turn("a", error=FleetError("x")), Turn("b")])
    assert not is_lost([])


def test_the_wait_for_a_store_doubles_up_to_a_minute():
    """However long it is away."""
    assert [delay_after(count) for count in (1, 2, 3)] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY]
    assert delay_after(7) == delay_after(10_000) == LONGEST_DELAY
