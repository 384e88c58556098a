"""Rollouts through every crash: killed before and after each call to a fleet or the store, and gone on with."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bridge.engine.controller import Pass
from bridge.engine.progress import State
from bridge.ledger import verify
from bridge.planning.cohort import ranked
from bridge.release.report import Outcome
from bridge.store.store import Store
from tests.bridge.fakes import PREVIOUS, Crash, CrashAt, Ending, FakeFleet, Hook, nothing
from tests.bridge.plans import ids
from tests.bridge.worlds import WAY_BACK, World, new_request

FACTORY, DEPOT = ranked("gates", ids("factory", 4)), ranked("gates", ids("depot", 4))
TWO_STAGES = {"stages": [{"percent": 50}, {"percent": 100}]}
MOST_PASSES = 60


@dataclass(frozen=True)
class Command:
    """What a person does once, when the rollout is so far; `act` is how the ledger calls it."""

    act: str
    after: str
    when: Callable[[Pass], bool]
    say: Callable[[World, Hook], object]


@dataclass(frozen=True)
class Story:
    """A life to its end: what the file asks for, how devices end, what a person does."""

    state: State
    acts: str
    request: Mapping[str, object] = field(default_factory=dict)
    factory: Mapping[str, Ending] = field(default_factory=dict)
    depot: Mapping[str, Ending] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()

    def world(self, folder: Path, template: Path) -> World:
        """Its two small fleets, and a store."""
        folder.mkdir()
        shutil.copy(template, folder / "otabridge.db")
        depot = FakeFleet("depot", DEPOT, self.depot, frozenset(self.silent))
        return World(folder, FakeFleet("factory", FACTORY, self.factory), depot)

    def live(self, world: World, hook: Hook = nothing) -> None:
        """From where it is to its end; what a person said is said again where it is not known to have been heard."""
        done = world.apply(new_request(**{**TWO_STAGES, **self.request}), hook, passes=1)
        for _ in range(MOST_PASSES):
            self.speak(world, done, hook)
            done = world.go_on(1, hook)
            if done.is_settled and not world.store.unfinished():
                return
        pytest.fail(f"after {MOST_PASSES} passes it is {done.record.state}: {done.record.reason}")

    def speak(self, world: World, done: Pass, hook: Hook) -> None:
        """The command whose time has come."""
        said = world.history() if self.commands else []
        for command in self.commands:
            if command.act not in said and command.after in said and command.when(done):
                command.say(world, hook)
                return


def _resume(world: World, hook: Hook) -> None:
    world.depot.silent = frozenset()
    world.resume(hook)


STORIES = {
    "it is good, and one device is away": Story(
        State.COMPLETED,
        "planned published advanced completed",
        {"stages": [{"percent": 50, "enough": 50}, {"percent": 100, "enough": 50}], "pace": 6},
        silent=(DEPOT[0],),
    ),
    "it is bad": Story(
        State.STOPPED,
        "planned published stopped",
        factory=dict.fromkeys(FACTORY, Outcome.FELL_BACK),
        silent=(DEPOT[0],),
    ),
    "a device is tried again, it is paused, resumed, rolled back": Story(
        State.ROLLED_BACK,
        "planned published advanced paused resumed rolling-back rolled-back",
        {"retries": {"download": 1, "delay": "0s"}, **WAY_BACK},
        depot={DEPOT[0]: (Outcome.FAILED, Outcome.INSTALLED)},
        silent=DEPOT[2:],
        commands=(
            Command("paused", "advanced", lambda done: done.record.progress.stage == 1, lambda w, h: w.pause(h)),
            Command("resumed", "paused", lambda done: done.record.state is State.PAUSED, _resume),
            Command(
                "rolling-back", "resumed", lambda done: done.record.state is State.RUNNING, lambda w, h: w.roll_back(h)
            ),
        ),
    ),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """An empty store: making one takes longer than a whole rollout."""
    path = tmp_path_factory.mktemp("template") / "otabridge.db"
    Store(path).close()
    return path


@dataclass
class Snapshots:
    """A hook that keeps the whole world as it is after each call: what a process that dies now would leave behind.

    Before a call it is as after the last one, but for devices, which move meanwhile.
    """

    world: World
    folder: Path
    kept: list[World] = field(default_factory=list)

    def __call__(self, call: str) -> None:
        """Keep it."""
        if call.endswith(" ends"):
            folder = self.folder / f"after-{len(self.kept)}-{call.split(maxsplit=1)[0]}"
            shutil.copytree(self.world.folder, folder)
            factory, depot = (
                copy.deepcopy(replace(fleet, hook=nothing)) for fleet in (self.world.factory, self.world.depot)
            )
            self.kept.append(World(folder, factory, depot, now=self.world.now))


@pytest.mark.parametrize("name", STORIES)
def test_a_crash_before_or_after_any_call_changes_nothing_in_the_end(tmp_path, template, name):
    """Killed at each call in turn and gone on with: the same end, each act told once, no device offered it twice."""
    story = STORIES[name]
    undisturbed = story.world(tmp_path / "undisturbed", template)
    crashes = Snapshots(undisturbed, tmp_path)
    story.live(undisturbed, crashes)
    assert_end(undisturbed, story)
    assert len(crashes.kept) > 20

    for world in crashes.kept:
        story.live(world)
        assert_end(world, story)
        for fleet, same in zip(world.fleets.values(), undisturbed.fleets.values(), strict=True):
            assert sorted(fleet.offered) == sorted(same.offered)


def test_a_process_that_dies_really_stops_there(tmp_path, template):
    """No handler of ours survives its own death: after the crash nothing more is called."""
    story, calls = STORIES["it is bad"], CrashAt(at=20)
    world = story.world(tmp_path / "crashed", template)

    with pytest.raises(Crash):
        story.live(world, calls)

    assert calls.count == 20


def assert_end(world: World, story: Story) -> None:
    """What a person cares about: the state, the ledger, and that nothing is left open or taken."""
    verify(world.store.ledger())
    assert " ".join(world.history()) == story.acts
    assert world.record().state is story.state
    for fleet in world.fleets.values():
        assert not any(order.open or order.borrowed for order in fleet.orders.values())
    if story.state is State.ROLLED_BACK:
        assert {release for fleet in world.fleets.values() for release in fleet.runs.values()} == {PREVIOUS}
