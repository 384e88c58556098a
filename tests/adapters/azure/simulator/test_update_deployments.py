"""Deployments: what they reach, how they end, and how many there may be."""

from __future__ import annotations

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

from adapters.azure.simulator.throttle import QUOTAS
from adapters.simulation.faults import Effect
from tests.adapters.azure.simulator.cloud import Board

MINUTE = 60
FAILED, IDLE, IN_PROGRESS = 255, 0, 6
UPDATE = {"provider": "acme", "name": "firmware", "version": "1.0"}


@pytest.fixture
def update_id(cloud):
    """An imported update."""
    return cloud.import_update()


def states(cloud, group="ring", deployment="d-1", **options):
    """Device states by device."""
    shown = cloud.management.list_device_states_for_device_class_subgroup_deployment(
        group, cloud.the_class(group), deployment, **options
    )
    return {each["deviceId"]: each["deviceState"] for each in shown}


def test_a_deployment_says_what_it_is(cloud, board, update_id):
    """As it was asked for, with the subgroups that it reaches."""
    assert board.name
    shown = cloud.deploy(update_id, "ring")
    assert (shown["deploymentId"], shown["groupId"], shown["update"]["updateId"]) == ("d-1", "ring", update_id)
    assert (shown["deviceClassSubgroups"], shown["downloadSecurity"]) == ([cloud.the_class("ring")], "http")
    assert cloud.management.get_deployment("ring", "d-1") == shown
    assert cloud.management.get_group("ring")["deployments"] == ["d-1"]
    assert cloud.counts("ring") == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("end", "counts"),
    [
        ({"state": IN_PROGRESS, "result": 1}, (1, 0, 0, 0)),
        ({"state": IDLE, "installed": UPDATE}, (0, 1, 0, 0)),
        ({"state": IDLE}, (0, 0, 1, 0)),
        ({"state": IDLE, "installed": {**UPDATE, "version": "0.9"}}, (0, 0, 1, 0)),
        ({"state": IDLE, "installed": dict(reversed(UPDATE.items()))}, (0, 0, 1, 0)),
        ({"state": FAILED, "result": 0}, (0, 0, 1, 0)),
        ({"state": IDLE, "result": -1}, (0, 0, 0, 1)),
    ],
)
def test_a_device_stands_as_it_reports(cloud, board, update_id, end, counts):
    """Idle is success only with the update installed."""
    cloud.deploy(update_id, "ring")
    board.told()
    board.ends(**end)
    assert cloud.counts("ring") == counts


def test_a_report_about_another_workflow_counts_for_nothing(cloud, board, update_id):
    """Even if it says that the update is installed."""
    cloud.deploy(update_id, "ring")
    board.told()
    board.report(state=FAILED, workflow={"action": 3, "id": "another"})
    assert cloud.counts("ring") == (1, 0, 0, 0)


def test_devices_that_join_later_take_part(cloud, simulator, board, update_id):
    """Those that leave stay in the list with what they did."""
    cloud.deploy(update_id, "ring")
    late = Board(simulator, "late")
    assert cloud.counts("ring") == (1, 0, 0, 0)
    late.tag("ring")
    late.told()
    board.told()
    board.ends(IDLE, installed=update_id)
    board.tag("elsewhere")
    assert cloud.counts("ring") == (1, 1, 0, 0)
    (moved,) = cloud.management.list_device_states_for_device_class_subgroup_deployment(
        "ring", cloud.the_class("ring"), "d-1", filter="deviceId eq 'pump'"
    )
    assert (moved["deviceState"], moved["movedOnToNewDeployment"]) == ("Succeeded", True)


def test_devices_that_cannot_take_the_update_are_left_out(cloud, simulator, board, update_id):
    """A group may hold several classes; the update is for one of them."""
    valve = Board(simulator, "valve", group="ring", properties={"manufacturer": "acme", "model": "valve"})
    assert len(cloud.deploy(update_id, "ring")["deviceClassSubgroups"]) == 1
    board.told()
    assert valve.service() == {}
    assert cloud.counts("ring") == (1, 0, 0, 0)


def test_a_newer_deployment_takes_over(cloud, board, update_id):
    """The older one is inactive, and stays so when the newer one goes."""
    newer = cloud.import_update(version="2.0")
    cloud.deploy(update_id, "ring", "d-1")
    first = board.told()["workflow"]["id"]
    cloud.deploy(newer, "ring", "d-2")
    assert board.simulator.hub.wait_until(lambda: board.service()["workflow"]["id"] != first)
    assert cloud.management.get_deployment_status("ring", "d-1")["deploymentState"] == "Inactive"
    cloud.management.stop_deployment("ring", cloud.the_class("ring"), "d-2")
    cloud.management.delete_deployment("ring", "d-2")
    board.told(255)
    cloud.management.delete_deployment("ring", "d-1")
    assert list(cloud.management.list_deployments_for_group("ring")) == []


def test_a_cancelled_deployment_is_over(cloud, board, update_id):
    """Devices that had not ended are cancelled; it cannot be brought back or sent again."""
    cloud.deploy(update_id, "ring")
    board.told()
    device_class = cloud.the_class("ring")
    assert cloud.management.stop_deployment("ring", device_class, "d-1")["isCanceled"]
    assert (cloud.counts("ring"), states(cloud)) == ((0, 0, 0, 1), {"pump": "Canceled"})
    with pytest.raises(HttpResponseError, match="cancelled"):
        cloud.deploy(update_id, "ring")
    with pytest.raises(HttpResponseError, match="no longer active"):
        cloud.management.retry_deployment("ring", device_class, "d-1")


def test_who_ends_after_the_cancellation_has_ended(cloud, board, update_id):
    """A device in the middle of it may still report success."""
    cloud.deploy(update_id, "ring")
    board.told()
    board.report(state=IN_PROGRESS, workflow=board.service()["workflow"])
    workflow = board.service()["workflow"]
    cloud.management.stop_deployment("ring", cloud.the_class("ring"), "d-1")
    assert cloud.counts("ring") == (0, 0, 0, 1)
    text = '{"provider":"acme","name":"firmware","version":"1.0"}'
    board.report(state=IDLE, workflow=workflow, installedUpdateId=text)
    assert cloud.counts("ring") == (0, 1, 0, 0)


def test_retry_reaches_those_that_failed(cloud, simulator, board, update_id):
    """They see the same workflow with the time of the retry; their old report counts no more."""
    other = Board(simulator, "other", group="ring")
    cloud.deploy(update_id, "ring")
    for each in (board, other):
        each.told()
    board.ends(FAILED, result=0)
    other.ends(IDLE, installed=update_id)
    before = (board.service(), other.service())
    assert cloud.management.retry_deployment("ring", cloud.the_class("ring"), "d-1")["isRetried"]
    assert simulator.hub.wait_until(lambda: "retryTimestamp" in board.service()["workflow"])
    assert (board.service()["workflow"]["id"], other.service()) == (before[0]["workflow"]["id"], before[1])
    assert states(cloud) == {"other": "Succeeded", "pump": "InProgress"}
    board.ends(IDLE, installed=update_id)
    assert states(cloud, filter="deviceState eq 'Succeeded'") == {"other": "Succeeded", "pump": "Succeeded"}


def test_each_retry_has_a_time_of_its_own(cloud, simulator, board, update_id):
    """Even two at the same moment."""
    cloud.deploy(update_id, "ring")
    times = set()
    for _ in range(3):
        board.told()
        board.ends(FAILED, result=0)
        simulator.retry("d-1")
        assert simulator.hub.wait_until(lambda: board.service()["workflow"].get("retryTimestamp") not in {None, *times})
        times.add(board.service()["workflow"]["retryTimestamp"])
    assert len(times) == 3


def test_an_active_deployment_is_not_deleted(cloud, board, update_id):
    """It has to be cancelled first."""
    cloud.deploy(update_id, "ring")
    board.told()
    with pytest.raises(HttpResponseError, match="cancel it first"):
        cloud.management.delete_deployment("ring", "d-1")
    with pytest.raises(HttpResponseError, match="cancel it first"):
        cloud.management.delete_deployment_for_device_class_subgroup("ring", cloud.the_class("ring"), "d-1")


def test_a_deployment_can_be_taken_from_a_subgroup(cloud, board, update_id):
    """Once cancelled there; gone from the last one, it is gone."""
    cloud.deploy(update_id, "ring")
    board.told()
    class_id = cloud.the_class("ring")
    (shown,) = cloud.management.list_deployments_for_device_class_subgroup("ring", class_id)
    assert shown == cloud.management.get_deployment_for_device_class_subgroup("ring", class_id, "d-1")
    assert cloud.management.get_device_class_subgroup_deployment_status("ring", class_id, "d-1")["totalDevices"] == 1
    cloud.management.stop_deployment("ring", class_id, "d-1")
    cloud.management.delete_deployment_for_device_class_subgroup("ring", class_id, "d-1")
    with pytest.raises(ResourceNotFoundError, match="Deployment d-1"):
        cloud.management.get_deployment("ring", "d-1")


@pytest.mark.usefixtures("board")
def test_asking_twice_makes_one_deployment(cloud, update_id):
    """The same again is the same; another update under its id is refused."""
    first = cloud.deploy(update_id, "ring")
    assert cloud.deploy(update_id, "ring") == first
    with pytest.raises(HttpResponseError, match="is another"):
        cloud.deploy(cloud.import_update(version="2.0"), "ring")


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"deploymentId": "other"}, "must be those of the path"),
        ({"startDateTime": "tomorrow"}, "'tomorrow' is no time"),
        ({"update": {"updateId": {"provider": "a", "name": "b", "version": "1.0"}}}, "Update a/b/1.0 does not exist"),
        ({"downloadSecurity": "ftp"}, "downloadSecurity"),
        ({"rollbackPolicy": {}}, "rollbackPolicy"),
    ],
)
def test_a_deployment_that_makes_no_sense_is_refused(cloud, update_id, changes, reason):
    """With the field that is wrong."""
    with pytest.raises(HttpResponseError, match=reason):
        cloud.deploy(update_id, "ring", **changes)


@pytest.mark.usefixtures("board")
def test_what_is_not_there_is_not_found(cloud, update_id):
    """Group, deployment and subgroup by name; an update that is not deployable is refused."""
    with pytest.raises(ResourceNotFoundError, match="Group nowhere"):
        cloud.deploy(update_id, "nowhere")
    with pytest.raises(ResourceNotFoundError, match="Deployment none"):
        cloud.management.get_deployment("ring", "none")
    cloud.deploy(update_id, "ring")
    with pytest.raises(ResourceNotFoundError, match="device class 0000"):
        cloud.management.stop_deployment("ring", "0000", "d-1")
    child = cloud.import_update("child", compatibility=[{"a": "b"}], isDeployable=False)
    with pytest.raises(HttpResponseError, match="not deployable"):
        cloud.deploy(child, "ring", "d-2")


def test_a_deployment_waits_for_its_start(cloud, simulator, board, update_id):
    """Until then devices keep what they have."""
    cloud.deploy(update_id, "ring", startDateTime="2099-01-01T00:00:00Z")
    cloud.management.get_deployment_status("ring", "d-1")
    assert board.service() == {}
    simulator.clock.advance(80 * 365 * 24 * 3600)
    assert board.told()["workflow"]["action"] == 3


@pytest.mark.usefixtures("board")
def test_seven_deployments_may_be_made_in_a_minute(cloud, simulator, update_id):
    """The eighth hears how long to wait."""
    for number in range(7):
        cloud.deploy(update_id, "ring", f"d-{number}")
    with pytest.raises(HttpResponseError) as refused:
        cloud.deploy(update_id, "ring", "d-7")
    wait = int(refused.value.response.headers["Retry-After"])
    assert (refused.value.status_code, 0 < wait <= MINUTE) == (429, True)
    simulator.clock.advance(wait)
    cloud.deploy(update_id, "ring", "d-7")


@pytest.mark.usefixtures("board")
def test_looks_can_be_rationed(cloud, simulator):
    """By the quotas of an instance, for whoever sets them; the clock makes room again."""
    simulator.throttle.per_minute.update(QUOTAS)
    for _ in range(30):
        cloud.management.get_group("ring")
    with pytest.raises(HttpResponseError, match="more calls of groups in a minute"):
        list(cloud.management.list_groups())
    assert simulator.throttle.refused == 1
    simulator.clock.advance(MINUTE)
    assert [each["groupId"] for each in cloud.management.list_groups()] == ["ring"]


def test_fifty_deployments_may_be_active_and_a_hundred_exist(cloud, simulator, update_id):
    """Those that were superseded count only for the hundred."""
    for number in range(51):
        Board(simulator, f"pump-{number}", group=f"ring-{number}")
    simulator.throttle.per_minute.clear()
    for number in range(50):
        cloud.deploy(update_id, f"ring-{number}", "d-1")
    with pytest.raises(HttpResponseError, match="50 deployments are active"):
        cloud.deploy(update_id, "ring-50", "d-1")
    for number in range(50):
        cloud.deploy(update_id, "ring-0", f"e-{number}")
    with pytest.raises(HttpResponseError, match="there are 100 deployments; delete some"):
        cloud.deploy(update_id, "ring-0", "e-50")


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(
    ("effect", "made"),
    [(Effect.SERVER_ERROR, 0), (Effect.THROTTLE, 0), (Effect.LOSE_REQUEST, 0), (Effect.LOSE_REPLY, 1)],
)
def test_deployments_can_go_wrong_on_purpose(cloud, simulator, update_id, effect, made):
    """A lost reply is told from a lost request by what exists."""
    simulator.faults.plan("deployment", effect, "d-1")
    with pytest.raises(AzureError):
        cloud.deploy(update_id, "ring")
    assert len(list(cloud.management.list_deployments_for_group("ring"))) == made
