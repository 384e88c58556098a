"""How stages take their devices out of one fleet: from a list, and by ranges of buckets."""

from __future__ import annotations

from collections import Counter

import pytest

from bridge.errors import UsageError
from bridge.planning.cohort import ranked
from bridge.planning.planned import Cohort, Facts
from bridge.planning.selection import Bucketed, Listed, Selection
from bridge.release.bucket import bucket
from bridge.rollout.model import FleetPart
from tests.bridge.fakes import FakeFleet
from tests.bridge.plans import ids

DEVICES = ids("factory", 400)
MODELS = {device: "new" if index % 4 == 0 else "old" for index, device in enumerate(DEVICES)}
KINDS = {"listed": Listed, "bucketed": Bucketed}


def new_fleet(devices: tuple[str, ...] = DEVICES) -> FakeFleet:
    """A quarter of its devices are of the new model."""
    return FakeFleet("factory", devices, models=MODELS, told=Facts("fake", by_bucket=True))


def select(kind: str, fleet: FakeFleet | None = None, part: FleetPart | None = None) -> Selection:
    """A new selection of the whole fleet, or of a part."""
    return KINDS[kind]("gates", fleet or new_fleet(), part or FleetPart("factory"))


def members(cohort: Cohort) -> set[str]:
    """Which of the fleet's devices a cohort names, or has in its buckets."""
    if cohort.devices:
        return set(cohort.devices)
    return {device for device in DEVICES if any(low <= bucket(device) <= high for low, high in cohort.buckets)}


@pytest.mark.parametrize("kind", KINDS)
def test_shares_are_cumulative_and_leave_nobody_out(kind):
    """10, 50, 100 per cent: each device in one stage, in the order of positions."""
    selection = select(kind)

    stages = [selection.share(percent, ()) for percent in (10, 50, 100)]

    assert [device for stage in stages for device in sorted(members(stage), key=ranked("gates", DEVICES).index)] == (
        ranked("gates", DEVICES)
    )
    assert sum(stage.size for stage in stages) == 400
    assert sum(map(Counter, (stage.models for stage in stages)), Counter()) == {"new": 100, "old": 300}


def test_a_listed_share_is_exact_and_a_bucketed_one_is_near():
    """A window of a tenth of the positions holds a tenth of the devices on average."""
    assert select("listed").share(10, ()).size == 40
    assert 20 < select("bucketed").share(10, ()).size < 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_of_one_model_takes_only_that(kind):
    """And what follows for all models takes the rest."""
    selection = select(kind)

    new = selection.share(100, ("new",))
    rest = selection.share(100, ())

    assert new.models == {"new": 100}
    assert new.size == 100
    assert rest.size == (300 if kind == "listed" else 400)


@pytest.mark.parametrize("kind", KINDS)
def test_named_devices_are_a_list_and_are_given_out_once(kind):
    """In the order of the file; a count that follows takes others."""
    selection = select(kind)
    first = ranked("gates", DEVICES)[0]

    named = selection.named((DEVICES[7], first))
    again = selection.named((first,))
    counted = selection.take(10, ())

    assert named == Cohort(
        "factory", (DEVICES[7], first), models={"old": 2} if MODELS[first] == "old" else named.models
    )
    assert again.size == 0
    assert not members(named) & members(counted)


@pytest.mark.parametrize("kind", KINDS)
def test_devices_that_a_fleet_lacks_are_named(kind):
    """The first five of them."""
    missing = tuple(f"ghost-{number}" for number in range(7))

    with pytest.raises(UsageError, match=r"fleet factory has no device ghost-0, .*, ghost-4 and 2 more in the part"):
        select(kind).named((DEVICES[0], *missing))


@pytest.mark.parametrize("kind", KINDS)
def test_a_count_takes_the_next_devices_in_order(kind):
    """The same ones from a list and by buckets; as many as there are, if there are fewer."""
    selection, order = select(kind), ranked("gates", DEVICES)

    taken = [selection.take(count, ()).devices for count in (5, 30, 1000)]

    assert taken == [tuple(order[:5]), tuple(order[5:35]), tuple(order[35:])]
    assert selection.left(()) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_count_of_one_model_takes_only_that(kind):
    """However thinly they are spread."""
    selection = select(kind)

    cohort = selection.take(20, ("new",))

    assert cohort.devices == tuple(device for device in ranked("gates", DEVICES) if MODELS[device] == "new")[:20]
    assert (selection.left(("new",)), selection.left(("old",))) == (80, 300)


def test_what_reports_no_bucket_cannot_be_given_out_by_bucket():
    """The plan says how many they are."""
    fleet = new_fleet()
    fleet.unplaced = frozenset(DEVICES[:3])

    selection = select("bucketed", fleet)

    assert (selection.unplaced, sum(selection.models.values())) == (3, 397)
    assert selection.share(100, ()).size == 397


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_part_is_given_out(kind):
    """Devices of the cloud's own group."""
    selection = select(kind, part=FleetPart("factory", group="factory-00"))

    assert selection.share(100, ()).size == 10


def test_calls_of_a_bucketed_fleet_do_not_grow_with_its_devices():
    """One for the fleet and one for each stage."""
    calls: list[str] = []
    fleet = new_fleet()
    fleet.hook = calls.append

    selection = select("bucketed", fleet)
    for percent in (1, 10, 100):
        selection.share(percent, ())

    assert calls == ["census begins", "census ends"] * 4


def test_a_fleet_that_lists_without_end_is_refused(monkeypatch):
    """What a cloud says is bounded, also where a count looks into a window."""
    monkeypatch.setattr("bridge.planning.selection.MAX_DEVICES", 19)
    words = "fleet factory lists more than 19 devices; name a group in the rollout file"

    with pytest.raises(UsageError, match=words):
        select("listed")
    with pytest.raises(UsageError, match=words):
        select("bucketed").take(200, ())
