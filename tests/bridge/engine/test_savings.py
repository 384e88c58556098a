"""What deltas saved a rollout's devices: asked where there are deltas, noted when it completes."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bridge.engine.progress import FleetSavings, Saved
from bridge.engine.savings import fullest
from bridge.engine.status import RolloutStatus, SavingsStatus, describe, look
from bridge.fleet import LimitError, Savings
from bridge.ledger import Act, Fact
from bridge.release.report import Outcome
from tests.bridge.fakes import Crash, FakeFleet, Refuse
from tests.bridge.worlds import World, new_request
from tests.releases import ReleaseKit, new_release
from tests.releases import describe as artifact

FULL = artifact(b"image", bytes(1000))
DELTA = artifact(b"image", bytes(100), "delta.bin", b"old image")
FACTORY = {"factory-000": 900, "factory-007": 850}
DEPOT = {"depot-001": 400}


@pytest.fixture(scope="module")
def documents():
    """`release.json` with a delta, and without."""
    kit = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    return [kit.sign(new_release(artifacts=each)) for each in ((FULL, DELTA), (FULL,))]


@pytest.fixture
def saving(world, documents) -> World:
    """Both fleets completed a release with a delta, which some devices took."""
    world.factory.savings, world.depot.savings = FACTORY, DEPOT
    world.apply(new_request(document=documents[0]))
    return world


def seen(world) -> RolloutStatus:
    """What a person sees now."""
    return look(world.record(), world.fleets.__getitem__)


def savings(*fleets: FleetSavings) -> SavingsStatus:
    """The status of fleets that can tell."""
    return SavingsStatus(sum(each.devices for each in fleets), sum(each.saved for each in fleets), fleets)


ALL = savings(FleetSavings("factory", 2, 1750), FleetSavings("depot", 1, 400))


def test_the_status_shows_what_each_fleet_says_and_the_total(saving):
    """For programs too."""
    shown = seen(saving)

    assert shown.savings == ALL
    assert (shown.savings.devices, shown.savings.saved) == (3, 2150)
    assert msgspec.json.decode(msgspec.json.encode(shown), type=RolloutStatus) == shown


def test_each_fleet_is_asked_once(saving):
    """Whatever the number of stages and orders."""
    asked = []
    for fleet in saving.fleets.values():
        fleet.hook = asked.append

    seen(saving)

    assert sorted(call for call in asked if call.startswith("saved")) == ["saved begins"] * 2 + ["saved ends"] * 2


def test_only_devices_that_were_updated_count(world, documents):
    """Stage by stage."""
    world.factory.savings = dict.fromkeys(world.factory.ids, 100)
    world.apply(new_request(document=documents[0]), passes=3)

    assert seen(world).savings.fleets[0] == FleetSavings("factory", 2, 200)


def test_where_the_release_has_no_delta_nobody_is_asked(world, documents):
    """Nor while nothing was offered."""
    asked = []
    world.factory.savings = FACTORY
    world.apply(new_request(document=documents[1]))
    world.factory.hook = asked.append

    assert seen(world).savings is None
    assert not [call for call in asked if call.startswith("saved")]


def test_a_release_that_is_not_known_is_not_asked_about(world):
    """As of a rollout that was adopted, or whose document says nothing to this otabridge."""
    world.factory.savings = FACTORY
    world.apply()

    assert seen(world).savings is None


def test_a_fleet_that_cannot_tell_says_why(world, documents):
    """And fails nothing: neither the rollout nor the status, nor what others tell."""
    world.depot.savings = DEPOT
    controller = world.process()
    world.factory.hook = Refuse(("saved",))
    name = controller.admit(new_request(document=documents[0]), ()).name
    done = controller.run(name, world.waits(30), lambda _: None)

    shown = seen(world)

    assert done.is_settled
    assert shown.state == "completed"
    assert ledger_facts(world)[-1] == Fact("saved_unknown", "factory")
    problem = FleetSavings("factory", problem="fleet factory: throttled")
    assert shown.savings == savings(problem, FleetSavings("depot", 1, 400))


@pytest.mark.parametrize("told", [Savings(-1, 5), Savings(1, -5), Savings(0, 5), Savings(10**12, 5)], ids=str)
def test_what_cannot_be_is_not_told(saving, monkeypatch, told):
    """What was noted before stands."""
    monkeypatch.setattr(FakeFleet, "saved", lambda *_: told)

    shown = look(unnoted(saving), saving.fleets.__getitem__).savings

    assert "which cannot be: nothing is taken from it" in shown.fleets[0].problem
    assert (shown.devices, shown.saved) == (0, 0)
    assert seen(saving).savings == ALL


def ledger_facts(world):
    """The evidence of the decision that completed the rollout."""
    (done,) = (link.entry for link in world.store.ledger() if link.entry.what is Act.COMPLETED)
    return done.evidence


def unnoted(world):
    """The record without what was noted."""
    record = world.record()
    return replace(record, progress=msgspec.structs.replace(record.progress, saved=None))


def _die_in_saved(call):
    if call == "saved begins":
        raise Crash(call)


def test_the_ledger_keeps_the_total(saving):
    """With the decision that completed the rollout."""
    assert ledger_facts(saving)[-2:] == (Fact("saved_devices", 3), Fact("saved_bytes", 2150))


def test_what_was_saved_outlives_the_release(saving):
    """Devices forget it with their next one; what completes the picture later is taken up."""
    saving.factory.savings = {}
    saving.depot.savings = {**DEPOT, "depot-002": 1}

    shown = seen(saving).savings

    assert shown == savings(FleetSavings("factory", 2, 1750), FleetSavings("depot", 2, 401))
    assert describe(saving.record()).savings == ALL


def test_a_rollout_that_did_not_complete_is_asked_about(world, documents):
    """Nothing was noted when it stopped: withdrawing comes first."""
    world.factory.outcomes = dict.fromkeys(world.factory.ids, Outcome.FELL_BACK)
    world.depot.savings = dict.fromkeys(world.depot.ids, 5)
    world.apply(new_request(document=documents[0]))

    assert world.record().progress.saved is None
    assert seen(world).savings.fleets == (FleetSavings("factory"), FleetSavings("depot", 2, 10))


def test_a_crash_while_it_is_asked_repeats_nothing(world, documents):
    """The rollout completes in the next process, with the same total."""
    world.factory.savings, world.depot.savings = FACTORY, DEPOT
    with pytest.raises(Crash, match="saved begins"):
        world.apply(new_request(document=documents[0]), hook=_die_in_saved)

    world.go_on()

    assert world.record().progress.saved == Saved(ALL.fleets)
    assert world.history().count("completed") == 1


A, B = FleetSavings("a", 2, 20), FleetSavings("b", 1, 10)
AWAY = FleetSavings("a", problem="away")


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (None, None, None),
        (None, (A,), (A,)),
        ((A,), None, (A,)),
        ((A, B), (FleetSavings("a", 1, 5), FleetSavings("b", 2, 11)), (A, FleetSavings("b", 2, 11))),
        ((A,), (AWAY,), (A,)),
        ((AWAY,), (A,), (A,)),
        ((AWAY,), (FleetSavings("a", problem="still away"),), (AWAY,)),
        ((AWAY,), (FleetSavings("a"),), (FleetSavings("a"),)),
        ((A,), (B,), (A, B)),
    ],
)
def test_the_fuller_figures_are_kept(before, now, found):
    """Fleet by fleet."""
    both = [None if each is None else Saved(each) for each in (before, now)]

    assert fullest(*both) == (None if found is None else Saved(found))


def test_a_fleet_without_the_query_is_a_problem_of_that_fleet(saving, monkeypatch):
    """A limit is no reason to fail."""

    def lacks(fleet, *_):
        raise LimitError(f"fleet {fleet.name}: customFields: without saved")

    monkeypatch.setattr(FakeFleet, "saved", lacks)

    shown = look(unnoted(saving), saving.fleets.__getitem__).savings

    assert [each.problem for each in shown.fleets] == [
        "fleet factory: customFields: without saved",
        "fleet depot: customFields: without saved",
    ]
