"""Devices that have ended in one order and are wanted by another: both count them, and their group is not lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.azure.fleet import queries
from bridge.fleet import DeviceReport, FleetError
from bridge.names import stage_name
from bridge.release.bucket import Buckets
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from bridge.rollout.model import FleetPart
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, finish, order_of, put

KEY, AGAIN = "spring/1", "spring/1-2"
STAGE, NEXT = stage_name(KEY), stage_name(AGAIN)
THREE = ("gate-1", "gate-2", "gate-3")
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")
FELL_BACK = Report(Outcome.FELL_BACK, "a", "1.0.0", FailureCode.UNHEALTHY, "no network")
TOLD = DeviceReport("gate-1", Outcome.FAILED, FailureCode.SLOT_WRITE, "disk full", "a")


@pytest.fixture
def plant(tmp_path, package):
    """Azure with three devices, two of the group eu, each in a bucket of its own."""
    with Plant(tmp_path).running() as plant:
        plant.add(*THREE[:2], group="eu")
        plant.add(THREE[2])
        for number, name in enumerate(THREE):
            plant.say_of_itself(name, bucket=number)
        put(plant.fleet, package, tmp_path)
        yield plant


@pytest.fixture
def order(package):
    """The release for all three."""
    return order_of(package, THREE)


@pytest.fixture(params=["by name", "by bucket"])
def either(request, package):
    """The same in both ways to say for whom."""
    if request.param == "by name":
        return order_of(package, THREE)
    return order_of(package, (), buckets=(Buckets(0, 2),), part=FleetPart("factory"), size=3)


def assert_nothing_left(plant):
    """Each device is in its own group, and nothing says that it ever was in another."""
    for name in THREE:
        assert plant.tags(name) == ({"ADUGroup": "eu"} if name != THREE[2] else {}, None)


def begin_all_but(plant, order, ends):
    """The order is started; each of `ends` ends so, or is in the middle."""
    finish(lambda: plant.fleet.start(order))
    for name, report in ends.items():
        plant.begin(name, order.key)
        if report is not None:
            plant.end(name, order.key, report)


def test_a_device_is_tried_again_while_others_of_its_stage_are_switched_off(plant, order, package):
    """Its failure stays counted where it was, once, and told word for word; nobody is waited for."""
    begin_all_but(plant, order, {"gate-1": FAILED})

    plant.fleet.start(order_of(package, ["gate-1"], key=AGAIN))

    assert plant.hub.wait_until(lambda: plant.goal("gate-1"))
    assert plant.tags("gate-1")[0]["otabridge"] == {"stage": NEXT, "was": "eu"}
    plant.begin("gate-1", AGAIN)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, failed=1)
    assert plant.fleet.tally(AGAIN) == Tally(running=1)
    plant.end("gate-1", AGAIN, INSTALLED)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, failed=1)
    assert plant.fleet.tally(AGAIN) == Tally(installed=1)
    assert list(plant.fleet.reports(KEY)) == [TOLD]
    assert list(plant.fleet.reports(AGAIN)) == []


@pytest.mark.parametrize("first", [KEY, AGAIN], ids=["the stage", "the retry"])
def test_either_order_may_end_first(plant, order, package, first):
    """The device goes back to its own group, and both say what became of it."""
    begin_all_but(plant, order, {"gate-1": FAILED, "gate-2": INSTALLED})
    plant.fleet.start(order_of(package, ["gate-1"], key=AGAIN))
    plant.end("gate-1", AGAIN, INSTALLED)

    for key in (first, KEY, AGAIN):
        finish(lambda key=key: plant.fleet.stop(key, "enough"))

    assert plant.fleet.tally(KEY) == Tally(installed=1, failed=1, withdrawn=1, open=False, cancelled=True)
    assert plant.fleet.tally(AGAIN) == Tally(installed=1, open=False)
    assert list(plant.fleet.reports(KEY)) == [TOLD]
    assert_nothing_left(plant)


def test_a_device_is_tried_again_and_again(plant, order, package):
    """Each order keeps its own end of it; the orders in between are over, and closed meanwhile."""
    begin_all_but(plant, order, {"gate-1": FAILED})
    keys = ("retry/1", "retry/2", "retry/3")
    for key in keys:
        finish(lambda key=key: plant.fleet.start(order_of(package, ["gate-1"], key=key)))
        plant.end("gate-1", key, INSTALLED if key == keys[-1] else FELL_BACK)

    assert [plant.fleet.tally(key).failed for key in (KEY, *keys)] == [1, 1, 1, 0]
    assert [len(list(plant.fleet.reports(key))) for key in (KEY, *keys)] == [1, 1, 1, 0]
    for key in (*keys, KEY):
        finish(lambda key=key: plant.fleet.stop(key, "enough"))
    assert plant.fleet.tally(KEY) == Tally(failed=1, withdrawn=2, open=False, cancelled=True)
    assert_nothing_left(plant)


def test_a_device_that_was_too_slow_is_tried_again(plant, order, package):
    """It is timed out for its stage for good, whatever it says of the later order."""
    begin_all_but(plant, order, {"gate-1": None})
    plant.simulator.clock.advance(31 * 60)

    finish(lambda: plant.fleet.start(order_of(package, ["gate-1"], key=AGAIN)))

    plant.end("gate-1", AGAIN, INSTALLED)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, timed_out=1)
    assert plant.fleet.tally(AGAIN) == Tally(installed=1)
    (report,) = plant.fleet.reports(KEY)
    assert (report.device, report.outcome) == ("gate-1", None)
    assert "not ended 30 minutes after it began" in report.detail


def test_a_device_is_tried_again_though_others_cancelled_its_deployment(plant, order, package):
    """Its stage cannot be closed before somebody stops it."""
    begin_all_but(plant, order, {"gate-1": FAILED})
    plant.cancel(KEY)

    finish(lambda: plant.fleet.start(order_of(package, ["gate-1"], key=AGAIN)))

    assert plant.fleet.tally(AGAIN) == Tally(waiting=1)
    assert plant.fleet.tally(KEY) == Tally(failed=1, withdrawn=2, open=False, cancelled=True)


@pytest.mark.parametrize("middle", [None, "gate-2"], ids=["nobody begun", "one in the middle"])
def test_who_has_not_ended_in_an_open_order_is_waited_for(plant, order, package, middle):
    """Nobody is touched before all can be had: two orders that each hold a part would wait for each other for ever."""
    begin_all_but(plant, order, {"gate-1": FAILED, **({middle: None} if middle else {})})

    with pytest.raises(FleetError, match=rf"is in stage {STAGE} still \(order spring/1, open\)") as raised:
        plant.fleet.start(order_of(package, ["gate-1", "gate-2"], key=AGAIN))

    assert raised.value.retryable
    assert plant.tags("gate-1")[0]["otabridge"]["stage"] == STAGE


def test_a_resumed_order_waits_for_nobody_in_the_middle(plant, either):
    """The others have its offer at once; who was in the middle gets it after its end, which both orders count."""
    begin_all_but(plant, either, {"gate-1": FAILED, "gate-2": None})
    plant.fleet.stop(KEY, "paused")
    again = replace(either, key=AGAIN)

    with pytest.raises(FleetError, match=f"1 devices are in the middle .* join stage {NEXT} once") as raised:
        plant.fleet.start(again)

    assert raised.value.retryable
    assert plant.fleet.tally(AGAIN) == Tally(waiting=3)
    assert plant.fleet.tally(KEY) == Tally(running=1, failed=1, withdrawn=1, open=False, cancelled=True)
    assert plant.hub.wait_until(lambda: plant.goal("gate-3"))
    plant.end("gate-1", AGAIN, INSTALLED)
    plant.end("gate-2", KEY, INSTALLED)
    finish(lambda: plant.fleet.start(again))
    assert plant.tags("gate-2")[0]["otabridge"] == {"stage": NEXT, "was": "eu"}
    assert plant.fleet.tally(AGAIN) == Tally(waiting=2, installed=1)
    assert plant.fleet.tally(KEY) == Tally(installed=1, failed=1, withdrawn=1, open=False, cancelled=True)
    for key in (AGAIN, KEY):
        finish(lambda key=key: plant.fleet.stop(key, "enough"))
    assert_nothing_left(plant)


def test_a_resumed_order_may_be_stopped_while_it_waits(plant, either):
    """Who is in the middle never joined it, and is withdrawn from it."""
    begin_all_but(plant, either, {"gate-1": INSTALLED, "gate-2": None})
    plant.fleet.stop(KEY, "paused")
    with pytest.raises(FleetError, match="in the middle"):
        plant.fleet.start(replace(either, key=AGAIN))

    finish(lambda: plant.fleet.stop(AGAIN, "aborted"))

    assert plant.fleet.tally(AGAIN) == Tally(withdrawn=3, open=False, cancelled=True)
    plant.end("gate-2", KEY, INSTALLED)
    finish(lambda: plant.fleet.stop(KEY, "aborted"))
    assert plant.fleet.tally(KEY) == Tally(installed=2, withdrawn=1, open=False, cancelled=True)
    assert_nothing_left(plant)


def test_all_in_the_middle_are_waited_for_without_a_deployment(plant, either):
    """There is nobody to deploy to; the first one that ends makes it."""
    begin_all_but(plant, either, dict.fromkeys(THREE))
    plant.fleet.stop(KEY, "paused")
    again = replace(either, key=AGAIN)
    with pytest.raises(FleetError, match="3 devices are in the middle"):
        plant.fleet.start(again)
    assert plant.deployment(AGAIN) is None
    assert plant.fleet.tally(AGAIN) == Tally(waiting=3)

    plant.end("gate-3", KEY, FAILED)
    with pytest.raises(FleetError, match="2 devices are in the middle"):
        plant.fleet.start(again)

    assert plant.hub.wait_until(lambda: plant.goal("gate-3"))
    assert plant.fleet.tally(AGAIN) == Tally(waiting=3)


def test_a_way_back_reaches_who_has_the_release_and_who_has_not(plant, kit, tmp_path, either):
    """Those that failed and those that never began at once, the one in the middle once it has ended."""
    old = kit.package(b"the good old image", version="1.5.0", sequence=1)
    put(plant.fleet, old, tmp_path)
    begin_all_but(plant, either, {"gate-1": FAILED, "gate-2": None})
    plant.fleet.stop(KEY, "budget spent")
    back = replace(either, key=AGAIN, release=old.document)
    with pytest.raises(FleetError, match="1 devices are in the middle"):
        plant.fleet.start(back)
    assert plant.hub.wait_until(lambda: plant.goal("gate-1") and plant.goal("gate-3"))

    plant.end("gate-2", KEY, INSTALLED)
    finish(lambda: plant.fleet.start(back))

    assert plant.fleet.tally(AGAIN) == Tally(waiting=3)


def test_who_was_taken_never_comes_back(plant, order, package):
    """An order by bucket that admits more leaves out whom a retry has taken from it, also after the retry is over."""
    bucketed = replace(order, devices=(), buckets=(Buckets(0, 2),), part=FleetPart("factory"), size=3)
    finish(lambda: plant.fleet.start(replace(bucketed, admitted=2)))
    plant.end("gate-1", KEY, FAILED)
    finish(lambda: plant.fleet.start(order_of(package, ["gate-1"], key=AGAIN)))
    plant.end("gate-1", AGAIN, INSTALLED)
    finish(lambda: plant.fleet.stop(AGAIN, "completed"))

    finish(lambda: plant.fleet.start(bucketed))

    assert plant.tags("gate-1") == ({"ADUGroup": "eu", queries.moved_tag(STAGE): "failed"}, None)
    assert plant.fleet.tally(KEY) == Tally(waiting=2, failed=1)
    finish(lambda: plant.fleet.stop(KEY, "enough"))
    assert_nothing_left(plant)


def test_a_lost_record_leaves_no_tags(plant, order, package):
    """What the hub shows is enough to end the order, also of those that another one has taken."""
    begin_all_but(plant, order, {"gate-1": FAILED})
    plant.fleet.start(order_of(package, ["gate-1"], key=AGAIN))
    plant.end("gate-1", AGAIN, INSTALLED)
    plant.lose_record(KEY)

    for key in (KEY, AGAIN):
        finish(lambda key=key: plant.fleet.stop(key, "enough"))

    assert plant.fleet.tally(KEY) == Tally(failed=1, withdrawn=2, open=False, cancelled=True)
    assert_nothing_left(plant)


def test_an_index_that_lags_counts_nobody_twice(plant, order, package):
    """The hub still shows the device where it was: the start waits, and the stage counts one failure."""
    begin_all_but(plant, order, {"gate-1": FAILED})
    retry = order_of(package, ["gate-1"], key=AGAIN)
    with plant.hub.stale_index(), pytest.raises(FleetError, match=f"left stage {STAGE}") as raised:
        plant.open(patience_seconds=0.1).start(retry)
    assert raised.value.retryable
    assert plant.fleet.tally(KEY) == Tally(waiting=2, failed=1)

    finish(lambda: plant.fleet.start(retry))

    assert plant.fleet.tally(KEY) == Tally(waiting=2, failed=1)
    assert plant.fleet.tally(AGAIN) == Tally(waiting=1)
