"""The committed schemas hold what the modules use, and no more."""

from __future__ import annotations

import pytest

from tests.infra.extraction.usage import used
from tests.infra.provider.document import read_document, read_knowledge
from tests.infra.provider.installation import SCHEMAS

FILES = {
    "azurerm-4.42": "azurerm_",
    "azurerm-4": "azurerm_",
    "azurerm-5": "azurerm_",
    "aws-5.80": "aws_",
    "aws-6": "aws_",
}


@pytest.mark.parametrize("name", FILES)
def test_schemas_hold_what_the_modules_use(name):
    """After a new resource type, `python -m tests.infra.extraction` makes the schema anew; see schemas/README.md."""
    schemas = read_document(SCHEMAS / f"{name}.json").schemas

    assert set(schemas.resource_schemas) == {each for each in used("resource") if each.startswith(FILES[name])}
    assert set(schemas.data_source_schemas) == {each for each in used("data") if each.startswith(FILES[name])}


@pytest.mark.parametrize("name", FILES)
def test_rules_are_about_what_the_schema_has(name):
    """A rule for an argument that there is not would never be broken."""
    document = read_document(SCHEMAS / f"{name}.json")
    knowledge = read_knowledge(SCHEMAS / f"rules-{name.partition('-')[0]}.json")
    known = document.schemas.resource_schemas

    for kind, rules in knowledge.rules.items():
        assert [path for path in rules if not has(known[kind].block, path.split("."))] == []
    for kind, computed in knowledge.computed.items():
        assert [attribute for attribute in computed if not known[kind].block.attributes[attribute].computed] == []


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("azurerm-4", "storage_account_name"), ("azurerm-4", "storage_account_id"), ("azurerm-5", "storage_account_id")],
)
def test_schemas_are_those_of_their_versions(name, attribute):
    """Where a container lies is said in two ways in version 4, and in one in version 5."""
    container = read_document(SCHEMAS / f"{name}.json").schemas.resource_schemas["azurerm_storage_container"].block

    assert container.attributes[attribute].required == (name == "azurerm-5")


def test_keys_are_known_to_be_secret():
    """Terraform hides a connection string in what it prints."""
    policy = read_document(SCHEMAS / "azurerm-4.json").schemas.resource_schemas["azurerm_iothub_shared_access_policy"]

    assert policy.block.attributes["primary_connection_string"].sensitive
    assert not policy.block.attributes["name"].sensitive


def has(block, path):
    """Whether there is an argument at a path of names."""
    if len(path) == 1:
        return path[0] in block.attributes
    return path[0] in block.block_types and has(block.block_types[path[0]].block, path[1:])
