"""A fleet whose devices AWS itself finds, by the bucket that each reports."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from adapters.aws.cloud import AwsFleet
from adapters.simulation.faults import Effect
from bridge.fleet import Census, Device, FleetError, LimitError
from bridge.names import stage_name
from bridge.release.bucket import Buckets, bucket
from bridge.rollout.model import FleetPart
from bridge.tally import Tally
from tests.adapters.aws.indexing import EVERY_BUCKET, INDEXED, LOW, report_of, within

NAMES = tuple(f"gate-{number}" for number in range(20))
WHOLE = FleetPart("factory")


@pytest.fixture
def iot(simulator):
    """Twenty devices in the index: every fourth a gw-1, the others gw-2; and a thing that reports nothing."""
    simulator.populate(
        {name: report_of(name, model="gw-1" if number % 4 == 0 else "gw-2") for number, name in enumerate(NAMES)}
    )
    iot = simulator.client("iot")
    iot.update_indexing_configuration(thingIndexingConfiguration=INDEXED)
    iot.create_thing(thingName="printer")
    return iot


@pytest.fixture
def fleet(fleet, iot):
    """The fleet, by bucket."""
    assert iot
    return AwsFleet("factory", msgspec.structs.replace(fleet._settings, by_bucket=True))


@pytest.fixture
def order(order):
    """The lower half of the buckets."""
    return replace(order, devices=(), buckets=LOW, size=len(within(NAMES, LOW)), part=WHOLE)


def queued(simulator, key):
    """The devices that have an execution."""
    return {each.thing for each in simulator.executions(stage_name(key))}


def test_a_census_counts_by_model(fleet):
    """In the whole fleet, in a range of buckets, of some models; what reports no bucket is told apart."""
    low = within(NAMES, LOW)
    small = {name for name in low if NAMES.index(name) % 4 == 0}

    assert fleet.census(WHOLE) == Census({"gw-1": 5, "gw-2": 15}, unplaced=1)
    assert fleet.census(WHOLE, LOW) == Census({"gw-1": len(small), "gw-2": len(low - small)}, unplaced=1)
    assert fleet.census(WHOLE, LOW, ("gw-1",)) == Census({"gw-1": len(small)}, unplaced=1)


def test_a_census_of_a_part_counts_the_part(fleet, iot):
    """Group, query and a list of names."""
    iot.create_thing_group(thingGroupName="eu")
    for name in (*NAMES[:4], "printer"):
        iot.add_thing_to_thing_group(thingGroupName="eu", thingName=name)

    assert fleet.census(FleetPart("factory", group="eu")) == Census({"gw-1": 1, "gw-2": 3}, unplaced=1)
    assert fleet.census(FleetPart("factory", query="thingName:gate-1*")).models == {"gw-1": 2, "gw-2": 9}
    assert sum(fleet.census(FleetPart("factory", devices=NAMES[:3])).models.values()) == 3


def test_devices_are_named_with_their_models(fleet):
    """As the shadow reports them, in any range of buckets, over pages."""
    found = set(fleet.devices(WHOLE, LOW))

    assert {device.id for device in found} == within(NAMES, LOW)
    assert Device("gate-0", "gw-1") in set(fleet.devices(WHOLE))
    assert Device("printer") in set(fleet.devices(WHOLE))


def test_a_stage_is_a_dynamic_group(simulator, fleet, iot, order):
    """Its query says which devices; its job has them all, and starting again changes nothing."""
    fleet.start(order)
    fleet.start(order)

    group = iot.describe_thing_group(thingGroupName=stage_name(order.key))
    assert group["queryString"] == "thingName:* AND shadow.name.otabridge.reported.bucket:[0 TO 4999]"
    assert group["thingGroupProperties"]["thingGroupDescription"] == (
        f"otabridge stage, {order.size} devices of buckets 0-4999"
    )
    assert queued(simulator, order.key) == within(NAMES, LOW)
    assert fleet.tally(order.key) == Tally(waiting=order.size)


def test_a_stage_takes_part_and_models_into_its_query(simulator, fleet, order):
    """Two ranges, a person's query, two models."""
    part = FleetPart("factory", query="thingName:gate-1* OR thingName:gate-2")
    ends = (Buckets(8000, 9999), Buckets(0, 1999))

    fleet.start(replace(order, part=part, buckets=ends, models=("gw-1", "gw-9")))

    wanted = within([name for name in NAMES[::4] if name.startswith("gate-1") or name == "gate-2"], ends)
    assert queued(simulator, order.key) == wanted


def test_a_group_that_is_not_built_is_waited_for(simulator, fleet, order):
    """No job before it is whole; the start fails retryably, and the next one goes on."""
    simulator.build_groups_after(600)
    hasty = AwsFleet("factory", msgspec.structs.replace(fleet._settings, visible_seconds=0.2))
    with pytest.raises(FleetError, match=r"group \S+ is still being built after 0\.2 s") as slow:
        hasty.start(order)
    assert slow.value.retryable
    assert hasty.tally(order.key) is None

    simulator.clock.advance(601)
    hasty.start(order)

    assert hasty.tally(order.key) == Tally(waiting=order.size)


def test_a_group_of_other_devices_stops_the_start(fleet, iot, order):
    """Somebody made or changed it: the query is shown, nothing is offered."""
    iot.create_dynamic_thing_group(thingGroupName=stage_name(order.key), queryString="thingName:*")

    with pytest.raises(FleetError, match=r"holds other devices than those of the query thingName:\* AND shadow"):
        fleet.start(order)


@pytest.mark.parametrize("effect", [Effect.LOSE_REPLY, Effect.THROTTLE, Effect.SERVER_ERROR])
def test_making_the_group_survives(simulator, fleet, order, effect):
    """A lost reply leaves the group behind; boto3's second try meets it and finds it the right one."""
    simulator.faults.plan("CreateDynamicThingGroup", effect)

    fleet.start(order)

    assert len(simulator.faults.hits()) == 1
    assert fleet.tally(order.key) == Tally(waiting=order.size)


@pytest.mark.parametrize("counted", [3, 12])
def test_the_stage_has_the_devices_that_the_job_found(simulator, fleet, order, counted):
    """Fewer or more than were counted when the plan was made: the stage comes to its end all the same."""
    fleet.start(replace(order, size=counted))
    found = queued(simulator, order.key)
    assert fleet.tally(order.key) == Tally(waiting=len(found))

    data = simulator.client("iot-jobs-data")
    for name in found:
        data.update_job_execution(jobId=stage_name(order.key), thingName=name, status="SUCCEEDED")

    assert fleet.tally(order.key) == Tally(installed=len(found), open=False)


def test_until_all_are_found_the_count_stands(simulator, fleet, order):
    """Two a minute: the others wait, and are counted as they were when the plan was made."""
    fleet.start(replace(order, pace=2))
    assert len(queued(simulator, order.key)) == 2
    assert fleet.tally(order.key) == Tally(waiting=order.size)

    simulator.clock.advance(61)
    assert len(queued(simulator, order.key)) == 4
    fleet.stop(order.key, "window closes")

    assert fleet.tally(order.key) == Tally(withdrawn=order.size, open=False, cancelled=True)


PACES = [(None, None, None), (7, None, 7), (7, 5, 5), (None, 5, 5), (5000, None, 1000)]


@pytest.mark.parametrize("bounds", PACES)
def test_the_least_pace_counts(fleet, iot, order, bounds):
    """The rollout's wish, the fleet's bound, and what AWS can."""
    wished, allowed, given = bounds
    settings = msgspec.structs.replace(fleet._settings, per_minute=allowed)
    AwsFleet("factory", settings).start(replace(order, pace=wished))

    config = iot.describe_job(jobId=stage_name(order.key))["job"].get("jobExecutionsRolloutConfig", {})
    assert config.get("maximumPerMinute") == given


def test_stopping_gives_the_group_back(fleet, iot, order):
    """A dynamic one too; stopping twice, or what was never started, is nothing."""
    fleet.start(order)

    fleet.stop(order.key, "paused")
    fleet.stop(order.key, "paused")
    fleet.stop("never", "paused")

    assert iot.list_thing_groups()["thingGroups"] == []
    assert fleet.tally(order.key) == Tally(withdrawn=order.size, open=False, cancelled=True)


def test_a_group_stays_while_a_device_is_in_the_middle(simulator, fleet, iot, order):
    """The next start sweeps it, once that device has ended."""
    fleet.start(order)
    busy = min(queued(simulator, order.key))
    data = simulator.client("iot-jobs-data")
    data.start_next_pending_job_execution(thingName=busy)
    fleet.stop(order.key, "paused")
    assert len(iot.list_thing_groups()["thingGroups"]) == 1

    data.update_job_execution(jobId=stage_name(order.key), thingName=busy, status="SUCCEEDED")
    fleet.start(replace(order, key="spring/2"))

    assert [group["groupName"] for group in iot.list_thing_groups()["thingGroups"]] == [stage_name("spring/2")]


REFUSED = [
    ({"part": FleetPart("factory", query="a) OR (b")}, "query: 'a\\) OR \\(b'; a quote, bracket"),
    ({"models": tuple(f"m{n}" for n in range(12))}, "query: 14 terms; the limit is 12"),
    ({"models": ("a/b",)}, "models: 'a/b'; has a character"),
    ({"devices": ("gate-1",)}, "devices: 1 beside buckets; one or the other"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[row[1] for row in REFUSED])
def test_an_order_that_no_query_can_hold_is_refused(fleet, iot, order, change, message):
    """Before anything is made."""
    with pytest.raises(LimitError, match=message):
        fleet.start(replace(order, **change))
    assert iot.list_thing_groups()["thingGroups"] == []


def test_a_fleet_by_name_takes_no_buckets(fleet, order):
    """With the setting that would allow it."""
    by_name = AwsFleet("factory", msgspec.structs.replace(fleet._settings, by_bucket=False))

    with pytest.raises(LimitError, match=r"buckets: otabridge stage, .*set `by_bucket` in its configuration"):
        by_name.check(order)
    fleet.check(order)


LACKING = [
    ({"thingIndexingMode": "OFF"}, "thingIndexingMode: OFF; must be REGISTRY_AND_SHADOW; set it with Update"),
    ({**INDEXED, "namedShadowIndexingMode": "OFF", "customFields": []}, "namedShadowIndexingMode: OFF; must be ON"),
    (
        {**INDEXED, "filter": {"namedShadowNames": ["x"]}, "customFields": []},
        "namedShadowNames: x; must name otabridge",
    ),
    ({**INDEXED, "customFields": INDEXED["customFields"][:1]}, r"customFields: without \S+model of type String"),
]


@pytest.mark.parametrize(("config", "message"), LACKING, ids=[row[1] for row in LACKING])
def test_what_the_index_lacks_is_named(fleet, iot, config, message):
    """When the facts are asked for, before anything is planned."""
    iot.update_indexing_configuration(thingIndexingConfiguration=config)

    with pytest.raises(LimitError, match=f"fleet factory: .*{message}"):
        fleet.facts()


def update(simulator, name, **reported):
    """A device reports anew."""
    payload = json.dumps({"state": {"reported": reported}})
    simulator.client("iot-data").update_thing_shadow(thingName=name, shadowName="otabridge", payload=payload)


def test_health_is_counted_among_updated_and_others(simulator, fleet, order, package):
    """Updated is who reports the release; the others are outside the buckets that were reached."""
    fleet.start(order)
    low, high = sorted(within(NAMES, LOW)), sorted(set(NAMES) - within(NAMES, LOW))
    for name in low[:3]:
        update(simulator, name, sequence=package.release.sequence)
    update(simulator, low[0], battery=5, watchdog_resets=2)
    update(simulator, high[0], battery=7)
    update(simulator, high[1], watchdog_resets=1)

    count = fleet.health((order.key,), "shadow.name.otabridge.reported.battery<10")

    assert (count.updated_bad, count.updated, count.others_bad, count.others) == (1, 3, 1, len(high))
    assert fleet.watchdog_resets((order.key,)) == 1


def test_health_before_the_first_order(fleet):
    """Nobody is updated, everybody who reports is another."""
    count = fleet.health((), "shadow.name.otabridge.reported.watchdog_resets>0")

    assert (count.updated_bad, count.updated, count.others_bad, count.others) == (0, 0, 0, len(NAMES))
    assert fleet.watchdog_resets(("never",)) == 0


def test_health_without_an_index_says_what_to_configure(fleet, iot, order):
    """Also a condition that AWS would refuse is named before it is asked."""
    with pytest.raises(LimitError, match="condition: 'x\\(y'; a quote, bracket or parenthesis"):
        fleet.health((order.key,), "x(y")
    iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    unaware = AwsFleet("factory", fleet._settings)

    for ask in (lambda: unaware.health((order.key,), "thingName:*"), lambda: unaware.watchdog_resets((order.key,))):
        with pytest.raises(LimitError, match="namedShadowIndexingMode: OFF; must be ON"):
            ask()


def test_every_range_of_buckets_is_every_device(fleet):
    """The bucket that a device reports is the one that the plan computes."""
    assert {device.id for device in fleet.devices(WHOLE, EVERY_BUCKET)} == set(NAMES)
    assert all(0 <= bucket(name) <= 9999 for name in NAMES)
