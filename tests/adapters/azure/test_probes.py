"""What Azure answers to probes, and what that proves: of every role that lacks, and every thing that is gone."""

from __future__ import annotations

import msgspec
import pytest

from adapters.azure.fleet.refusals import Waiting
from adapters.azure.probes.answers import Meaning, Role, judged
from adapters.azure.probes.listed import probes
from adapters.clouds import probes as chosen
from adapters.simulation.faults import Effect
from bridge.errors import UsageError
from bridge.fleet import FleetError
from bridge.probing import ROLLOUTS, Duty, Found, prove
from tests.adapters.azure.plant import Plant

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s(ocket|sl):ResourceWarning")
CREDENTIALS = "credentials"
VARIABLES = {
    Duty.CONTROLLER: "controller_principals",
    Duty.PUBLISHER: "publisher_principals",
    Duty.VIEWER: "viewer_principals",
}
DENIALS = {
    "blobs/read": ("blob", "*/otabridge/*", "Storage Blob Data Contributor"),
    "blobs/write": ("blob", "*/otabridge/*", "Storage Blob Data Contributor"),
    "generateUserDelegationKey": ("blob", "*", "Storage Blob Delegator"),
    "twins/queries": ("query", "*", "IoT Hub Data Contributor"),
    "jobs/read": ("job_read", "*", "IoT Hub Data Contributor"),
    "jobs/write": ("job", "*", "IoT Hub Data Contributor"),
    "groups/read": ("group", "", "Device Update Deployments Administrator"),
    "updates/read": ("update", "*", "Device Update Content Administrator"),
    "updates/write": ("import", "*", "Device Update Content Administrator"),
    "deployments/read": ("deployment", "*", "Device Update Deployments Administrator"),
    "deployments/write": ("deployment", "*", "Device Update Deployments Administrator"),
    "groups/delete": ("group", "otabridge-*", "Device Update Deployments Administrator"),
}
"""By probe: operation and subject of a fault that denies it, and the role that it needs."""


@pytest.fixture
def plant(tmp_path):
    """Azure on loopback."""
    with Plant(tmp_path).running() as plant:
        yield plant


@pytest.fixture
def found(plant):
    """Runs all probes, or those of some duties, of a fleet with these changes; findings by the probe's name."""

    def run(duties=ROLLOUTS, **changes):
        settings = msgspec.to_builtins(plant.settings(**changes))
        return {each.probe.name: each.finding for each in prove(probes("plant", settings, {}), duties)}

    return run


def test_all_is_proven_where_all_is_there(found):
    """Each probe by an answer."""
    findings = found()

    assert list(findings) == [CREDENTIALS, *DENIALS]
    assert {finding.found for finding in findings.values()} == {Found.OK}


def test_probes_leave_nothing_behind(plant, found):
    """No job, no group, no update, no blob."""
    found()

    services = plant.fleet._services
    assert plant.simulator.jobs.listed(None, None) == ()
    assert services.deployments.stages() == []
    assert list(services.device_update.device_update.list_updates()) == []
    assert list(services.storage._service.get_container_client(plant.simulator.container).list_blobs()) == []


@pytest.mark.parametrize("name", DENIALS)
def test_a_role_that_lacks_is_named_with_what_grants_it(plant, found, name):
    """Role and scope as Azure has them, and the module's variable; what another role grants is still proven."""
    operation, subject, role = DENIALS[name]
    plant.faults.plan(operation, Effect.DENY, subject, times=9)

    findings = found()
    denied = findings[name]

    assert denied.found is Found.MISSING
    assert denied.needs.startswith(f"role {role} on ")
    assert denied.variable == "controller_principals"
    rest = {other for other, finding in findings.items() if finding.found is not Found.OK}
    assert rest <= {other for other in DENIALS if DENIALS[other][0] == operation}


def test_scopes_are_named_for_people(plant, found):
    """Who assigns roles in the portal has to find them."""
    plant.faults.plan("[!t]*", Effect.DENY, times=99)

    scopes = {name: finding.needs.partition(" on ")[2] for name, finding in found().items()}

    simulator = plant.simulator
    assert scopes["jobs/write"] == f"IoT hub {simulator.hub_name}"
    assert scopes["updates/write"] == f"Device Update account {simulator.endpoint}"
    assert scopes["blobs/write"] == f"container {simulator.container} of {simulator.storage_url}"
    assert scopes["generateUserDelegationKey"] == f"storage account {simulator.storage_url}"


@pytest.mark.parametrize("duty", ROLLOUTS)
def test_the_variable_is_that_of_who_asks(plant, found, duty):
    """And the role is the least one that is enough for them."""
    plant.faults.plan("[!t]*", Effect.DENY, times=99)

    findings = [each for each in found([duty]).values() if each.found is Found.MISSING]

    assert {each.variable for each in findings} == {VARIABLES[duty]}
    if duty is Duty.VIEWER:
        assert {each.needs.partition(" on ")[0] for each in findings} == {
            "role IoT Hub Data Reader",
            "role Device Update Reader",
            "role Storage Blob Data Reader",
        }


def test_a_container_that_is_not_there_is_named(found):
    """With the variable that names it."""
    findings = found(container="elsewhere")

    for name in ("blobs/read", "blobs/write"):
        assert (findings[name].found, findings[name].variable) == (Found.MISSING, "artifact_container_name")
        assert findings[name].needs.startswith("container elsewhere of ")


def test_an_instance_that_is_not_there_is_named(plant, found):
    """Device Update says so when its groups are listed."""
    finding = found(instance="elsewhere")["groups/read"]

    assert (finding.found, finding.variable) == (Found.MISSING, "device_update_instance_name")
    assert finding.needs == f"instance elsewhere of {plant.simulator.endpoint}"


def test_trouble_of_the_cloud_proves_nothing(plant, found):
    """Neither that it may be done, nor that it may not."""
    plant.faults.plan("job_read", Effect.THROTTLE, times=9)
    plant.faults.plan("import", Effect.SERVER_ERROR, times=9)

    findings = found()

    assert findings["jobs/read"].said.startswith("429 ThrottlingException")
    assert findings["updates/write"].said.startswith("500 ")
    assert {findings[name].found for name in ("jobs/read", "updates/write")} == {Found.UNKNOWN}


def test_a_hub_that_is_away_proves_nothing(found):
    """It may have another name; the other services answer still."""
    findings = found(hub="127.0.0.1:9")

    assert findings["jobs/read"].found is Found.UNKNOWN
    assert findings["groups/read"].found is Found.OK


def test_a_hub_that_is_busy_proves_nothing():
    """It runs one job at a time, perhaps somebody else's, and says so before it looks at another."""

    def ask():
        raise Waiting("job otabridge-check-no-such waits until the hub has run another job")

    finding = judged("plant", ask, Role("IoT Hub Data Contributor", "IoT hub x", Duty.CONTROLLER), Meaning())

    assert (finding.found, finding.needs) == (Found.UNKNOWN, "")
    assert "until the hub has run another job" in finding.said


def test_nobody_without_credentials_proves_anything(plant, found):
    """The first probe says so, in words that help."""
    plant.faults.plan("token", Effect.DENY, times=99)

    with pytest.raises(FleetError, match=r"no credentials for Azure|was refused"):
        found()


def test_settings_are_judged_before_anything_is_called():
    """As when the fleet is used."""
    with pytest.raises(UsageError, match="fleet plant: object missing required field"):
        chosen("azure", "plant", {})
