# Device Update for IoT Hub. Updates, groups and deployments are otabridge's: azurerm has no resources for them, and a
# rollout is an event, not a state.

resource "azurerm_iothub_device_update_account" "this" {
  name                          = coalesce(var.device_update_account_name, "${var.name}-adu")
  resource_group_name           = local.resource_group_name
  location                      = var.location
  sku                           = var.device_update_sku
  public_network_access_enabled = true
  tags                          = var.tags

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_role_assignment" "device_update_on_hub" {
  count = var.device_update_principal_id == null ? 0 : 1

  scope                = azurerm_iothub.this.id
  role_definition_name = "IoT Hub Data Contributor"
  principal_id         = var.device_update_principal_id
  principal_type       = "ServicePrincipal"
  description          = "Device Update reads and writes the twins of the devices that it updates."
}

resource "azurerm_iothub_device_update_instance" "this" {
  name                     = var.device_update_instance_name
  device_update_account_id = azurerm_iothub_device_update_account.this.id
  iothub_id                = azurerm_iothub.this.id
  diagnostic_enabled       = false # it would need the storage account's shared key
  tags                     = var.tags

  depends_on = [azurerm_role_assignment.device_update_on_hub]
}
