"""Orders for ranges of buckets: what is counted, who joins, whose devices are left alone, and what it costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from adapters.simulation.faults import Effect
from bridge.fleet import Census, Device, FleetError, LimitError
from bridge.names import stage_name
from bridge.release.bucket import Buckets, bucket
from bridge.release.report import Outcome, Report
from bridge.rollout.model import FleetPart
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, calls_counted, finish, order_of, put
from tests.releases import MODEL

KEY = "spring/1"
STAGE = stage_name(KEY)
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
ALL = FleetPart("factory")
LOW = (Buckets(0, 99),)
WINDOW = (Buckets(9990, 9999), Buckets(0, 99))


@pytest.fixture
def plant(tmp_path, package):
    """Azure with devices in buckets 5 and 50, of the group eu, 500 and 9995, and one of eu that tells none."""
    with Plant(tmp_path).running() as plant:
        plant.add("gate-5", "gate-50", group="eu")
        plant.add("gate-500", "gate-9995")
        for name in ("gate-5", "gate-50", "gate-500", "gate-9995"):
            plant.say_of_itself(name, bucket=int(name.partition("-")[2]))
        plant.say_of_itself("gate-5", model="x5")
        plant.add("mute", group="eu")
        put(plant.fleet, package, tmp_path)
        plant.fleet = plant.open(by_bucket=True)
        yield plant


@pytest.fixture
def order(package):
    """The release for the window, of which three devices were counted."""
    return order_of(package, (), buckets=WINDOW, part=ALL, size=3)


def test_a_census_counts_by_model_and_lists_nobody(plant):
    """The device's own model first, then its agent's; who reports no bucket is counted apart."""
    assert plant.fleet.census(ALL) == Census({"x5": 1, MODEL: 3}, unplaced=1)
    assert plant.fleet.census(ALL, WINDOW) == Census({"x5": 1, MODEL: 2}, unplaced=1)
    assert plant.fleet.census(ALL, WINDOW, ("x5",)) == Census({"x5": 1})
    assert plant.fleet.census(FleetPart("factory", group="eu"), LOW) == Census({"x5": 1, MODEL: 1}, unplaced=1)
    with calls_counted() as calls:
        plant.fleet.census(ALL, WINDOW)
    assert Counter(calls)["POST /devices/query"] == 4


def test_a_bucket_that_is_none_places_nobody(plant):
    """Whatever a device makes of it."""
    plant.say_of_itself("gate-5", bucket="5")
    plant.say_of_itself("gate-50", bucket=-50)

    assert plant.fleet.census(ALL) == Census({MODEL: 2}, unplaced=3)


def test_a_model_that_nobody_knows_is_counted(plant):
    """A device that was never online with its agent."""
    plant.add("bare", online=False)
    plant.say_of_itself("bare", bucket=7)

    assert plant.fleet.census(ALL, LOW).models == {"x5": 1, MODEL: 1, "": 1}


def test_devices_of_buckets_are_listed_with_their_models(plant):
    """By what they report; the others are not among them."""
    assert set(plant.fleet.devices(ALL, LOW)) == {Device("gate-5", "x5"), Device("gate-50", MODEL)}
    assert len(list(plant.fleet.devices(ALL))) == 5


def test_a_fleet_that_lists_places_devices_by_their_ids(plant):
    """Nothing need be reported; the same ranges choose the same devices."""
    listing = plant.open()
    ranges = (Buckets(0, 4999),)
    chosen = [name for name in ("gate-5", "gate-50", "gate-500", "gate-9995", "mute") if bucket(name) <= 4999]

    assert sorted(device.id for device in listing.devices(ALL, ranges)) == sorted(chosen)
    assert sum(listing.census(ALL, ranges).models.values()) == len(chosen)
    assert listing.census(ALL, models=("x5",)) == Census({"x5": 1})


def test_listed_devices_and_conditions_are_parts(plant):
    """Every given selector chooses; a condition may hold an OR."""
    listed = FleetPart("factory", devices=("gate-5", "mute", "gone"))
    assert {device.id for device in plant.fleet.devices(listed)} == {"gate-5", "mute"}
    assert plant.fleet.census(listed) == Census({"x5": 1, MODEL: 1})
    asked = FleetPart("factory", group="eu", query="deviceId = 'gate-5' OR deviceId = 'gate-500'")
    assert [device.id for device in plant.fleet.devices(asked)] == ["gate-5"]


def test_a_condition_that_the_hub_cannot_read_is_named(plant):
    """As is one that would break out, before any call."""
    with pytest.raises(FleetError, match=r"fleet factory: IoT Hub does not take the condition 'tags\.a = = 1': Syntax"):
        plant.fleet.census(FleetPart("factory", query="tags.a = = 1"))
    with calls_counted() as calls, pytest.raises(LimitError, match=r"query: .* the condition has a parenthesis"):
        list(plant.fleet.devices(FleetPart("factory", query="a = 1) OR (b = 2")))
    assert calls == []


def test_a_window_joins_with_one_job_for_each_group(plant, order):
    """Over both ends of the numbers; each device keeps the group that it came from."""
    with calls_counted() as calls:
        plant.fleet.start(order)

    assert sum(call.startswith("PUT /jobs/v2/") for call in calls) == 2
    assert plant.tags("gate-5")[0] == {"ADUGroup": STAGE, "otabridge": {"stage": STAGE, "was": "eu"}}
    assert plant.tags("gate-9995")[0] == {"ADUGroup": STAGE, "otabridge": {"stage": STAGE}}
    assert plant.tags("gate-500") == ({}, None)
    assert plant.tags("mute")[0] == {"ADUGroup": "eu"}
    assert plant.fleet.tally(KEY) == Tally(waiting=3)
    assert plant.hub.wait_until(lambda: plant.goal("gate-50"))


def test_part_and_models_narrow_a_window(plant, order):
    """As they narrowed the count."""
    part = FleetPart("factory", group="eu", query="tags.ADUGroup != 'x'")
    plant.fleet.start(replace(order, part=part, models=(MODEL,), size=1))

    assert plant.fleet.tally(KEY) == Tally(waiting=1)
    assert plant.tags("gate-50")[0]["ADUGroup"] == STAGE


def test_starting_again_is_one_look(plant, order):
    """By a process that knows nothing."""
    plant.fleet.start(order)
    again = plant.open()

    with calls_counted() as calls:
        again.start(order)

    assert [call for call in calls if not call.endswith("/token")] == calls[1:]
    assert len(calls) == 2


@pytest.mark.parametrize("planned", [1, 3, 9])
def test_the_tally_counts_who_is_there_and_not_who_was_planned(plant, order, planned):
    """Devices come and go between the count and the tags."""
    plant.fleet.start(replace(order, size=planned))
    plant.end("gate-5", KEY, INSTALLED)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, installed=1)

    plant.hub.remove_device("gate-50")

    assert plant.fleet.tally(KEY) == Tally(waiting=1, installed=1, withdrawn=1)
    plant.fleet.stop(KEY, "enough")
    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    assert plant.tags("gate-5") == ({"ADUGroup": "eu"}, None)
    assert plant.tags("gate-9995") == ({}, None)


def test_a_window_without_devices_is_over_at_once(plant, order):
    """All that were counted are gone; Device Update would show no group."""
    plant.fleet.start(replace(order, buckets=(Buckets(7000, 7100),)))

    assert plant.fleet.tally(KEY) == Tally(open=False)
    assert plant.state(KEY) == "closed"


def test_stragglers_of_the_same_release_are_left_to_their_own_stage(plant, package, order):
    """A test device that an earlier stage named is switched off; its stage is open, and the next one does not wait."""
    plant.fleet.start(order_of(package, ["gate-5"], key="spring/0"))

    plant.fleet.start(order)

    assert plant.tags("gate-5")[0]["ADUGroup"] == stage_name("spring/0")
    assert plant.fleet.tally("spring/0") == Tally(waiting=1)
    assert plant.fleet.tally(KEY) == Tally(waiting=2)


def test_devices_of_another_release_are_waited_for(plant, kit, tmp_path, order):
    """As an order for named devices does: they must not miss this one. Once that stage has ended, they join."""
    other = kit.package(b"other image", version="1.5.0")
    put(plant.fleet, other, tmp_path)
    plant.fleet.start(order_of(other, ["gate-5"], key="winter/1"))

    words = (
        rf"each of 1 devices of the stage's buckets is in stage {stage_name('winter/1')} still \(order winter/1, open"
    )
    with pytest.raises(FleetError, match=words) as raised:
        plant.fleet.start(order)
    assert raised.value.retryable
    assert plant.tags("gate-50")[0] == {"ADUGroup": "eu"}
    plant.end("gate-5", "winter/1", Report(Outcome.INSTALLED, "b", "1.5.0"))

    said = finish(lambda: plant.fleet.start(order))

    assert len(said) <= 2
    assert plant.state("winter/1") == "closed"
    assert plant.fleet.tally(KEY) == Tally(waiting=3)
    assert plant.tags("gate-5")[0]["otabridge"] == {"stage": STAGE, "was": "eu"}


def test_a_stage_that_was_paused_is_made_again(plant, order):
    """Who is in the middle of the first order ends there, and then joins the second one, which the others have."""
    plant.fleet.start(order)
    plant.begin("gate-5", KEY)
    plant.fleet.stop(KEY, "paused")
    again = replace(order, key="spring/1-2")
    with pytest.raises(FleetError, match="1 devices are in the middle of an earlier order still: they join") as raised:
        plant.fleet.start(again)
    assert raised.value.retryable
    assert plant.fleet.tally("spring/1-2") == Tally(waiting=3)
    assert plant.hub.wait_until(lambda: plant.goal("gate-50"))
    assert plant.tags("gate-5")[0]["ADUGroup"] == STAGE
    plant.end("gate-5", KEY, INSTALLED)

    finish(lambda: plant.fleet.start(again))

    assert plant.fleet.tally("spring/1-2") == Tally(waiting=3)
    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)


def test_devices_of_a_lost_stage_are_refused_with_a_way_out(plant, order):
    """Nobody will ever give them back."""
    other = stage_name("winter/1")
    plant.hub.patch_twin("gate-50", {"tags": {"ADUGroup": other, "otabridge": {"stage": other, "was": "eu"}}})

    with pytest.raises(
        FleetError, match=rf"each of 1 devices .* is tagged for stage {other}, which no order"
    ) as raised:
        plant.fleet.start(order)

    assert not raised.value.retryable


def test_a_device_that_left_its_group_while_it_was_borrowed_is_no_part_of_it(plant, order):
    """The tag of before is no membership."""
    plant.hub.patch_twin("gate-50", {"tags": {"ADUGroup": "us", "otabridge": {"stage": "x", "was": "eu"}}})

    plant.fleet.start(replace(order, part=FleetPart("factory", group="eu")))

    assert plant.tags("gate-50")[0]["ADUGroup"] == "us"
    assert plant.fleet.tally(KEY) == Tally(waiting=1)


def test_a_tag_that_is_no_group_is_named(plant, order):
    """It could not be given back."""
    plant.hub.patch_twin("gate-50", {"tags": {"ADUGroup": 7}})

    with pytest.raises(FleetError, match="1 devices have the tag ADUGroup '7', no group's name; correct it"):
        plant.fleet.start(order)


def test_a_stranger_in_the_group_stops_the_start(plant, order):
    """Device Update would update it too."""
    plant.add("stranger", group=STAGE)

    with pytest.raises(FleetError, match=rf"group {STAGE} holds 1 devices that the stage did not take"):
        plant.fleet.start(order)
    assert plant.deployment(KEY) is None


def test_a_device_that_a_job_could_not_change_is_tried_again(plant, order):
    """The next job is for the rest alone."""
    plant.faults.plan("job_device", Effect.SERVER_ERROR, "gate-50")

    said = finish(lambda: plant.fleet.start(order))

    assert len(said) == 1
    assert "1 of 2 twins changed, 1 failed; 2 devices of group eu were to join" in said[0]
    assert plant.fleet.tally(KEY) == Tally(waiting=3)


def test_an_index_that_lags_is_waited_for(plant, order):
    """Nothing is deployed before queries show who has joined; then what was borrowed is as it was."""
    with plant.hub.stale_index(), pytest.raises(FleetError, match="the hub shows 3 devices that are to join") as raised:
        plant.open(patience_seconds=0.1).start(order)
    assert raised.value.retryable
    assert plant.deployment(KEY) is None

    finish(lambda: plant.fleet.start(order))

    assert plant.fleet.tally(KEY) == Tally(waiting=3)
    assert plant.tags("gate-5")[0]["otabridge"] == {"stage": STAGE, "was": "eu"}


def test_calls_do_not_grow_with_the_devices(plant, order):
    """A start, a tally, a census and a stop of ten times as many devices cost the same."""
    few = _calls_of(plant, replace(order, key="few", size=3))
    for number in range(30):
        plant.say_of_itself(*plant.add(f"more-{number}", group="eu" if number % 2 else None), bucket=number)

    many = _calls_of(plant, replace(order, key="few-2", size=33))

    assert many == few


def _calls_of(plant, order):
    """Calls by kind, but for those that wait for what Azure does in its own time."""
    plant.fleet.start(replace(order, key=f"warm-{order.key}"))
    plant.fleet.stop(f"warm-{order.key}", "the update is imported now")
    with calls_counted() as calls:
        plant.fleet.census(ALL, WINDOW)
        plant.fleet.start(order)
        plant.fleet.tally(order.key)
        plant.fleet.stop(order.key, "counted")
    kinds = ("POST /devices/query", "PUT /jobs/v2/", "PUT /deviceUpdate", "DELETE")
    return {kind: sum(call.startswith(kind) for call in calls) for kind in kinds}
