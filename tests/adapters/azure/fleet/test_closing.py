"""How a stage ends: nobody begins any more, those in the middle finish, and the customer's groups are whole again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Effect
from bridge.fleet import DeviceReport, FleetError
from bridge.names import stage_name
from bridge.release.errors import FailureCode
from bridge.release.report import Outcome, Report
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, calls_counted, finish, order_of, put

KEY = "spring/1"
STAGE = stage_name(KEY)
THREE = ("gate-1", "gate-2", "gate-3")
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")
FAILED = Report(Outcome.FAILED, "a", "1.0.0", FailureCode.SLOT_WRITE, "disk full")
AS_BEFORE = {"gate-1": {"ADUGroup": "eu"}, "gate-2": {"ADUGroup": "it's us"}, "gate-3": {}}
"""Tags of the three devices before any stage, of two groups and of none."""


@pytest.fixture
def plant(tmp_path, package):
    """Azure with three devices of different groups, and the artifact in the container."""
    with Plant(tmp_path).running() as plant:
        populate(plant)
        put(plant.fleet, package, tmp_path)
        yield plant


def populate(plant):
    """The three devices."""
    for name, tags in AS_BEFORE.items():
        plant.add(name, group=tags.get("ADUGroup"))


@pytest.fixture
def order(package):
    """The release for all three."""
    return order_of(package, THREE)


def assert_whole(plant, key=KEY):
    """Nothing of the stage is left, in twins or in Device Update."""
    assert {name: plant.tags(name)[0] for name in THREE} == AS_BEFORE
    assert [plant.tags(name)[1] for name in THREE] == [None] * 3
    assert stage_name(key) not in plant.groups()
    assert plant.state(key) == "closed"


def test_stopping_before_anybody_began_ends_it_for_all(plant, order):
    """Deployment, group and tags are gone, each device is in its own group again; the tally stays."""
    plant.fleet.start(order)

    plant.fleet.stop(KEY, "budget spent")
    plant.fleet.stop(KEY, "again")

    assert_whole(plant)
    assert plant.deployment(KEY) is None
    assert plant.open().tally(KEY) == Tally(withdrawn=3, open=False, cancelled=True)
    assert plant.fleet._services.orders.read(STAGE).record.stopped_reason == "budget spent"


def test_the_one_in_the_middle_finishes(plant, order):
    """The others leave the group; its own deployment stays until it has ended, then all is cleaned away."""
    plant.fleet.start(order)
    plant.begin("gate-1", KEY)
    assert plant.hub.wait_until(lambda: all(plant.goal(name) for name in THREE))

    plant.fleet.stop(KEY, "budget spent")
    plant.fleet.stop(KEY, "again")

    assert plant.fleet.tally(KEY) == Tally(running=1, withdrawn=2, open=False, cancelled=True)
    assert plant.tags("gate-1")[0]["ADUGroup"] == STAGE
    assert plant.tags("gate-2")[0] == {"ADUGroup": "it's us", "otabridge": {"stage": STAGE}}
    assert plant.tags("gate-3")[0] == {"otabridge": {"stage": STAGE}}
    assert plant.hub.wait_until(lambda: not plant.goal("gate-2") and not plant.goal("gate-3"))
    assert plant.goal("gate-1")

    plant.end("gate-1", KEY, INSTALLED)
    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    plant.fleet.stop(KEY, "applied again")

    assert_whole(plant)
    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)


def test_the_one_in_the_middle_that_never_ends_is_timed_out(plant, order):
    """And the stage closes without it."""
    plant.fleet.start(order)
    plant.begin("gate-1", KEY)
    plant.fleet.stop(KEY, "budget spent")

    plant.simulator.clock.advance(31 * 60)

    assert plant.fleet.tally(KEY) == Tally(timed_out=1, withdrawn=2, open=False, cancelled=True)
    plant.fleet.stop(KEY, "applied again")
    assert plant.fleet.tally(KEY) == Tally(timed_out=1, withdrawn=2, open=False, cancelled=True)
    assert_whole(plant)
    assert [report.device for report in plant.fleet.reports(KEY)] == ["gate-1"]


def test_a_look_changes_nothing(plant, order):
    """A tally only counts, also of a stage that all have ended: it is closed by a stop, or by the next start."""
    plant.fleet.start(order)
    for name in THREE:
        plant.end(name, KEY, INSTALLED)

    with calls_counted() as calls:
        assert plant.fleet.tally(KEY) == Tally(installed=3)

    assert all(call.startswith("GET ") or call == "POST /devices/query" for call in calls)
    assert plant.state(KEY) == "open"
    assert plant.deployment(KEY)


def test_a_stage_that_all_have_ended_is_closed(plant, order):
    """What the devices said is kept."""
    plant.fleet.start(order)
    plant.end("gate-1", KEY, FAILED)
    plant.end("gate-2", KEY, INSTALLED)
    plant.end("gate-3", KEY, INSTALLED)

    assert plant.fleet.tally(KEY) == Tally(installed=2, failed=1)

    plant.fleet.stop(KEY, "completed")

    assert_whole(plant)
    assert plant.fleet.tally(KEY) == Tally(installed=2, failed=1, open=False)
    assert list(plant.fleet.reports(KEY)) == [
        DeviceReport("gate-1", Outcome.FAILED, FailureCode.SLOT_WRITE, "disk full", "a")
    ]


def test_stopping_what_all_have_ended_is_no_cancelling(plant, order):
    """Nobody was kept from anything."""
    plant.fleet.start(order)
    for name in THREE:
        plant.end(name, KEY, INSTALLED)

    plant.fleet.stop(KEY, "late")

    assert plant.fleet.tally(KEY) == Tally(installed=3, open=False)
    assert_whole(plant)


def test_stopping_a_start_gives_back_what_was_borrowed(plant, order):
    """The deployment was never made; nobody is counted as waiting for it."""
    plant.faults.plan("group", Effect.SERVER_ERROR, subject=STAGE, times=9)
    with pytest.raises(FleetError):
        plant.fleet.start(order)
    plant.faults.clear()
    assert plant.tags("gate-1")[0]["ADUGroup"] == STAGE

    plant.fleet.stop(KEY, "changed my mind")

    assert_whole(plant)
    assert plant.fleet.tally(KEY) == Tally(withdrawn=3, open=False, cancelled=True)
    plant.fleet.start(order)
    assert plant.deployment(KEY) is None


def test_a_tag_that_was_changed_meanwhile_is_left_alone(plant, order):
    """The customer moved the device out of the stage; it stays where they put it."""
    plant.fleet.start(order)
    plant.hub.patch_twin("gate-1", {"tags": {"ADUGroup": "moved"}})

    plant.fleet.stop(KEY, "budget spent")

    assert plant.tags("gate-1") == ({"ADUGroup": "moved"}, None)
    assert plant.tags("gate-2") == ({"ADUGroup": "it's us"}, None)


def test_a_deleted_device_holds_nothing_up(plant, order):
    """It is withdrawn, the others are given back."""
    plant.fleet.start(order)
    plant.end("gate-1", KEY, INSTALLED)
    plant.hub.remove_device("gate-2")

    plant.fleet.stop(KEY, "budget spent")

    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    assert plant.tags("gate-1") == ({"ADUGroup": "eu"}, None)


def test_who_was_taken_out_can_join_another_stage(plant, order):
    """While one device of the old stage is in the middle; the old tally still adds up, and so do the tags."""
    plant.fleet.start(order)
    plant.begin("gate-1", KEY)
    plant.fleet.stop(KEY, "budget spent")

    plant.fleet.start(replace(order, key="spring/2", devices=("gate-2", "gate-3")))

    assert plant.fleet.tally(KEY) == Tally(running=1, withdrawn=2, open=False, cancelled=True)
    assert plant.fleet.tally("spring/2") == Tally(waiting=2)
    plant.end("gate-1", KEY, INSTALLED)
    assert plant.fleet.tally(KEY) == Tally(installed=1, withdrawn=2, open=False, cancelled=True)
    assert plant.fleet.tally("spring/2") == Tally(waiting=2)
    plant.fleet.stop("spring/2", "enough")
    assert_whole(plant, "spring/2")


def test_what_has_ended_is_swept_by_the_next_start(plant, order):
    """Groups are few; what is open stays."""
    plant.fleet.start(replace(order, devices=("gate-1",)))
    plant.fleet.start(replace(order, key="spring/2", devices=("gate-2",)))
    plant.end("gate-1", KEY, INSTALLED)

    plant.fleet.start(replace(order, key="spring/3", devices=("gate-3",)))

    assert plant.groups() & {stage_name(f"spring/{number}") for number in (1, 2, 3)} == {
        stage_name("spring/2"),
        stage_name("spring/3"),
    }
    assert plant.state(KEY) == "closed"
    assert plant.tags("gate-1") == ({"ADUGroup": "eu"}, None)


def test_a_stopped_stage_is_swept_by_the_next_stop(plant, order):
    """Once its last device has ended."""
    plant.fleet.start(replace(order, devices=("gate-1",)))
    plant.fleet.start(replace(order, key="spring/2", devices=("gate-2",)))
    plant.begin("gate-1", KEY)
    plant.fleet.stop(KEY, "budget spent")
    assert plant.state(KEY) == "stopped"
    plant.end("gate-1", KEY, FAILED)

    plant.fleet.stop("spring/2", "budget spent")

    assert plant.state(KEY) == "closed"
    assert plant.fleet.tally(KEY) == Tally(failed=1, open=False, cancelled=True)


def test_groups_that_others_made_are_not_swept(plant, order):
    """Not even under our prefix, where there is no record of them."""
    plant.add("stranger", group="otabridge-of-somebody-else")

    plant.fleet.start(order)
    plant.fleet.stop(KEY, "enough")

    assert plant.tags("stranger")[0] == {"ADUGroup": "otabridge-of-somebody-else"}


def test_a_group_that_lags_is_deleted_by_a_later_sweep(tmp_path, package):
    """Device Update sees devices in it for minutes after they have left; nobody waits for that."""
    plant = Plant(tmp_path, clock=VirtualClock(frozen=True), index_seconds=300)
    with plant.running():
        populate(plant)
        plant.simulator.clock.advance(310)
        put(plant.fleet, package, tmp_path)
        order = order_of(package, ("gate-1",))
        with pytest.raises(FleetError, match="does not show group"):
            plant.open(patience_seconds=0.1).start(order)
        plant.simulator.clock.advance(310)
        finish(lambda: plant.fleet.start(order))

        plant.fleet.stop(KEY, "enough")

        assert plant.tags("gate-1") == ({"ADUGroup": "eu"}, None)
        assert plant.state(KEY) == "closing"
        assert plant.fleet.tally(KEY) == Tally(withdrawn=1, open=False, cancelled=True)
        assert STAGE in plant.groups()
        plant.simulator.clock.advance(310)
        with pytest.raises(FleetError, match="does not show group"):
            plant.open(patience_seconds=0.1).start(replace(order, key="spring/2"))
        assert STAGE not in plant.groups()
        assert plant.state(KEY) == "closed"


def test_devices_on_their_way_back_are_waited_for(plant, order):
    """The job takes its time; the message says how far it is, and the next call goes on."""
    plant.fleet.start(order)
    plant.simulator.jobs.devices_per_second = 0.0
    with pytest.raises(FleetError, match=r"job otabridge-\S+ is running: 0 of 1 twins changed") as raised:
        plant.open(patience_seconds=0).stop(KEY, "budget spent")
    assert raised.value.retryable
    assert plant.goal("gate-1") is None or plant.hub.wait_until(lambda: not plant.goal("gate-1"))

    assert plant.open(patience_seconds=0).tally(KEY) == Tally(withdrawn=3, open=False, cancelled=True)
    plant.simulator.jobs.devices_per_second = None
    finish(lambda: plant.fleet.stop(KEY, "budget spent"))

    assert_whole(plant)


def test_an_index_that_lags_does_not_lose_devices(plant, order):
    """Queries still show them in the stage: it is looked at until they do not."""
    plant.fleet.start(order)
    with plant.hub.stale_index(), pytest.raises(FleetError, match=rf"3 devices of stage {STAGE} are on their way back"):
        plant.open(patience_seconds=0.1).stop(KEY, "budget spent")

    plant.fleet.stop(KEY, "budget spent")

    assert_whole(plant)
    assert plant.fleet.tally(KEY) == Tally(withdrawn=3, open=False, cancelled=True)


def test_one_that_begins_at_the_last_moment_finishes(plant, order, monkeypatch):
    """Between our look and the end of the deployment; nobody is forgotten."""
    plant.fleet.start(order)
    deployments = plant.fleet._services.deployments
    cancel = deployments.cancel

    def begin_and_cancel(stage):
        plant.begin("gate-1", KEY)
        cancel(stage)

    monkeypatch.setattr(deployments, "cancel", begin_and_cancel)

    plant.fleet.stop(KEY, "budget spent")

    assert plant.fleet.tally(KEY) == Tally(running=1, withdrawn=2, open=False, cancelled=True)
    assert plant.tags("gate-1")[0]["ADUGroup"] == STAGE


def test_a_cancelled_deployment_is_cleaned_away_by_stop(plant, order):
    """Once a person has decided."""
    plant.fleet.start(order)
    plant.cancel(KEY)

    plant.fleet.stop(KEY, "so be it")

    assert_whole(plant)
    assert plant.fleet.tally(KEY) == Tally(withdrawn=3, open=False, cancelled=True)


def test_a_deployment_that_was_deleted_holds_nothing_up(plant, order):
    """Somebody cleaned up too thoroughly."""
    plant.fleet.start(order)
    plant.cancel(KEY)
    plant.management.delete_deployment(STAGE, STAGE)

    assert plant.fleet.tally(KEY) == Tally(withdrawn=3, open=False, cancelled=True)
    plant.fleet.stop(KEY, "so be it")

    assert_whole(plant)


def test_a_device_that_a_job_could_not_change_keeps_what_it_is_given_back_to(plant, order):
    """Where it came from is known nowhere else; the message says what to do if it stays so, the next call goes on."""
    plant.fleet.start(order)
    plant.faults.plan("job_device", Effect.SERVER_ERROR, "gate-1")

    with pytest.raises(
        FleetError, match=rf"1 devices of stage {STAGE} are on their way back.* 1 failed\. .*tag otabridge\.was says"
    ) as raised:
        plant.fleet.stop(KEY, "budget spent")
    assert raised.value.retryable
    assert plant.tags("gate-1")[0]["otabridge"]["was"] == "eu"

    finish(lambda: plant.fleet.stop(KEY, "budget spent"))
    assert_whole(plant)


def test_an_order_whose_record_was_lost_is_closed_by_stop(plant, order):
    """Somebody emptied the container: the tags tell where the devices belong, and who is in the middle finishes."""
    plant.fleet.start(order)
    plant.begin("gate-1", KEY)
    plant.lose_record(KEY)
    assert plant.fleet.tally(KEY) is None

    plant.fleet.stop(KEY, "aborted")
    assert plant.fleet.tally(KEY) == Tally(running=1, withdrawn=2, open=False, cancelled=True)
    plant.end("gate-1", KEY, INSTALLED)
    finish(lambda: plant.fleet.stop(KEY, "aborted"))

    assert_whole(plant)
    assert plant.deployment(KEY) is None


def test_a_start_whose_record_was_lost_goes_on(plant, order):
    """Its jobs are not taken for those of the lost one, which the hub still knows."""
    plant.fleet.start(replace(order, devices=THREE[:1]))
    plant.lose_record(KEY)

    assert finish(lambda: plant.fleet.start(order)) == []

    assert plant.fleet.tally(KEY) == Tally(waiting=3)


def test_what_cannot_be_swept_hinders_nobody(plant, order):
    """An old order with a record that nobody can read, and one whose deployment Azure will not let go of."""
    for number, device in enumerate(THREE[:2], start=2):
        plant.fleet.start(replace(order, key=f"spring/{number}", devices=(device,)))
        plant.end(device, f"spring/{number}", INSTALLED)
    plant.spoil_record("spring/2")
    plant.faults.plan("deployment", Effect.EXPIRED, subject=stage_name("spring/3"), times=99)

    plant.fleet.start(replace(order, devices=THREE[2:]))

    assert plant.fleet.tally(KEY) == Tally(waiting=1)
    assert len(plant.faults.hits()) > 0


def test_a_closed_order_that_was_deployed_again_is_cleaned_again(plant, order):
    """Another otabridge was a moment late: device, deployment and group go with the next sweep."""
    plant.fleet.start(replace(order, devices=("gate-1",)))
    plant.fleet.stop(KEY, "aborted")
    plant.hub.patch_twin("gate-1", {"tags": {"ADUGroup": STAGE, "otabridge": {"stage": STAGE, "was": "eu"}}})
    plant.deploy(KEY)
    assert plant.deployment(KEY)

    plant.fleet.start(replace(order, key="spring/2", devices=("gate-2",)))

    assert plant.deployment(KEY) is None
    assert plant.tags("gate-1")[0] == {"ADUGroup": "eu"}
    assert STAGE not in plant.groups()
    assert plant.fleet.tally(KEY) == Tally(withdrawn=1, open=False, cancelled=True)


def test_stages_that_follow_each_other_do_not_pile_up(plant, order):
    """Each start closes what has ended before: of a rollout of three stages one group is left, and then none."""
    for number, device in enumerate(THREE, start=1):
        plant.fleet.start(replace(order, key=f"spring/{number}", devices=(device,)))
        assert {group for group in plant.groups() if group.startswith("otabridge-")} == {stage_name(f"spring/{number}")}
        plant.end(device, f"spring/{number}", INSTALLED)

    for number in range(1, 4):
        plant.fleet.stop(f"spring/{number}", "completed")

    assert_whole(plant)
    assert [plant.fleet.tally(f"spring/{number}") for number in (1, 2, 3)] == [Tally(installed=1, open=False)] * 3
