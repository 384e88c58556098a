# Two keys, so that who signs releases cannot change whom devices trust. A key that a root names must stay as it is:
# neither rotates nor expires by itself, `otabridge root rotate` does that.

locals {
  key_type = var.key_vault_sku == "premium" ? "EC-HSM" : "EC"
}

resource "azurerm_key_vault" "keys" {
  name                          = coalesce(var.key_vault_name, "${var.name}-keys")
  resource_group_name           = local.resource_group_name
  location                      = var.location
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  sku_name                      = var.key_vault_sku
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = true
  tags                          = var.tags

  network_acls {
    bypass         = "AzureServices"
    default_action = length(var.key_vault_allowed_ips) == 0 ? "Allow" : "Deny"
    ip_rules       = var.key_vault_allowed_ips
  }
}

resource "azurerm_role_assignment" "deployer_makes_keys" {
  count = var.grant_deployer_key_rights ? 1 : 0

  scope                = azurerm_key_vault.keys.id
  role_definition_name = "Key Vault Crypto Officer"
  principal_id         = data.azurerm_client_config.current.object_id
  description          = "Terraform makes and reads the signing keys."
}

resource "azurerm_key_vault_key" "signing" {
  for_each = toset(["root", "releases"])

  name         = each.key
  key_vault_id = azurerm_key_vault.keys.id
  key_type     = local.key_type
  curve        = "P-256"
  key_opts     = ["sign", "verify"]
  tags         = var.tags

  depends_on = [azurerm_role_assignment.deployer_makes_keys]
}
