"""A fleet in Azure from the first order to its counts, and what a person reads when something is in the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.azure.cloud import AzureFleet
from adapters.azure.wire import reported_progress
from bridge.fleet import DeviceReport, FleetError, LimitError
from bridge.names import stage_name
from bridge.release.errors import FailureCode, MalformedRelease
from bridge.release.report import Outcome, Phase, Progress, Report
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, calls_counted, ids_of, order_of, put

KEY = "spring/1"
STAGE = stage_name(KEY)
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")
THREE = ("gate-1", "gate-2", "gate-3")


@pytest.fixture
def plant(tmp_path, package):
    """Azure with three devices, two of them in the group eu, and the artifact in the container."""
    with Plant(tmp_path).running() as plant:
        plant.add("gate-1", "gate-2", group="eu")
        plant.add("gate-3")
        put(plant.fleet, package, tmp_path)
        yield plant


@pytest.fixture
def order(package):
    """The release for all three."""
    return order_of(package, THREE)


def test_devices_are_those_of_the_hub_or_of_a_group(plant, order):
    """Each once; a stage borrows the tag and not the membership."""
    plant.fleet.start(order)

    assert sorted(ids_of(plant.fleet)) == list(THREE)
    assert sorted(ids_of(plant.fleet, group="eu")) == ["gate-1", "gate-2"]
    plant.hub.patch_twin("gate-2", {"tags": {"ADUGroup": "moved"}})
    assert sorted(ids_of(plant.fleet, group="eu")) == ["gate-1"]
    assert ids_of(plant.fleet, group="us") == []


def test_all_pages_are_read(plant):
    """More devices than one page holds."""
    names = plant.add(*(f"lot-{number:04}" for number in range(1010)), group="lot", online=False)

    assert sorted(ids_of(plant.fleet, group="lot")) == sorted(names)


def test_a_stage_is_a_group_and_a_deployment(plant, order):
    """Under one name; the devices' earlier groups are kept beside."""
    plant.fleet.start(order)

    assert plant.tags("gate-1") == ({"ADUGroup": STAGE, "otabridge": {"stage": STAGE, "was": "eu"}}, {"stage": STAGE})
    assert plant.tags("gate-3") == ({"ADUGroup": STAGE, "otabridge": {"stage": STAGE}}, {"stage": STAGE})
    assert STAGE in plant.groups()
    found = plant.deployment(KEY)
    assert found["update"]["updateId"] == {"provider": "contoso", "name": "gateway-os", "version": "2.0.0"}
    assert found["downloadSecurity"] == "https"
    assert plant.hub.wait_until(lambda: plant.goal("gate-3"))
    assert plant.fleet.tally(KEY) == Tally(waiting=3)


def test_starting_again_is_nothing(plant, order):
    """One look at the record, by a process that knows nothing."""
    plant.fleet.start(order)
    again = plant.open()

    with calls_counted() as calls:
        again.start(order)

    token, record = calls
    assert token.endswith("/token")
    assert record.startswith(f"GET /{plant.simulator.account}/{plant.simulator.container}/otabridge/orders/127.0.0.")
    assert record.endswith(f"/{plant.simulator.instance}/{STAGE}.json")


def test_the_same_release_is_imported_once(plant, package, order):
    """The second stage finds it there."""
    plant.fleet.start(replace(order, devices=("gate-1",)))

    with calls_counted() as calls:
        plant.fleet.start(order_of(package, ["gate-2"], key="spring/2"))

    assert not [call for call in calls if call.endswith("updates:import")]
    assert plant.fleet.tally("spring/2") == Tally(waiting=1)


def test_every_standing_is_counted(plant, order):
    """As the devices report, without asking Device Update for each."""
    plant.fleet.start(order)
    plant.begin("gate-1", KEY)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, running=1)

    plant.end("gate-1", KEY, INSTALLED)
    plant.end("gate-2", KEY, FAILED)

    assert plant.fleet.tally(KEY) == Tally(waiting=1, installed=1, failed=1)
    assert list(plant.fleet.reports(KEY)) == [
        DeviceReport("gate-2", Outcome.FAILED, FailureCode.SLOT_WRITE, "disk full", "a")
    ]


def test_signs_of_life_do_not_buy_time(plant, order):
    """A device that shows progress for ever is as late as a silent one: its time runs from when it began."""
    plant.fleet.start(order)
    plant.begin("gate-1", KEY)
    for percent in (10, 50, 90):
        plant.simulator.clock.advance(15 * 60)
        plant.hub.report("gate-1", reported_progress(Progress(Phase.DOWNLOADING, percent)))

    assert plant.fleet.tally(KEY) == Tally(waiting=2, timed_out=1)


def test_a_device_that_is_late_is_timed_out(plant, order):
    """By the hub's own record of when it began; the report says where it was."""
    plant.fleet.start(order)
    plant.begin("gate-1", KEY, Progress(Phase.DOWNLOADING, 40))
    plant.simulator.clock.advance(29 * 60)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, running=1)

    plant.simulator.clock.advance(2 * 60)

    assert plant.fleet.tally(KEY) == Tally(waiting=2, timed_out=1)
    assert list(plant.fleet.reports(KEY)) == [
        DeviceReport("gate-1", None, None, "not ended 30 minutes after it began while downloading (40 %)")
    ]


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
def test_a_clock_that_is_wrong_times_nobody_out(plant, order, ahead):
    """What counts is the hub's clock, on both sides of the comparison."""
    skewed = plant.open(ahead=ahead)
    plant.fleet.start(order)
    plant.begin("gate-1", KEY)
    plant.simulator.clock.advance(29 * 60)
    assert skewed.tally(KEY) == Tally(waiting=2, running=1)

    plant.simulator.clock.advance(2 * 60)

    assert skewed.tally(KEY) == Tally(waiting=2, timed_out=1)
    assert [report.device for report in plant.open(ahead=ahead).reports(KEY)] == ["gate-1"]


def test_a_device_that_left_the_hub_is_withdrawn(plant, order):
    """The tally still adds up to the order's devices."""
    plant.fleet.start(order)

    plant.hub.remove_device("gate-2")

    assert plant.fleet.tally(KEY) == Tally(waiting=2, withdrawn=1)


def test_a_device_that_was_registered_anew_is_withdrawn(plant, order):
    """Its new twin knows nothing of the stage, and what it says of it now counts for nobody."""
    plant.fleet.start(order)
    plant.begin("gate-2", KEY)
    plant.hub.remove_device("gate-2")
    plant.add("gate-2", group="eu")

    plant.end("gate-2", KEY, INSTALLED)

    assert plant.fleet.tally(KEY) == Tally(waiting=2, withdrawn=1)
    plant.fleet.stop(KEY, "enough")
    assert plant.tags("gate-2") == ({"ADUGroup": "eu"}, None)


def test_a_key_belongs_to_one_release(plant, kit, order):
    """A second release under the same key is refused, not mixed in."""
    plant.fleet.start(order)
    other = kit.package(b"other image", version="3.0.0", sequence=3)

    with pytest.raises(FleetError, match=rf"fleet factory: stage {STAGE} exists already and offers another release"):
        plant.fleet.start(replace(order, release=other.document))


def test_a_stage_without_devices_is_over_at_once(plant, order):
    """It needs no group, which Device Update would not show."""
    plant.fleet.start(replace(order, devices=()))
    plant.fleet.start(replace(order, devices=()))

    assert plant.fleet.tally(KEY) == Tally(open=False)
    assert plant.groups() == {"eu"}
    plant.fleet.stop(KEY, "nothing there")


def test_an_unknown_key_has_nothing(plant):
    """No tally, no reports, and nothing to stop."""
    assert plant.fleet.tally("never") is None
    assert list(plant.fleet.reports("never")) == []
    plant.fleet.stop("never", "why")


def test_a_missing_device_is_named_before_any_is_touched(plant, order):
    """With how many there are like it."""
    with pytest.raises(FleetError, match=r"device gone-1 \(and 1 more\) is not registered in IoT Hub") as raised:
        plant.fleet.start(replace(order, devices=(*THREE, "gone-1", "gone-2")))

    assert not raised.value.retryable
    assert plant.tags("gate-1") == ({"ADUGroup": "eu"}, None)
    assert plant.fleet.tally(KEY) is None
    assert list(plant.fleet.reports(KEY)) == []


def test_a_device_in_another_stage_is_waited_for(plant, order):
    """It is in one group at a time; once the other stage has ended it joins."""
    first = replace(order, key="winter/1", devices=("gate-1",))
    plant.fleet.start(first)

    with pytest.raises(FleetError, match=rf"device gate-1 is in stage {stage_name('winter/1')} still") as raised:
        plant.fleet.start(order)
    assert raised.value.retryable
    assert plant.tags("gate-2") == ({"ADUGroup": "eu"}, None)

    plant.end("gate-1", "winter/1", INSTALLED)
    plant.fleet.stop("winter/1", "completed")
    plant.fleet.start(order)

    assert plant.fleet.tally(KEY) == Tally(waiting=3)
    assert plant.tags("gate-1")[0]["otabridge"] == {"stage": STAGE, "was": "eu"}


def test_a_tag_that_is_no_group_is_named(plant, order):
    """It could not be given back."""
    plant.hub.patch_twin("gate-2", {"tags": {"ADUGroup": 7}})

    with pytest.raises(FleetError, match="device gate-2: the tag ADUGroup is '7', no group's name; correct it"):
        plant.fleet.start(order)


def test_a_stranger_in_the_group_stops_the_start(plant, order):
    """Device Update would update it too."""
    plant.add("stranger", group=STAGE)

    with pytest.raises(FleetError, match=rf"group {STAGE} holds 1 devices that the stage does not name"):
        plant.fleet.start(order)
    assert plant.deployment(KEY) is None


def test_a_cancelled_deployment_is_seen(plant, order):
    """Somebody wanted an end; who has not begun never will, and nothing is cleaned away before a person has looked."""
    plant.fleet.start(order)
    plant.end("gate-1", KEY, INSTALLED)

    plant.cancel(KEY)

    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    assert plant.deployment(KEY)["isCanceled"]


def test_a_cancelled_deployment_that_all_had_ended_is_none(plant, order):
    """They had ended before."""
    plant.fleet.start(order)
    for name in THREE:
        plant.end(name, KEY, INSTALLED)

    plant.cancel(KEY)

    assert plant.fleet.tally(KEY) == Tally(installed=3)


def test_failed_devices_can_be_tried_again(plant, order):
    """Device Update sends them the same update with another retry timestamp."""
    plant.fleet.start(order)
    assert plant.hub.wait_until(lambda: plant.goal("gate-2"))
    plant.end("gate-2", KEY, FAILED)
    plant.await_failures(KEY, 1)

    plant.fleet.retry(KEY)

    assert plant.hub.wait_until(lambda: plant.goal("gate-2")["workflow"].get("retryTimestamp"))
    assert not plant.goal("gate-1")["workflow"].get("retryTimestamp")
    plant.begin("gate-2", KEY)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, running=1)
    plant.end("gate-2", KEY, INSTALLED)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, installed=1)
    assert list(plant.fleet.reports(KEY)) == []


def test_what_is_not_open_is_not_tried_again(plant, order):
    """Neither an unknown stage nor one that is over."""
    with pytest.raises(FleetError, match=rf"stage {STAGE} is unknown: only an open stage can be tried again"):
        plant.fleet.retry(KEY)
    plant.fleet.start(order)
    plant.fleet.stop(KEY, "enough")

    with pytest.raises(FleetError, match=rf"stage {STAGE} is closed"):
        plant.fleet.retry(KEY)


def test_what_was_cancelled_in_the_cloud_is_not_tried_again(plant, order):
    """The order is open still, but there is nothing to send again."""
    plant.fleet.start(order)
    plant.cancel(KEY)

    with pytest.raises(FleetError, match=rf"deployment {STAGE} was cancelled: nothing can be tried again"):
        plant.fleet.retry(KEY)
    plant.management.delete_deployment(STAGE, STAGE)
    with pytest.raises(FleetError, match=rf"deployment {STAGE} is gone: nothing can be tried again"):
        plant.fleet.retry(KEY)


def test_reports_are_bounded(plant, order):
    """However many devices failed, before the order is closed and after."""
    plant.fleet.start(order)
    for name in THREE:
        plant.end(name, KEY, FAILED)
    few = plant.open(most_reports=1)

    assert len(list(few.reports(KEY))) == 1
    few.stop(KEY, "budget spent")
    assert few.tally(KEY) == Tally(failed=3, open=False)
    assert len(list(few.reports(KEY))) == 1


def test_an_order_is_checked_without_a_call(plant, order):
    """Nobody listens where this fleet would call."""
    fleet = AzureFleet("factory", plant.settings(hub="127.0.0.1:1", storage_url="https://127.0.0.1:1/x"))

    fleet.check(order)
    with pytest.raises(LimitError, match=r"(?i)fleet factory: timeout.*100000.*10080"):
        fleet.check(replace(order, timeout_minutes=100_000))
    with pytest.raises(LimitError, match="devices: 'a b'"):
        fleet.start(replace(order, devices=("a b",)))
    with pytest.raises(MalformedRelease):
        fleet.start(replace(order, release=b"{}"))
