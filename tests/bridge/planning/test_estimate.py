"""Estimates: time, bytes, money and calls of a plan, and what a person should think about before applying it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from bridge.planning.estimate import estimate, is_wanted, offering_time, warnings
from bridge.planning.planned import (
    FEATURES,
    Calls,
    Closure,
    Cohort,
    Facts,
    Feature,
    How,
    Plan,
    PlannedFleet,
    PlannedStage,
)
from bridge.release.bucket import Buckets
from bridge.rollout.model import FleetPart
from tests.bridge.plans import DEPOT, FACTORY, HOUR, MINUTE, NOW, new_plan
from tests.releases import describe
from tests.stepped import BOOT, handed

WHOLE, DELTA = describe(b"image", b"x" * 3_000_000), describe(b"image", b"x" * 1_000_000, old=b"older")
PROMPT = Facts("test", orders_a_minute=60, feedback_minutes=0)


def taking(plan: Plan, now: datetime = NOW, *artifacts):
    """The estimate with one full artifact."""
    return estimate(plan, artifacts or (WHOLE,), now)


def spans(plan: Plan, now: datetime = NOW) -> list[timedelta]:
    """How long each stage takes."""
    return [stage.ends - stage.begins for stage in taking(plan, now).stages]


def test_a_stage_takes_the_call_the_feedback_and_its_soak():
    """The slowest fleet counts; the next stage begins where the one before ended."""
    slow = Facts("test", orders_a_minute=2, feedback_minutes=30)
    plan = new_plan((2, 2), (8, 8), facts=slow, stages=[{"percent": 10, "soak": "2h"}, {"percent": 100}])

    assert spans(plan) == [timedelta(minutes=32.5) + 2 * HOUR - 2 * MINUTE, timedelta(minutes=30.5)]
    first, second = taking(plan).stages
    assert (first.number, first.devices, first.begins, second.begins) == (1, 4, NOW, first.ends)
    assert taking(plan).ends == second.ends


@pytest.mark.parametrize(
    ("rate", "paces", "minutes"),
    [(None, 0, 0), (100, 0, 20), (None, 50, 20), (100, 10, 100), (40, 1000, 50)],
)
def test_the_pace_bounds_a_stage_and_so_does_the_cloud(rate, paces, minutes):
    """The rollout's pace is shared by the fleets; a cloud's own is each fleet's."""
    plan = new_plan((1000, 1000), facts=msgspec.structs.replace(PROMPT, paces=paces), pace=rate)

    assert offering_time(plan, 0) == timedelta(minutes=minutes) + timedelta(seconds=1)


def test_windows_and_freezes_stretch_it():
    """Half an hour of offers in windows of twenty minutes a day takes until the next day."""
    windows = [{"cron": "0 12 * * *", "duration": "20m"}]
    plan = new_plan((1000, 0), facts=PROMPT, pace=50, windows=windows)
    noon = NOW + timedelta(days=1)
    frozen = msgspec.structs.replace(plan, closures=(Closure(noon - HOUR, noon + HOUR, "Holidays"),))

    assert spans(new_plan((1000, 0), facts=PROMPT, pace=50)) == [timedelta(minutes=20, seconds=1)]
    assert spans(plan) == [timedelta(days=1, seconds=1)]
    assert spans(frozen) == [timedelta(days=2, seconds=1)]
    assert [opening.start for opening in taking(plan).windows] == [NOW, noon, noon + timedelta(days=1)]


def test_a_time_that_is_not_in_sight_is_none():
    """And so is everything after it."""
    shut = Closure(NOW - HOUR, datetime(9999, 12, 31, 12, tzinfo=UTC), "The end")
    windows = [{"cron": "0 2 * * *", "duration": "1h"}]
    plan = new_plan((2, 2), (8, 8), facts=PROMPT, windows=windows, closures=(shut,))

    first, second = taking(plan).stages

    assert (first.begins, first.ends, second.begins, second.ends) == (NOW, None, None, None)
    assert taking(plan).ends is None


def test_bytes_and_money_with_deltas_and_without():
    """For the devices of the stages; money as far as its price is told."""
    plan = new_plan((10, 0), (90, 100), facts=Facts("test", cost_a_gigabyte=2.0, currency="EUR"))

    factory, depot = taking(plan, NOW, WHOLE, DELTA).fleets
    (free, _) = taking(new_plan((10, 10))).fleets

    assert (factory.least_bytes, factory.most_bytes) == (100_000_000, 300_000_000)
    assert (factory.least_cost, factory.most_cost, factory.currency) == (0.2, 0.6, "EUR")
    assert depot.most_bytes == 300_000_000
    assert (free.least_bytes == free.most_bytes, free.most_cost) == (True, None)


def test_the_files_of_steps_are_fetched_by_every_device():
    """Beside the smallest artifact of the slot, or the full one."""
    plan = new_plan((10, 0), (90, 100), facts=PROMPT)
    image = tuple(msgspec.structs.replace(each, step="rootfs") for each in (WHOLE, DELTA))
    boot = handed(BOOT, b"b" * 20_000)

    factory, _ = taking(plan, NOW, *image, boot).fleets

    assert (factory.least_bytes, factory.most_bytes) == (102_000_000, 302_000_000)


def test_calls_grow_with_devices_only_where_they_are_named():
    """By bucket a million costs as much as a thousand."""
    calls = Calls(start=5, stop=3, tally=2, per_device=0.5)

    def of(size: int, *, by_bucket: bool) -> tuple[int, int]:
        told = Facts("test", by_bucket=by_bucket, calls=calls)
        (fleet, _) = taking(new_plan((size, 0), (size, 1), facts=told, by_bucket=by_bucket)).fleets
        return fleet.calls, fleet.calls_a_pass

    assert of(1000, by_bucket=True) == of(1_000_000, by_bucket=True) == (16, 2)
    assert of(100, by_bucket=False) == (16 + 100, 2)


def with_fleet(plan: Plan, models=None, **changes) -> Plan:
    """`plan` with another first fleet."""
    fleet = PlannedFleet(FleetPart(FACTORY), changes.pop("facts", PROMPT), models or {"": 10}, **changes)
    return msgspec.structs.replace(plan, fleets=(fleet, PlannedFleet(FleetPart(DEPOT), PROMPT, {"": 10})))


QUIET = with_fleet(new_plan((2, 2), (8, 8), facts=PROMPT))
SLOW = Facts("test", feedback_minutes=30)
ABSENT = Facts("test", feedback_minutes=0, features=(Feature("health metrics", How.ABSENT, "no index"),))
HEALTH = {"health": [{"name": "hot", "queries": {"factory": "hot"}, "limit": 5}]}


def for_model(model: str) -> Plan:
    """A plan whose first stage is for one model, and has nobody."""
    stages = [{"percent": 10, "models": [model]}, {"percent": 100}]
    return new_plan((0, 0), (10, 10), facts=PROMPT, stages=stages)


def staged(*stages, **changes) -> Plan:
    """A plan with these stages."""
    return with_fleet(new_plan((2, 2), (8, 8), stages=list(stages), **changes), facts=changes.get("facts", PROMPT))


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (with_fleet(QUIET, {"": 0}), "fleet factory has no device that the file asks for"),
        (with_fleet(QUIET, unplaced=3), "fleet factory: 3 devices report no bucket and are in no stage"),
        (
            with_fleet(new_plan((2, 2), (0, 0), (8, 8), facts=PROMPT)),
            "stage 2 has no devices: earlier stages have taken them",
        ),
        (
            with_fleet(for_model("rev-z"), {"rev-a": 8, "rev-b": 0}),
            "stage 1 has no devices: no device is of model rev-z; models that there are: rev-a, unknown",
        ),
        (with_fleet(for_model("rev-a"), {"rev-a": 8}), "stage 1 has no devices: earlier stages have taken them"),
        (
            with_fleet(new_plan((2, 2), (8, 8), stages=[{"percent": 10}, {"percent": 50}]), {"": 20}),
            "20 of 30 devices are in a stage: the others keep their release",
        ),
        (
            with_fleet(
                new_plan((2, 2), (8, 8), facts=SLOW, stages=[{"percent": 10, "soak": "10m"}, {"percent": 100}]),
                facts=SLOW,
            ),
            "stage 1 soaks for 10 min, and reports take up to 30 min to show: the next stage may begin before",
        ),
        (
            with_fleet(
                new_plan((2, 2), (8, 8), facts=SLOW, stages=[{"percent": 10, "enough": 50}, {"percent": 100}]),
                facts=SLOW,
            ),
            "stage 1 soaks for 0 s, and reports take up to 30 min to show",
        ),
        (
            with_fleet(new_plan((2, 2), (8, 8), facts=SLOW), facts=SLOW),
            "stage 1 soaks for 0 s, and reports take up to 30 min to show",
        ),
        (
            staged({"percent": 10}, {"percent": 100}, pace=9, windows=[{"cron": "0 2 * * *", "duration": "30m"}]),
            "the window '0 2 * * *' is open for 30 min, and a device may take 1 h: devices that begin late",
        ),
        (
            staged({"percent": 10}, {"percent": 100}, gates={"failure_rate": {"limit": 2}}),
            "stage 1 has 4 devices, and its failure rate needs ",
        ),
        (
            with_fleet(QUIET, {"": 5001}),
            "fleet factory names its 5001 devices one by one, which costs calls with every device",
        ),
        (
            with_fleet(new_plan((2, 2), facts=PROMPT, late_joiners="include"), facts=Facts("test", by_bucket=True)),
            "fleet factory selects by bucket: devices that join after the last stage began are not included",
        ),
        (
            with_fleet(new_plan((2, 2), (8, 8), facts=PROMPT, gates=HEALTH), facts=ABSENT),
            "fleet factory: health metrics cannot be had: no index",
        ),
    ],
)
def test_what_a_person_should_think_about_is_said(plan, words):
    """Each with the figure that it is about."""
    assert any(text.startswith(words) for text in warnings(plan)), warnings(plan)


@pytest.mark.parametrize(
    "plan",
    [
        QUIET,
        with_fleet(QUIET, facts=ABSENT),
        with_fleet(QUIET, {"": 5001}, facts=Facts("test", by_bucket=True, feedback_minutes=0)),
        with_fleet(new_plan((10, 10), facts=SLOW), facts=SLOW),
        with_fleet(
            new_plan((2, 2), (8, 8), facts=SLOW, stages=[{"percent": 9, "soak": "1h"}, {"percent": 100}]), facts=SLOW
        ),
        staged({"percent": 10}, {"percent": 100}, gates={"failure_rate": {"limit": 2, "undecided": "advance"}}),
        staged({"percent": 10}, {"percent": 100}, windows=[{"cron": "0 2 * * *", "duration": "30m"}]),
    ],
)
def test_a_sound_plan_warns_of_nothing(plan):
    """Warnings that always come are never read."""
    quiet = msgspec.structs.replace(plan, stages=tuple(map(unnamed, plan.stages)))

    assert warnings(quiet) == ()


def unnamed(stage: PlannedStage) -> PlannedStage:
    """The stage with its devices found by bucket."""
    cohorts = [Cohort(each.fleet, buckets=(Buckets(0, 9),), count=each.size) for each in stage.cohorts]
    return PlannedStage(tuple(cohorts))


ASKED = [
    ("pace", {"pace": 9}),
    ("maintenance windows", {"windows": [{"cron": "0 2 * * *", "duration": "3h"}]}),
    ("freeze calendar", {"freeze": ["x.ics"]}),
    ("retries", {"retries": {"silent": 1}}),
    ("late joiners", {"late_joiners": "include"}),
    ("health metrics", {"gates": HEALTH}),
    ("watchdog resets", {"gates": {"watchdog_resets": 0}}),
    ("device query", {"fleets": [{"name": "factory", "query": "x"}, "depot"]}),
]


@pytest.mark.parametrize(("feature", "changes"), ASKED, ids=lambda each: str(each)[:20])
def test_a_feature_is_shown_where_the_file_asks_for_it(feature, changes):
    """And only there; what every rollout needs is always shown, what none asks for never."""
    assert is_wanted(new_plan((2, 2), **changes), feature)
    assert not is_wanted(new_plan((2, 2)), feature)
    assert is_wanted(new_plan((2, 2)), "pause")
    assert not is_wanted(new_plan((2, 2)), "adoption")


def test_a_way_back_is_asked_for_by_naming_one():
    """The plans of these tests do."""
    without = new_plan((2, 2), roll_back=None)

    assert is_wanted(new_plan((2, 2)), "roll back")
    assert not is_wanted(without, "roll back")


def test_every_feature_that_an_adapter_tells_is_one_that_plans_know():
    """One word a thing: else a plan would show what nobody asked for."""
    from adapters.aws.facts import FEATURES as AWS
    from adapters.azure.fleet.facts import FEATURES as AZURE

    assert {feature.name for feature in (*AWS, *AZURE)} <= set(FEATURES)


def test_there_is_one_word_for_each_feature():
    """What is no feature is never asked for; what every rollout needs always is."""
    conditional = {name for name, _ in ASKED} | {"roll back", "adoption", "abort criteria"}
    always = {name for name in FEATURES if is_wanted(new_plan((2, 2), roll_back=None), name)}

    assert always == {"percentage stages", "pause", "timeouts", "silence", "failure budget"}
    assert always | conditional == set(FEATURES)
    assert not is_wanted(new_plan((2, 2), freeze=["x.ics"]), "freeze")
