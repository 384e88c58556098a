"""Plans: what a rollout file settles."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bridge.errors import UsageError
from bridge.fleet import FleetError
from bridge.planning.plan import SignedRelease, differences, digest_of, make_plan, read_request
from bridge.planning.planned import Cohort, Facts, Place
from bridge.release.errors import MalformedRelease, RolledBackRelease
from tests.bridge.fakes import FakeFleet, Refuse
from tests.bridge.worlds import WAY_BACK, ids, new_request
from tests.releases import ReleaseKit

FLEETS = ("factory", "depot")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = """\
name: gates
release: releases/2.0.0
fleets: [factory, depot]
stages:
  - percent: 10
  - percent: 50
  - percent: 100
"""
BACK = f"{GOOD}roll_back:\n  release: releases/1.9.0\n"


def fleets(factory: int = 20, depot: int = 5) -> dict[str, FakeFleet]:
    """Two fleets of so many devices."""
    return {"factory": FakeFleet("factory", ids("f", factory)), "depot": FakeFleet("depot", ids("d", depot))}


def test_each_stage_takes_its_share_of_each_fleet():
    """10, 50, 100 per cent of 20 and of 5 devices."""
    plan = make_plan(new_request(), fleets())

    assert [[cohort.size for cohort in stage.cohorts] for stage in plan.stages] == [[2, 1], [8, 2], [10, 2]]
    assert [stage.size for stage in plan.stages] == [3, 10, 12]
    assert [(fleet.part.name, fleet.size) for fleet in plan.fleets] == [("factory", 20), ("depot", 5)]


def test_fleets_with_lists_and_with_buckets_stand_side_by_side():
    """One cloud finds its devices by itself, the other is told them by name; the stages are the same."""
    both = fleets(2000, 20)
    both["factory"].told = Facts("fake", by_bucket=True)
    both["factory"].unplaced = frozenset({"f-000"})

    plan = make_plan(new_request(), both)

    kinds = [(bool(one.buckets), bool(one.devices)) for stage in plan.stages for one in stage.cohorts]
    assert kinds == [(True, False), (False, True)] * 3
    assert sum(stage.cohorts[0].count for stage in plan.stages) == 1999
    assert 100 < plan.stages[0].cohorts[0].size < 300
    assert [fleet.unplaced for fleet in plan.fleets] == [1, 0]


def test_a_part_that_names_its_devices_is_a_list_in_any_cloud():
    """Ten names need no query."""
    both = fleets()
    both["factory"].told = Facts("fake", by_bucket=True)

    plan = make_plan(new_request(fleets=[{"name": "factory", "devices": ["f-003", "f-004"]}, "depot"]), both)

    assert sorted(device for stage in plan.stages for device in stage.cohorts[0].devices) == ["f-003", "f-004"]


def test_test_devices_come_first_and_are_not_taken_twice():
    """A stage by name, a count over both fleets, and everybody else."""
    stages = [{"devices": {"factory": ["f-007", "f-003"]}}, {"count": 6}, {"percent": 100}]

    plan = make_plan(new_request(stages=stages), fleets())

    assert plan.stages[0].cohorts == (Cohort("factory", ("f-007", "f-003"), models={"": 2}), Cohort("depot"))
    assert [cohort.size for cohort in plan.stages[1].cohorts] == [5, 1]
    named = [device for stage in plan.stages for cohort in stage.cohorts for device in cohort.devices]
    assert sorted(named) == sorted([*ids("f", 20), *ids("d", 5)])
    assert plan.places(0) == (Place(0, "factory"),)


def test_a_stage_for_one_model_leaves_the_others_for_later():
    """The plan counts each stage by model."""
    both = fleets(20, 0)
    both["factory"].models = dict.fromkeys(ids("f", 5), "v2") | dict.fromkeys(ids("f", 20)[5:], "v1")

    plan = make_plan(new_request(stages=[{"percent": 100, "models": ["v2"]}, {"percent": 100}]), both)

    assert [stage.cohorts[0].models for stage in plan.stages] == [{"v2": 5}, {"v1": 15}]
    assert plan.fleets[0].models == {"v1": 15, "v2": 5}


def test_a_test_device_that_is_not_there_is_refused():
    """A typing error in a name must not look like success."""
    stages = [{"devices": {"factory": ["f-100"]}}, {"percent": 100}]

    with pytest.raises(UsageError, match="fleet factory has no device f-100 in the part that the rollout is for"):
        make_plan(new_request(stages=stages), fleets())


def test_a_plan_is_the_same_whatever_the_order_of_listing():
    """So is its digest; any other content has another."""
    forward, backward = fleets(), fleets()
    for fleet in backward.values():
        fleet.ids = tuple(reversed(fleet.ids))

    plan = make_plan(new_request(), forward)

    assert plan == make_plan(new_request(), backward)
    assert plan.digest == digest_of(plan)


@pytest.mark.parametrize(
    "changes",
    [{"document": b"another"}, {"budget": {"failures": 1}}, {"pace": 5}, WAY_BACK],
    ids=str,
)
def test_whoever_approves_a_plan_approves_all_that_it_says(changes):
    """Another release, rule or way back is another plan."""
    assert make_plan(new_request(), fleets()).digest != make_plan(new_request(**changes), fleets()).digest


def test_a_device_more_is_another_plan_where_devices_are_listed_only():
    """A window of buckets is the same window whoever is in it; what was approved is the window."""
    few, many = fleets(200), fleets(201)
    assert make_plan(new_request(), few).digest != make_plan(new_request(), many).digest

    for fleet in (few["factory"], many["factory"]):
        fleet.told = Facts("fake", by_bucket=True)

    assert make_plan(new_request(), few).digest == make_plan(new_request(), many).digest


def test_orders_are_named_by_the_plan():
    """Keys fit the clouds' names (64 characters), and change with the plan and the number of the order."""
    plan = make_plan(new_request(name="x" * 40), fleets())

    first, second = plan.key(Place(19, "factory")), plan.key(Place(19, "factory"), 1)

    assert (first, second) == (f"{'x' * 40}-{plan.digest[:8]}-s20", f"{'x' * 40}-{plan.digest[:8]}-s20-2")
    assert len(plan.key(Place(19, "factory"), 998)) <= 64


def test_a_plan_survives_its_encoding():
    """The store keeps it as JSON; the digest still holds."""
    plan = make_plan(new_request(stages=[{"percent": 33.3}]), fleets())

    read = msgspec.json.decode(msgspec.json.encode(plan), type=type(plan))

    assert read == plan
    assert digest_of(read) == plan.digest


def test_only_the_part_is_planned():
    """The cloud's own group bounds the rollout in one fleet, and not in the other."""
    plan = make_plan(new_request(fleets=[{"name": "factory", "group": "f-00"}, "depot"]), fleets())

    assert [fleet.size for fleet in plan.fleets] == [10, 5]


def test_a_rollout_for_nobody_is_refused():
    """A typing error in the group must not look like success."""
    with pytest.raises(UsageError, match="rollout gates: no device in factory is what the file asks for; nothing"):
        make_plan(new_request(fleets=[{"name": "factory", "group": "canteen"}]), fleets())


def test_a_test_device_that_no_fleet_has_is_named_with_its_stage():
    """By the field of the file."""
    stages = [{"percent": 10}, {"devices": {"depot": ["d-000", "d-999"]}}, {"percent": 100}]

    with pytest.raises(UsageError, match=r"^rollout gates: stages\[1\]\.devices: fleet depot has no device d-999 in"):
        make_plan(new_request(stages=stages), fleets())


@pytest.mark.parametrize("call", ["facts", "devices"])
def test_a_fleet_that_cannot_be_asked_is_named(call):
    """The error says which one, and whether waiting may help."""
    both = fleets()
    both["depot"].hook = Refuse((call,))

    with pytest.raises(FleetError, match="fleet depot: throttled") as refusal:
        make_plan(new_request(), both)

    assert refusal.value.retryable


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"stages": [{"percent": 100}]}, ("stages",)),
        ({"budget": {"failures": 3}, "fleets": ["factory"]}, ("fleets", "budget")),
        ({"document": b"another"}, ("release (its contents)",)),
        ({"release": "elsewhere", "document": b"another"}, ("release",)),
        (WAY_BACK, ("roll_back",)),
    ],
)
def test_differences_are_named_by_field(changes, expected):
    """What a person changed in the file, or in the release that it names."""
    plan = make_plan(new_request(), fleets())

    assert differences(plan, new_request(**changes)) == expected


@pytest.mark.parametrize("named", ["releases/2.0.0", "releases/2.0.0/release.json"])
def test_the_release_is_found_beside_the_rollout_file(tmp_path, named):
    """By its folder or its file, relative to the rollout file."""
    package = ReleaseKit().package(b"image")
    file = write(tmp_path, GOOD.replace("releases/2.0.0", named), package.document)

    request = read_request(file, ["depot", "factory"], NOW)

    assert request.signed == SignedRelease(tmp_path / "releases/2.0.0", package.document, package.release)


@pytest.mark.parametrize(("sequence", "is_reachable"), [(1, False), (4, False), (5, True), (6, True)])
def test_a_way_back_below_the_floor_is_no_way_back(tmp_path, sequence, is_reachable):
    """Devices refuse what is below the floor that the new release sets: better known before it is rolled out."""
    kit = ReleaseKit()
    new, old = kit.package(b"new", sequence=9, floor=5), kit.package(b"old", version="1.9.0", sequence=sequence)
    write(tmp_path, BACK, new.document)
    file = write(tmp_path, BACK, old.document, "releases/1.9.0")

    if is_reachable:
        assert read_request(file, FLEETS, NOW).back.release == old.release
        return
    with pytest.raises(
        RolledBackRelease, match=f"version 1.9.0 has sequence {sequence}, and version 2.0.0 sets the floor 5"
    ):
        read_request(file, FLEETS, NOW)


def test_a_fleet_that_is_not_configured_is_refused(tmp_path):
    """With the names that are."""
    with pytest.raises(UsageError, match=r"rollout\.yaml:3: fleets\[1\]: no fleet depot in the configuration"):
        read_request(write(tmp_path, GOOD, b""), ["shed", "factory"], NOW)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("releases/9.9.9", r"release: there is no folder {}/releases/9\.9\.9; paths are relative to the rollout file"),
        ("x" * 300, "release: {}/x{{300}} cannot be looked at: File name too long"),
    ],
)
def test_a_release_that_is_not_there_is_named_with_where_it_was_looked_for(tmp_path, name, words):
    """File, field, and what the path is relative to."""
    file = write(tmp_path, GOOD, b"")
    file.write_text(GOOD.replace("releases/2.0.0", name))

    with pytest.raises(UsageError, match=words.format(re.escape(str(tmp_path)))) as refused:
        read_request(file, ["depot", "factory"], NOW)
    assert str(refused.value).startswith(f"{file}: ")


def test_a_release_of_another_name_is_refused(tmp_path):
    """What is planned must be what is verified and published: the folder's own release.json."""
    file = write(tmp_path, GOOD.replace("releases/2.0.0", "releases/2.0.0/old.json"), b"")
    (tmp_path / "releases/2.0.0/old.json").touch()

    with pytest.raises(UsageError, match=r"old\.json must be a release folder, or the release\.json in one"):
        read_request(file, FLEETS, NOW)


def test_a_release_that_is_none_is_refused(tmp_path):
    """Missing, or another kind of file."""
    file = write(tmp_path, GOOD, b"{}")

    with pytest.raises(MalformedRelease, match=r"release\.json is not TUF metadata"):
        read_request(file, FLEETS, NOW)
    (tmp_path / "releases/2.0.0/release.json").unlink()
    with pytest.raises(UsageError, match=r"rollout\.yaml: release: .*release\.json cannot be read: No such file"):
        read_request(file, FLEETS, NOW)


def write(folder: Path, text: str, document: bytes, release: str = "releases/2.0.0") -> Path:
    """A rollout file, and a release that it names."""
    (folder / release).mkdir(parents=True)
    (folder / release / "release.json").write_bytes(document)
    file = folder / "rollout.yaml"
    file.write_text(text)
    return file
