"""The roles that infra/azure assigns are those that otabridge's calls need, as `otabridge fleet check` proves them."""

from __future__ import annotations

import re

import pytest

from adapters.azure.probes.calls import AzureCall
from adapters.azure.probes.listed import probes
from adapters.azure.probes.reading import READER, Reading
from bridge.probing import ROLLOUTS, Duty
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


@pytest.mark.parametrize("duty", ROLLOUTS)
def test_each_duty_gets_the_roles_that_its_calls_need(root, assignments, duty):
    """No role is missing for a call that `fleet check` tries, and none is there that no call needs."""
    made = root.output("tool_config")
    fleet = {name: value for name, value in made["fleet"].items() if name != "cloud"}
    listed = probes("acme", fleet, made["resources"])
    needed = {each.call.roles[duty] for each in listed if isinstance(each, AzureCall) and duty in each.duties}
    needed |= {READER for each in listed if isinstance(each, Reading) and duty in each.duties}

    assert needed
    assert {role for part, role, _ in assignments if part == duty} == needed | BESIDE.get(duty, set())


@pytest.mark.parametrize("duty", [Duty.CONTROLLER, Duty.VIEWER])
def test_whatever_is_looked_at_may_be_read(root, assignments, duty):
    """Each resource that `fleet check --from-terraform` reads is one, or lies in one, that the duty may read."""
    made = root.output("tool_config")
    fleet = {name: value for name, value in made["fleet"].items() if name != "cloud"}
    read = {probe.id for probe in probes("acme", fleet, made["resources"]) if isinstance(probe, Reading)}
    readable = tuple(scope for part, role, scope in assignments if (part, role) == (duty, READER))

    assert len(read) > len(readable) > 0
    assert [id_ for id_ in read if not id_.startswith(readable)] == []


def test_every_name_of_the_output_is_known(root):
    """None is listed as not looked at."""
    made = root.output("tool_config")
    fleet = {name: value for name, value in made["fleet"].items() if name != "cloud"}

    assert "resources" not in {probe.name for probe in probes("acme", fleet, made["resources"])}


def test_no_role_reaches_beyond_its_resource(assignments):
    """Whatever else lies in the resource group or the subscription is not touched."""
    assert assignments
    assert [scope for _, _, scope in assignments if WIDE.fullmatch(scope)] == []


def test_approvers_reach_one_key_each(assignments):
    """Who signs releases cannot sign roots, and the other way round; nobody else reaches a key."""
    keys = {part: scope.rpartition("/keys/")[2] for part, _, scope in assignments if "/keys/" in scope}

    assert keys == {"approver": "releases", "root-approver": "root"}
