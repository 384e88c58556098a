"""The provider that plays azurerm rejects the mistakes that the real one rejects.

Each mistake is planted in the module of infra/azure, which is valid otherwise: a provider that let one pass would make
every other check of that module worthless.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.infra.terraform import INFRA

VERSIONS = ("azurerm-4", "azurerm-5")


@dataclass(frozen=True)
class Mistake:
    """`right` in `file` becomes `wrong`; then validation says `told`."""

    file: str
    right: str
    wrong: str
    told: str


MISTAKES = {
    "misspelt argument": Mistake(
        "storage.tf", "https_traffic_only_enabled ", "https_trafic_only_enabled ", 'named "https_trafic_only_enabled"'
    ),
    "missing required argument": Mistake(
        "keys.tf", "  sku_name                      = var.key_vault_sku\n", "", '"sku_name" is required'
    ),
    "wrong block": Mistake("storage.tf", "delete_retention_policy {", "retention {", 'type "retention"'),
    "second block where one may be": Mistake(
        "hub.tf", "  identity {", '  identity {\n    type = "SystemAssigned"\n  }\n  identity {', "No more than 1"
    ),
    "missing block": Mistake(
        "hub.tf",
        "  sku {\n    name     = var.hub_sku.name\n    capacity = var.hub_sku.capacity\n  }\n",
        "",
        'At least 1 "sku" blocks are required',
    ),
    "list for a text": Mistake("storage.tf", '"Standard"', '["Standard"]', "string required"),
    "text for a number": Mistake("hub.tf", "capacity = 1", 'capacity = "one"', "a number is required"),
    "unknown resource type": Mistake(
        "events.tf", '"azurerm_eventhub" "devices"', '"azurerm_event_hub" "devices"', "azurerm_event_hub"
    ),
    "unknown exported attribute": Mistake(
        "outputs.tf", "azurerm_iothub.this.hostname", "azurerm_iothub.this.host", 'named "host"'
    ),
    "dangling reference": Mistake(
        "events.tf", "azurerm_eventhub.devices.name", "azurerm_eventhub.device.name", "Reference to undeclared resource"
    ),
    "argument that only Azure sets": Mistake(
        "hub.tf", "  min_tls_version ", '  hostname = "mine"\n  min_tls_version ', "cannot be configured"
    ),
    "value out of an enumeration": Mistake("storage.tf", '"TLS1_2"', '"TLS1_9"', "not one of TLS1_2"),
    "value out of an enumeration in a block": Mistake("events.tf", '"Delete"', '"Drop"', "not one of Delete, Compact"),
    "curve by another standard's name": Mistake("keys.tf", '"P-256"', '"P256"', "not one of P-256"),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_module_without_mistakes_is_valid(terraform_on, version):
    """What follows is told because of the mistakes, not because of the module."""
    terraform = terraform_on(version)
    terraform.copy(INFRA / "azure")
    terraform.init()

    assert "configuration is valid" in terraform.run("validate").stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_rejected(terraform_on, version, mistake):
    """Validation fails, and says what is wrong."""
    planted = MISTAKES[mistake]
    terraform = terraform_on(version)
    terraform.copy(INFRA / "azure")
    file = terraform.folder / planted.file
    text = file.read_text()
    assert planted.right in text
    file.write_text(text.replace(planted.right, planted.wrong, 1))
    terraform.init()

    assert planted.told in terraform.run("validate", codes=(1,)).text


@pytest.mark.parametrize(("version", "code"), [("azurerm-4", 0), ("azurerm-5", 1)])
def test_versions_differ_as_the_real_ones_do(terraform_on, version, code):
    """An argument that version 5 has taken away is good on version 4 alone: each version has its own schema."""
    terraform = terraform_on(version)
    terraform.copy(INFRA / "azure")
    storage = terraform.folder / "storage.tf"
    old = "storage_account_name  = azurerm_storage_account.artifacts.name"
    storage.write_text(storage.read_text().replace("storage_account_id    = azurerm_storage_account.artifacts.id", old))
    terraform.init()

    validated = terraform.run("validate", codes=(0, 1))

    assert (validated.code, "storage_account_name" in validated.text) == (code, bool(code))
