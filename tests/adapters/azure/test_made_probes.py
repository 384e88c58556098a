"""What Terraform made in Azure, looked at name by name: all is well, each mistake, what is gone, what is denied."""

from __future__ import annotations

import pytest

from adapters.azure.fleet.settings import parse_settings
from adapters.azure.probes.arm import Arm, Version
from adapters.azure.probes.listed import MANAGEMENT_URL, made_probes
from adapters.azure.probes.made import Made
from adapters.azure.probes.reading import Subscription
from adapters.clouds import probes
from adapters.made import named
from bridge.errors import UsageError
from bridge.probing import ROLLOUTS, SIGNING, Duty, Found, prove
from tests.adapters.azure.manager import (
    ACCOUNT,
    ASSIGNMENTS,
    CONTAINER,
    EVENT_HUB,
    HUB,
    INSTANCE,
    PERMISSIONS,
    PROVISIONING,
    READERS,
    READS_ALL,
    RESOURCES,
    SETTINGS,
    SIGNS,
    STORAGE,
    UPDATER,
    VAULT,
    WORKBOOK,
    WORKSPACE,
    Manager,
    Token,
    assignment,
)

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s(ocket|sl):ResourceWarning")
READS = [
    "storage_account_id",
    "container_id",
    "hub_id",
    "event_hub routes",
    "event_hub",
    "event_consumer_group",
    "device_update_account_id",
    "device_update_instance_id",
    "device_update_principal_id",
    "event_hub sender",
    "key_vault_id",
    "release_key",
    "not sign releases",
    "root_key",
    "not sign root",
    "provisioning_id",
    "log_analytics_workspace_id",
    "workbook_id",
]


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """Resource Manager on loopback, with everything as the module made it."""
    with Manager(tmp_path / "pki").running() as manager:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(manager.ca_file))
        yield manager


@pytest.fixture
def found(manager):
    """Runs the probes of the resources, with changes to those or to the settings; findings by the probe's name."""

    def run(duties=ROLLOUTS, settings=(), **changes):
        read = parse_settings("plant", {**SETTINGS, **dict(settings)})
        at = Subscription("plant", read, manager.url, Token)
        listed = list(made_probes(at, named("plant", {**RESOURCES, **changes}, Made)))
        return {each.probe.name: each.finding for each in prove(listed, duties)}

    return run


def test_all_is_well_where_all_is_as_terraform_made_it(manager, found):
    """One finding for each name, and each by an answer; nothing but GET is asked."""
    findings = found()

    assert list(findings) == READS
    assert {name: each.said for name, each in findings.items() if each.found is not Found.OK} == {}
    assert {asked.partition(" ")[0] for asked in manager.asked} == {"GET"}


# Whose answer, where in it, what it says instead; which probe finds what, and the variable.
ROUTING = ("properties", "routing")
MISTAKES: dict[str, tuple[str, tuple[str, ...], dict[str, object], str, str, str]] = {
    "another hub": (
        HUB,
        ("properties",),
        {"hostName": "other.azure-devices.net"},
        "hub_id",
        "hub of the fleet to be",
        "",
    ),
    "a hub that failed": (
        HUB,
        ("properties",),
        {"state": "Failed"},
        "hub_id",
        "the hub to be Active; it is Failed",
        "",
    ),
    "a basic hub": (HUB, ("sku",), {"name": "B1"}, "hub_id", "a standard tier of the hub; it is B1", "hub_sku"),
    "a hub without routes": (HUB, ROUTING, {"routes": []}, "event_hub routes", "an enabled route of Twin", ""),
    "a hub without endpoints": (HUB, ROUTING, {"endpoints": {}}, "event_hub routes", "an endpoint of the hub at", ""),
    "another account": (
        ACCOUNT,
        ("properties",),
        {"hostName": "other.api.adu.microsoft.com"},
        "device_update_account_id",
        "endpoint of the fleet to be other",
        "",
    ),
    "an account in the making": (
        ACCOUNT,
        ("properties",),
        {"provisioningState": "Creating"},
        "device_update_account_id",
        "plant-adu to be Succeeded; it is Creating",
        "",
    ),
    "an instance of another hub": (
        INSTANCE,
        ("properties",),
        {"iotHubs": []},
        "device_update_instance_id",
        f"the hub {HUB} in the instance fleet",
        "",
    ),
    "other storage": (
        STORAGE,
        ("properties", "primaryEndpoints"),
        {"blob": "https://other/"},
        "storage_account_id",
        "storage_url of the fleet to be https://other",
        "",
    ),
    "shared keys": (
        STORAGE,
        ("properties",),
        {"allowSharedKeyAccess": None},
        "storage_account_id",
        "no shared keys of plantota",
        "",
    ),
    "public blobs": (
        STORAGE,
        ("properties",),
        {"allowBlobPublicAccess": True},
        "storage_account_id",
        "no public access to blobs of plantota",
        "",
    ),
    "plain HTTP": (
        STORAGE,
        ("properties",),
        {"supportsHttpsTrafficOnly": False},
        "storage_account_id",
        "https alone, of TLS 1.2, to plantota",
        "",
    ),
    "no versions of blobs": (
        f"{STORAGE}/blobServices/default",
        ("properties",),
        {"isVersioningEnabled": False},
        "storage_account_id",
        "versions of the blobs of plantota",
        "",
    ),
    "a public container": (
        CONTAINER,
        ("properties",),
        {"publicAccess": "Blob"},
        "container_id",
        "no public access to artifacts; it is Blob",
        "",
    ),
    "a vault with access policies": (
        VAULT,
        ("properties",),
        {"enableRbacAuthorization": False},
        "key_vault_id",
        "rights by role alone in plant-keys",
        "",
    ),
    "a vault that can be purged": (
        VAULT,
        ("properties",),
        {"enablePurgeProtection": None},
        "key_vault_id",
        "purge protection of plant-keys",
        "",
    ),
    "a key of RSA": (
        f"{VAULT}/keys/root",
        ("properties",),
        {"kty": "RSA", "curveName": ""},
        "root_key",
        "the key root to be EC of P-256; it is RSA",
        "",
    ),
    "a key that only verifies": (
        f"{VAULT}/keys/releases",
        ("properties",),
        {"keyOps": ["verify"]},
        "release_key",
        "sign and verify with the key releases",
        "",
    ),
    "a key that ends": (
        f"{VAULT}/keys/root",
        ("properties", "attributes"),
        {"exp": 1_900_000_000},
        "root_key",
        "the key root enabled, without an end",
        "",
    ),
    "Device Update without its role": (
        f"{HUB}{ASSIGNMENTS}",
        (),
        {"value": [assignment("somebody", "4fc6c259-987e-4a07-842e-c321cc9d413f")]},
        "device_update_principal_id",
        f"role IoT Hub Data Contributor on {HUB} for {UPDATER}",
        "device_update_principal_id",
    ),
    "a hub that may not send": (
        f"{EVENT_HUB}{ASSIGNMENTS}",
        (),
        {"value": []},
        "event_hub sender",
        f"role Azure Event Hubs Data Sender on {EVENT_HUB} for ",
        "",
    ),
    "devices that are sent elsewhere": (
        PROVISIONING,
        ("properties",),
        {"iotHubs": []},
        "provisioning_id",
        "the hub plant-hub.azure-devices.net linked to plant-dps",
        "enable_provisioning",
    ),
    "another scope": (
        PROVISIONING,
        ("properties",),
        {"idScope": "0ne2"},
        "provisioning_id",
        "provisioning_id_scope to be 0ne2; Terraform's output says 0ne00000001",
        "",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_found_where_it_is_and_nowhere_else(manager, found, mistake):
    """With what must be, and the variable that mends it; without one, that applying again does."""
    id_, path, change, name, needs, variable = mistake
    changed = manager.made[id_]
    for step in path:
        changed = changed[step]
    changed.update(change)

    findings = found()

    assert {other for other, each in findings.items() if each.found is not Found.OK} == {name}
    assert (findings[name].found, findings[name].variable) == (Found.MISSING, variable)
    assert needs in findings[name].needs
    assert findings[name].said == "`terraform apply` mends it"


@pytest.mark.parametrize("source", range(3))
def test_a_route_that_is_off_is_named_by_its_source(manager, found, source):
    """The others still lead where they should."""
    route = manager.made[HUB]["properties"]["routing"]["routes"][source]
    route["isEnabled"] = False

    assert found()["event_hub routes"].needs == f"an enabled route of {route['source']} to the event hub devices"


IDS = {
    "storage_account_id": (STORAGE, "storage_account_name"),
    "container_id": (CONTAINER, "artifact_container_name"),
    "hub_id": (HUB, "hub_name"),
    "event_hub": (EVENT_HUB, ""),
    "event_consumer_group": (READERS, ""),
    "device_update_account_id": (ACCOUNT, "device_update_account_name"),
    "device_update_instance_id": (INSTANCE, "device_update_instance_name"),
    "key_vault_id": (VAULT, "key_vault_name"),
    "root_key": (f"{VAULT}/keys/root", ""),
    "provisioning_id": (PROVISIONING, "enable_provisioning"),
    "log_analytics_workspace_id": (WORKSPACE, ""),
    "workbook_id": (WORKBOOK, ""),
}


@pytest.mark.parametrize("name", IDS)
def test_what_is_gone_is_missing(manager, found, name):
    """Named for people, with the variable that makes it."""
    id_, variable = IDS[name]
    del manager.made[id_]

    finding = found()[name]

    assert (finding.found, finding.variable) == (Found.MISSING, variable)
    assert finding.needs.endswith(", which is not there")


@pytest.mark.parametrize("name", IDS)
def test_what_may_not_be_read_is_not_called_missing(manager, found, name):
    """A rollout needs none of it; the role that lets one read it is told, with who gets it."""
    id_, _ = IDS[name]
    manager.refused[id_] = 403

    finding = found([Duty.VIEWER])[name]

    assert (finding.found, finding.said) == (Found.UNKNOWN, "403 AuthorizationFailed: no")
    assert (finding.needs, finding.variable) == (f"role Reader on {id_}", "viewer_principals")


def test_trouble_of_the_cloud_proves_nothing(manager, found):
    """Neither that it is there, nor that it is not."""
    manager.refused[WORKBOOK] = 429

    finding = found()["workbook_id"]

    assert (finding.found, finding.said, finding.needs) == (Found.UNKNOWN, "429 TooManyRequests: no", "")


def test_an_answer_of_another_shape_proves_nothing(manager, found):
    """It is no traceback."""
    manager.made[HUB] = {"sku": "S1"}

    finding = found()["hub_id"]

    assert finding.found is Found.UNKNOWN
    assert finding.said.startswith("Azure answered what it does not document: ")


def test_a_manager_that_is_away_proves_nothing(manager):
    """The other services may answer still."""
    at = Subscription("plant", parse_settings("plant", SETTINGS), "https://127.0.0.1:9", Token)

    (finding,) = (each.finding for each in prove([next(made_probes(at, Made(hub_id=HUB)))], ROLLOUTS))

    assert finding.found is Found.UNKNOWN
    assert manager.asked == []


def test_whose_role_it_is_that_device_update_has_may_be_unknown(found):
    """The assignment was there before the module: then nothing is claimed, and nothing fails."""
    finding = found(device_update_principal_id=None)["device_update_principal_id"]

    assert finding.found is Found.SKIPPED
    assert "while device_update_principal_id is null" in finding.said


SIGNERS = dict(zip(SIGNING, ("releases", "root"), strict=True))


@pytest.mark.parametrize(("duty", "key"), list(SIGNERS.items()))
def test_who_signs_may_by_the_rights_on_the_key(manager, found, duty, key):
    """Told on the second page of them, too."""
    manager.made[f"{VAULT}/keys/{key}{PERMISSIONS}"]["value"].append(SIGNS)

    findings = found([duty])

    assert {name: each.found for name, each in findings.items()} == {f"sign {key}": Found.OK}


@pytest.mark.parametrize(("duty", "key"), list(SIGNERS.items()))
def test_who_signs_and_may_not_is_told_the_variable(found, duty, key):
    """That of this key alone."""
    finding = found([duty])[f"sign {key}"]

    assert (finding.found, finding.needs) == (Found.MISSING, f"role Key Vault Crypto User on {VAULT}/keys/{key}")
    assert finding.variable == {"releases": "approver_principals", "root": "root_approver_principals"}[key]


@pytest.mark.parametrize("duty", [Duty.CONTROLLER, Duty.PUBLISHER])
def test_who_rolls_out_and_may_sign_is_found(manager, found, duty):
    """Approvers cannot be the controller."""
    manager.made[f"{VAULT}/keys/root{PERMISSIONS}"]["value"] = [SIGNS]

    findings = found([duty])

    assert findings["not sign releases"].found is Found.OK
    assert (findings["not sign root"].found, findings["not sign root"].variable) == (
        Found.MISSING,
        "root_approver_principals",
    )
    assert findings["not sign root"].needs.endswith(f" for who is asked as {duty}")


RIGHTS = {
    "a pattern of any case": ([{"dataActions": ["microsoft.keyvault/VAULTS/keys/sign/*"]}], Found.MISSING),
    "taken out again": ([{"dataActions": ["*"], "notDataActions": ["*/sign/action"]}], Found.OK),
    "no rights at all": ([], Found.OK),
    "rights on data are not told": ([{"actions": ["*"]}], Found.UNKNOWN),
    "told for one role of two": ([{"actions": ["*"]}, READS_ALL], Found.OK),
}


@pytest.mark.parametrize(("rights", "result"), RIGHTS.values(), ids=RIGHTS)
def test_rights_are_read_as_azure_means_them(manager, found, rights, result):
    """Patterns have no case, what is taken out is not had, and what is not told is not claimed."""
    manager.made[f"{VAULT}/keys/root{PERMISSIONS}"]["value"] = rights

    assert found([Duty.CONTROLLER])["not sign root"].found is result


def test_a_list_that_leads_elsewhere_is_not_followed(manager):
    """A token goes to Resource Manager and to nobody else."""
    manager.made[HUB] = {"value": None}
    manager._paged = lambda *_: {"value": [{"a": 1}], "nextLink": "https://127.0.0.1:9/more"}

    assert list(Arm(manager.url, Token()).read_all(HUB, Version.HUB, dict)) == [{"a": 1}]


def test_a_list_without_an_end_is_left(manager):
    """After twenty pages."""
    manager.made[HUB] = {"value": None}
    manager._paged = lambda *_: {"value": [{"a": 1}], "nextLink": f"{manager.url}{HUB}?api-version=1"}

    assert len(list(Arm(manager.url, Token()).read_all(HUB, Version.HUB, dict))) == 20


def test_names_without_a_probe_are_listed_and_fail_nothing():
    """Those of a newer module, or of somebody's own."""
    last = probes("azure", "plant", SETTINGS, {"of_tomorrow": "x"})[-1]

    assert last.run(Duty.VIEWER).said == "of_tomorrow: this otabridge knows no probe of them"


def test_an_id_that_is_none_is_refused():
    """It would become an address that is asked with a token."""
    with pytest.raises(UsageError, match=r"fleet plant: resources\.hub_id: expected `str` matching regex"):
        probes("azure", "plant", SETTINGS, {"hub_id": "/subscriptions/x?y=z"})


def test_a_manager_without_tls_is_refused(monkeypatch):
    """Before a token is asked for."""
    monkeypatch.setenv(MANAGEMENT_URL, "http://127.0.0.1:9")

    with pytest.raises(UsageError, match=f"{MANAGEMENT_URL} is 'http://127.0.0.1:9'; it must begin with https://"):
        probes("azure", "plant", SETTINGS, RESOURCES)
