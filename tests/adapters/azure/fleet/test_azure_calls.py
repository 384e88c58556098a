"""Single calls to the hub and to Device Update, where repeating one must be harmless."""

from __future__ import annotations

import itertools

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from msrest.exceptions import HttpOperationError

from adapters.azure.fleet.memberships import forget
from adapters.azure.fleet.pacing import Patience
from adapters.azure.fleet.refusals import Refused, Waiting, explained
from adapters.azure.fleet.updates import Import, explain_failure
from adapters.azure.wire import UpdateId
from bridge.fleet import FleetError
from bridge.names import stage_name
from bridge.release.report import Outcome, Report
from bridge.tally import Tally
from tests.adapters.azure.plant import Plant, eventually, order_of, put

KEY = "spring/1"
STAGE = stage_name(KEY)
UPDATE = UpdateId("contoso", "gateway-os", "2.0.0")


@pytest.fixture
def plant(tmp_path, package):
    """Azure with one device in the group eu, and the artifact in the container."""
    with Plant(tmp_path).running() as plant:
        plant.add("gate-1", group="eu")
        put(plant.fleet, package, tmp_path)
        yield plant


@pytest.fixture
def order(package):
    """The release for the one device."""
    return order_of(package, ["gate-1"])


@pytest.fixture
def patience(plant):
    """None."""
    return Patience(0, 0.1, plant.clock)


def test_a_job_of_that_name_is_this_one(plant, patience):
    """Its first reply was lost."""
    twins = plant.fleet._services.twins
    for _ in range(2):
        twins.create_job("otabridge-job-1", "tags.otabridge.stage = 'x'", forget(), patience)

    job = twins.job("otabridge-job-1")

    assert job.is_over
    assert job.changed_all(0)
    assert str(job) == "job otabridge-job-1 is completed: 0 of 0 twins changed"


def test_an_unknown_job_is_none(plant, monkeypatch):
    """It was never asked for; the hub has two ways to say so."""
    twins = plant.fleet._services.twins
    assert twins.job("otabridge-job-1") is None

    monkeypatch.setattr(twins._jobs, "get_scheduled_job", refuse_with(404))
    assert twins.job("otabridge-job-1") is None
    monkeypatch.setattr(twins._jobs, "get_scheduled_job", refuse_with(403))
    with pytest.raises(HttpOperationError):
        twins.job("otabridge-job-1")


def refuse_with(status):
    """A call of the hub's library that is refused."""

    def refuse(*_):
        response = requests.Response()
        response.status_code, response.reason = status, "no"
        response.request = requests.Request("GET", "https://hub/jobs/v2/x").prepare()
        raise HttpOperationError(None, response)

    return refuse


def test_a_condition_that_the_hub_cannot_read_is_an_error(plant, patience):
    """Not one to wait for."""
    with pytest.raises(FleetError, match="ArgumentInvalid") as raised, explained("factory"):
        plant.fleet._services.twins.create_job("otabridge-job-1", "no condition (", forget(), patience)
    assert not raised.value.retryable


def test_an_active_deployment_is_not_deleted(plant, order):
    """It is waited for, whoever keeps it alive."""
    plant.fleet.start(order)
    deployments = plant.fleet._services.deployments

    with pytest.raises(Waiting, match=rf"deployment {STAGE} cannot be deleted yet: "):
        deployments.remove(STAGE)
    assert not deployments.remove_group(STAGE)


def test_a_deployment_is_cancelled_and_deleted_once(plant, order):
    """Each again is nothing."""
    plant.fleet.start(order)
    deployments = plant.fleet._services.deployments
    (device_class,) = deployments.find(STAGE).classes

    for _ in range(2):
        deployments._cancel(STAGE, device_class, STAGE)
        deployments.cancel(STAGE)
    for _ in range(2):
        deployments.remove(STAGE)

    deployments._cancel(STAGE, device_class, STAGE)
    deployments.cancel(STAGE)
    assert deployments.find(STAGE) is None


def test_a_refused_cancel_of_a_live_deployment_is_an_error(plant, order, monkeypatch):
    """Only what is cancelled already may refuse."""
    plant.fleet.start(order)
    deployments = plant.fleet._services.deployments

    def refuse(*_):
        error = HttpResponseError("no")
        error.status_code = 409
        raise error

    monkeypatch.setattr(deployments._management, "stop_deployment", refuse)
    with pytest.raises(HttpResponseError):
        deployments.cancel(STAGE)


@pytest.mark.parametrize("call", ["delete_deployment", "delete_group"])
def test_a_delete_without_permission_is_an_error(plant, order, monkeypatch, call):
    """Not one to wait for."""
    plant.fleet.start(order)
    deployments = plant.fleet._services.deployments

    def refuse(*_):
        error = HttpResponseError("no")
        error.status_code = 403
        raise error

    monkeypatch.setattr(deployments._management, call, refuse)
    with pytest.raises(FleetError, match="no"):
        plant.fleet.stop(KEY, "enough")
    monkeypatch.undo()


def test_a_deployment_that_is_gone_when_it_is_deleted_is_deleted(plant, order, monkeypatch):
    """Somebody else did it between our look and our call."""
    plant.fleet.start(order)
    deployments = plant.fleet._services.deployments
    found = deployments.find(STAGE)
    deployments.cancel(STAGE)
    deployments.remove(STAGE)
    monkeypatch.setattr(deployments, "find", lambda *_: found)

    deployments.remove(STAGE)


def test_an_import_that_somebody_else_began_is_waited_for(plant, order, monkeypatch):
    """The service takes one at a time of an update."""
    update = plant.fleet._services.updates._client.device_update

    def refuse(*_, **__):
        raise ResourceExistsError("being imported")

    monkeypatch.setattr(update, "begin_import_update", refuse)

    with pytest.raises(FleetError, match=r"update contoso/gateway-os/2\.0\.0 is being imported by somebody") as raised:
        plant.fleet.start(order)
    assert raised.value.retryable


FAILURES = [
    ("UpdateAlreadyExists", Waiting, "failed: UpdateAlreadyExists: said so; it is looked at again"),
    ("SourceFilePendingMalwareAnalysis", Waiting, "it is looked at again"),
    ("UpdateLimitExceeded", Refused, "A quota of Device Update is used up: delete old updates"),
    ("SourceFileMalwareDetected", Refused, "Azure takes a file for malware"),
    ("CannotParse", Refused, "Correct what Azure names and run the command again"),
]


@pytest.mark.parametrize(("code", "kind", "words"), FAILURES)
def test_a_failed_import_says_what_to_do(code, kind, words):
    """Or that time will do it."""
    error = explain_failure(UPDATE, Import("Failed", code, "said so"))

    assert type(error) is kind
    assert words in str(error)


def test_a_group_that_comes_back_is_deleted_again(plant, package, order):
    """Device Update saw the tag of a device after the group was gone; its record is closed."""
    plant.fleet.start(order)
    plant.end("gate-1", KEY, Report(Outcome.INSTALLED, "b", "2.0.0"))
    plant.fleet.stop(KEY, "completed")
    assert plant.fleet.tally(KEY) == Tally(installed=1, open=False)
    plant.add("late", group=STAGE)
    eventually(lambda: STAGE in plant.groups())
    plant.hub.patch_twin("late", {"tags": {"ADUGroup": None}})
    numbers = itertools.count(2)

    def swept():
        plant.fleet.start(order_of(package, (), key=f"spring/{next(numbers)}"))
        return STAGE not in plant.groups()

    eventually(swept)
    assert plant.state(KEY) == "closed"


@pytest.mark.parametrize("until", ["_freeze", "_clean", ""])
def test_an_order_that_was_stopped_while_it_was_counted_is_counted_again(plant, order, monkeypatch, until):
    """Its devices are missing because another otabridge gives them back, not because somebody took them away."""
    plant.fleet.start(order)
    plant.end("gate-1", KEY, Report(Outcome.INSTALLED, "b", "2.0.0"))
    other, count = plant.open(), plant.fleet._counting.count

    def count_late(held):
        monkeypatch.setattr(plant.fleet._counting, "count", count)
        stop_until(other, until, monkeypatch)
        return count(held)

    monkeypatch.setattr(plant.fleet._counting, "count", count_late)

    assert plant.fleet.tally(KEY) == Tally(installed=1, open=until == "_freeze")


def stop_until(fleet, step, monkeypatch):
    """Stop the order; the process dies at a step of it, "" for none."""
    if not step:
        fleet.stop(KEY, "by the other one")
        return
    monkeypatch.setattr(fleet._closing, step, _die)
    with pytest.raises(KeyboardInterrupt):
        fleet.stop(KEY, "by the other one")


def _die(*_):
    raise KeyboardInterrupt
