"""What Azure does in its own time while a stage starts, and everything that goes wrong with it."""

from __future__ import annotations

import pytest

from adapters.azure.fleet.joining_by_name import JoiningByName
from adapters.azure.fleet.refusals import Waiting
from adapters.azure.simulator.jobs import JobRequest
from adapters.simulation.clock import VirtualClock
from adapters.simulation.faults import Effect
from bridge.fleet import FleetError
from bridge.names import stage_name
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, calls_counted, finish, order_of, put

KEY = "spring/1"
STAGE = stage_name(KEY)
TWO = ("gate-1", "gate-2")


@pytest.fixture
def plant(tmp_path, package):
    """Azure with two devices in the group eu, and the artifact in the container."""
    with Plant(tmp_path).running() as plant:
        plant.add(*TWO, group="eu")
        put(plant.fleet, package, tmp_path)
        yield plant


@pytest.fixture
def order(package):
    """The release for both."""
    return order_of(package, TWO)


@pytest.fixture
def hasty(plant):
    """The fleet in a process that waits for nothing."""
    return plant.open(patience_seconds=0)


def slow(tmp_path, package, **delays):
    """Azure with a clock that the test moves, and delays by it."""
    plant = Plant(tmp_path, clock=VirtualClock(frozen=True), **delays)

    def ready():
        plant.add(*TWO, group="eu")
        plant.simulator.clock.advance(600)
        put(plant.fleet, package, tmp_path)

    return plant, ready


def test_an_import_is_waited_for_and_not_begun_twice(tmp_path, package, order):
    """The call ends with what it waits for; the next one, of another process, goes on with the same import."""
    plant, ready = slow(tmp_path, package, import_seconds=120)
    with plant.running():
        ready()
        with pytest.raises(FleetError, match=r"fleet factory: the import of gateway-os 2\.0\.0 is Running") as raised:
            plant.open(patience_seconds=0).start(order)
        assert raised.value.retryable
        assert plant.fleet.tally(KEY) is None

        with calls_counted() as calls:
            with pytest.raises(FleetError, match="is Running"):
                plant.open(patience_seconds=0).start(order)
            plant.simulator.clock.advance(130)
            plant.open().start(order)

        assert not [call for call in calls if call.endswith("updates:import")]
        assert plant.fleet.tally(KEY) == Tally(waiting=2)


def test_a_group_that_is_not_indexed_yet_is_waited_for(tmp_path, package, order):
    """Device Update sees tags some minutes late."""
    plant, ready = slow(tmp_path, package, index_seconds=300)
    with plant.running():
        ready()
        with pytest.raises(FleetError, match=rf"Device Update does not show group {STAGE} yet") as raised:
            plant.open(patience_seconds=0.1).start(order)
        assert raised.value.retryable
        assert plant.deployment(KEY) is None
        plant.simulator.clock.advance(310)

        plant.open().start(order)

        assert plant.fleet.tally(KEY) == Tally(waiting=2)


def test_devices_that_were_never_online_are_waited_for(plant, package):
    """Device Update knows no group of theirs; the first one that comes makes it."""
    plant.add("new-1", "new-2", online=False)
    order = order_of(package, ("new-1", "new-2"), key="summer/1")
    with pytest.raises(FleetError, match="one of them must have been online once"):
        plant.open(patience_seconds=0.1).start(order)

    plant.come_online("new-2")
    finish(lambda: plant.fleet.start(order))

    assert plant.fleet.tally("summer/1") == Tally(waiting=2)


def test_an_import_without_its_artifact_fails_with_azures_words(plant, kit, tmp_path):
    """The next start imports again, when the artifact is there."""
    package = kit.package(b"never put", version="3.0.0")
    order = order_of(package, TWO)
    with pytest.raises(
        FleetError, match=r"import of update contoso/gateway-os/3\.0\.0 failed: ContentFileCannotDownload: .*container"
    ) as raised:
        plant.fleet.start(order)
    assert not raised.value.retryable

    put(plant.fleet, package, tmp_path)
    plant.fleet.start(order)

    assert plant.fleet.tally(KEY) == Tally(waiting=2)


def test_an_update_of_that_version_with_another_release_is_refused(plant, kit, tmp_path):
    """Updates are immutable: the person is told to take a new version."""
    plant.fleet.start(order_of(kit.package(bytes(range(256)) * 40), ["gate-1"], key="winter/1"))
    other = kit.package(b"same version, other bytes")
    put(plant.fleet, other, tmp_path)

    with pytest.raises(
        FleetError,
        match=r"update contoso/gateway-os/2\.0\.0 is in Device Update already and does not hold this release.*"
        r"Device Update's updates are immutable: release under a new version",
    ):
        plant.fleet.start(order_of(other, ["gate-2"]))


def test_the_same_release_with_other_roots_is_another_update(plant, package, order):
    """The roots travel in it."""
    plant.fleet.start(order)

    with pytest.raises(FleetError, match="is in Device Update already and does not hold this release"):
        plant.fleet.start(order_of(package, plant.add("gate-3"), key="spring/2", roots=(b"root 2",)))


def test_a_foreign_update_of_that_id_is_refused(plant, order, monkeypatch):
    """One without our handler."""
    updates = plant.fleet._services.updates
    foreign = {"instructions": {"steps": [{"handler": "microsoft/script:1", "handlerProperties": {}}]}}
    monkeypatch.setattr(updates._client.device_update, "get_update", lambda *_: foreign)

    with pytest.raises(FleetError, match="does not hold this release"):
        plant.fleet.start(order)


def test_an_import_that_the_service_forgot_is_begun_again(tmp_path, package, order):
    """Operations are kept for seven days; of two imports the second finds the update there."""
    plant, ready = slow(tmp_path, package, import_seconds=120)
    with plant.running():
        ready()
        with pytest.raises(FleetError, match="is Running"):
            plant.open(patience_seconds=0).start(order)
        orders = plant.fleet._services.orders
        orders.change(orders.read(STAGE), import_operation="00000000-forgotten")

        with calls_counted() as calls, pytest.raises(FleetError, match=r"is Running|DuplicateContentImport"):
            plant.open(patience_seconds=0).start(order)

        assert sum(call.endswith("updates:import") for call in calls) == 1
        plant.simulator.clock.advance(130)
        plant.fleet.start(order)
        assert plant.fleet.tally(KEY) == Tally(waiting=2)


def test_a_hub_that_runs_another_job_is_waited_for(plant, order, hasty):
    """An S1 hub runs one at a time, whosever it is."""
    plant.simulator.jobs.devices_per_second = 0.0
    occupy(plant)
    with pytest.raises(FleetError, match=r"job otabridge-\S+-1 waits until the hub has run another job") as raised:
        hasty.start(order)
    assert raised.value.retryable
    assert plant.tags("gate-1")[0] == {"ADUGroup": "eu"}

    plant.simulator.jobs.cancel("theirs")
    plant.simulator.jobs.devices_per_second = None
    plant.fleet.start(order)

    assert plant.fleet.tally(KEY) == Tally(waiting=2)


def occupy(plant):
    """Somebody else's job, which takes its time."""
    plant.simulator.jobs.create(JobRequest("theirs", "*", {"tags": {"theirs": 1}}, 0.0, None))


def test_a_job_under_way_is_waited_for_by_the_next_call(plant, order, hasty):
    """Whatever it does comes before what is done next."""
    plant.simulator.jobs.devices_per_second = 0.0
    with pytest.raises(FleetError, match=r"job otabridge-\S+-1 is running: 0 of 2 twins changed"):
        hasty.start(order)
    with pytest.raises(FleetError, match=r"job otabridge-\S+-1 is running"):
        hasty.start(order)
    with pytest.raises(FleetError, match=r"job otabridge-\S+-1 is running"):
        hasty.stop(KEY, "changed my mind")

    plant.simulator.jobs.devices_per_second = None
    finish(lambda: plant.fleet.start(order))

    assert plant.fleet.tally(KEY) == Tally(waiting=2)


def test_a_device_that_a_job_could_not_change_is_tried_again(plant, order):
    """The job says how many; the next one is for the rest alone."""
    plant.faults.plan("job_device", Effect.SERVER_ERROR, "gate-2")

    said = finish(lambda: plant.fleet.start(order))

    assert len(said) == 1
    assert "1 of 2 twins changed, 1 failed" in said[0]
    assert f"device gate-1 (and 1 more) was to join stage {STAGE}" in said[0]
    assert plant.fleet.tally(KEY) == Tally(waiting=2)
    assert plant.tags("gate-2")[0]["otabridge"] == {"stage": STAGE, "was": "eu"}


def test_a_device_deleted_in_the_middle_is_named(plant, order, monkeypatch):
    """It was there when all were looked at, and is not when they are to be in the group."""
    hasty = plant.open(patience_seconds=0.5)
    join = JoiningByName.join

    def join_and_lose(*values):
        held = join(*values)
        plant.hub.remove_device("gate-2")
        return held

    monkeypatch.setattr(JoiningByName, "join", join_and_lose)
    with pytest.raises(FleetError, match=rf"the hub shows 1 of 2 devices in group {STAGE}; all are looked at again"):
        hasty.start(order)

    with pytest.raises(FleetError, match="device gate-2 is not registered in IoT Hub"):
        plant.open().start(order)
    plant.fleet.stop(KEY, "plan again")
    assert plant.tags("gate-1") == ({"ADUGroup": "eu"}, None)


def test_an_index_that_lags_is_waited_for(plant, order):
    """Queries see tags late; the deployment is made when they show all devices."""
    with plant.hub.stale_index(), pytest.raises(FleetError, match="the hub shows 0 of 2 devices in group") as raised:
        plant.open(patience_seconds=0.1).start(order)
    assert raised.value.retryable
    assert plant.deployment(KEY) is None

    finish(lambda: plant.fleet.start(order))

    assert plant.fleet.tally(KEY) == Tally(waiting=2)
    assert plant.tags("gate-1")[0]["otabridge"] == {"stage": STAGE, "was": "eu"}


def test_a_tag_that_changes_meanwhile_is_the_one_that_is_kept(plant, order, monkeypatch):
    """The job finds the device in another group than it was seen in, and leaves it for the next look."""
    jobs = plant.fleet._services.jobs
    run = jobs.run

    def move_and_run(*values):
        monkeypatch.setattr(jobs, "run", run)
        plant.hub.patch_twin("gate-2", {"tags": {"ADUGroup": "us"}})
        return run(*values)

    monkeypatch.setattr(jobs, "run", move_and_run)

    finish(lambda: plant.fleet.start(order))

    assert plant.tags("gate-1")[0]["otabridge"]["was"] == "eu"
    assert plant.tags("gate-2")[0]["otabridge"]["was"] == "us"


def test_a_large_order_takes_few_calls(plant, package):
    """Fifteen hundred devices of two groups: a query and at most two jobs for each chunk of five hundred."""
    names = plant.add(*(f"lot-{number:05}" for number in range(1000)), group="eu")
    names += plant.add(*(f"lot-{number:05}" for number in range(1000, 1500)))
    fleet = plant.open(patience_seconds=60)

    with calls_counted() as calls:
        fleet.start(order_of(package, names))

    assert fleet.tally(KEY) == Tally(waiting=1500)
    assert sum("/devices/query" in call for call in calls) <= 7
    assert sum(call.startswith("PUT /jobs/v2/") for call in calls) <= 4
    assert len(set(calls)) < 40


def test_a_large_order_is_resumed_chunk_by_chunk(plant, package, hasty):
    """Each call does at least one chunk and says how far it is."""
    names = plant.add(*(f"{'lot' * 30}-{number:05}" for number in range(150)))

    said = finish(lambda: hasty.start(order_of(package, names)))

    assert any("of 150 devices of stage" in each and "are examined" in each for each in said)
    assert any("of 150 devices of stage" in each and "are tagged" in each for each in said)
    assert plant.fleet.tally(KEY) == Tally(waiting=150)


def test_two_processes_do_not_write_over_each_other(plant, order):
    """The second one reads again what the first one wrote."""
    orders = plant.fleet._services.orders
    plant.fleet.start(order)
    held = orders.read(STAGE)
    orders.change(held, jobs=7)

    with pytest.raises(Waiting, match="was written by another otabridge at the same time"):
        orders.change(held, jobs=8)
    assert orders.read(STAGE).record.jobs == 7


def test_a_record_that_is_none_is_named(plant, order):
    """With what to do about it."""
    services = plant.fleet._services
    path = services.orders._path(STAGE)
    services.storage.write(path, b"{}", None)

    with pytest.raises(FleetError, match=rf"blob {path}: no record of a stage order: .*; delete it if no rollout"):
        plant.fleet.start(order)


def test_an_update_that_was_deleted_after_its_import_is_imported_again(plant, order):
    """The service remembers the import for a week; nobody waits for it that long."""
    plant.faults.plan("group", Effect.SERVER_ERROR, subject=STAGE, times=9)
    with pytest.raises(FleetError):
        plant.fleet.start(order)
    plant.faults.clear()
    delete = plant.fleet._services._client.device_update.begin_delete_update
    delete("contoso", "gateway-os", "2.0.0", polling_interval=0.02).result()

    with pytest.raises(
        FleetError, match=r"import of gateway-os 2\.0\.0 succeeded, and the update is not there"
    ) as raised:
        plant.open(patience_seconds=0).start(order)
    assert raised.value.retryable
    plant.fleet.start(order)

    assert plant.fleet.tally(KEY) == Tally(waiting=2)


def test_a_device_that_a_lost_stage_holds_is_refused_with_a_way_out(plant, order):
    """Nobody will ever give it back: a person must."""
    other = stage_name("winter/1")
    plant.hub.patch_twin("gate-2", {"tags": {"ADUGroup": other, "otabridge": {"stage": other, "was": "eu"}}})

    with pytest.raises(
        FleetError, match=rf"device gate-2 is tagged for stage {other}, which no order .*tag otabridge\.was says"
    ) as raised:
        plant.fleet.start(order)
    assert not raised.value.retryable

    plant.hub.patch_twin("gate-2", {"tags": {"ADUGroup": "eu", "otabridge": None}})
    plant.fleet.start(order)
    assert plant.fleet.tally(KEY) == Tally(waiting=2)


@pytest.mark.parametrize("ahead", [-7200.0, 840.0])
def test_a_clock_that_is_wrong_delays_nothing(plant, order, ahead):
    """Jobs and deployments begin by the clocks of Azure; links allow for a quarter of an hour."""
    plant.open(ahead=ahead).start(order)

    assert plant.hub.wait_until(lambda: all(plant.goal(name) for name in TWO))
