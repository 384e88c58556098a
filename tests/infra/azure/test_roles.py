"""The roles that infra/azure assigns are those that otabridge's calls need, as `otabridge fleet check` proves them."""

from __future__ import annotations

import re

import pytest

from adapters.azure.probes.calls import AzureCall
from adapters.azure.probes.listed import probes
from bridge.probing import Duty
from tests.infra.absent import found_or_skip
from tests.infra.provider.installation import SCHEMAS, install
from tests.infra.terraform import INFRA, prepare

ROOT = """
provider "azurerm" {
  features {}
}

module "fleet" {
  source = "../"

  name                     = "acme"
  location                 = "westeurope"
  update_provider          = "Acme"
  manufacturer             = "Acme"
  controller_principals    = { some = "11111111-1111-1111-1111-111111111111" }
  publisher_principals     = { some = "22222222-2222-2222-2222-222222222222" }
  viewer_principals        = { some = "33333333-3333-3333-3333-333333333333" }
  approver_principals      = { some = "44444444-4444-4444-4444-444444444444" }
  root_approver_principals = { some = "55555555-5555-5555-5555-555555555555" }
  event_reader_principals  = { some = "66666666-6666-6666-6666-666666666666" }
}

output "tool_config" {
  value = module.fleet.tool_config
}
"""
BESIDE = {Duty.VIEWER: {"Log Analytics Reader"}}
"""Roles for what people look at in the portal, which no call of otabridge needs."""
WIDE = re.compile(r"/subscriptions/[^/]+(/resourceGroups/[^/]+)?")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root module with somebody for every part, applied on the stand-in for azurerm 5."""
    folder = tmp_path_factory.mktemp("roles")
    terraform = found_or_skip(
        lambda: prepare(folder / "azure", [install(folder / "mirror", SCHEMAS / "azurerm-5.json")])
    )
    terraform.copy(INFRA / "azure")
    below = terraform.inside("root")
    below.folder.mkdir()
    (below.folder / "main.tf").write_text(ROOT)
    below.init()
    below.apply()
    return below


@pytest.fixture(scope="module")
def assignments(root):
    """What was assigned to people and programs: part, role and scope."""
    (module,) = root.run("show", "-json").json()["values"]["root_module"]["child_modules"]
    found = [each for each in module["resources"] if each["type"] == "azurerm_role_assignment" and "index" in each]
    return [
        (each["index"].split("/")[0], each["values"]["role_definition_name"], each["values"]["scope"])
        for each in found
        if each["name"] == "access"
    ]


@pytest.mark.parametrize("duty", Duty)
def test_each_duty_gets_the_roles_that_its_calls_need(root, assignments, duty):
    """No role is missing for a call that `fleet check` tries, and none is there that no call needs."""
    fleet = {name: value for name, value in root.output("tool_config")["fleet"].items() if name != "cloud"}
    calls = [probe.call for probe in probes("acme", fleet) if isinstance(probe, AzureCall)]
    needed = {call.roles[duty] for call in calls if duty in call.roles}

    assert needed
    assert {role for part, role, _ in assignments if part == duty} == needed | BESIDE.get(duty, set())


def test_no_role_reaches_beyond_its_resource(assignments):
    """Whatever else lies in the resource group or the subscription is not touched."""
    assert assignments
    assert [scope for _, _, scope in assignments if WIDE.fullmatch(scope)] == []


def test_approvers_reach_one_key_each(assignments):
    """Who signs releases cannot sign roots, and the other way round; nobody else reaches a key."""
    keys = {part: scope.rpartition("/keys/")[2] for part, _, scope in assignments if "/keys/" in scope}

    assert keys == {"approver": "releases", "root-approver": "root"}
