# What Azure would tell. The provider parses ids, so these are whole ones.

mock_data "azurerm_client_config" {
  defaults = {
    tenant_id = "99999999-9999-9999-9999-999999999999"
    object_id = "88888888-8888-8888-8888-888888888888"
  }
}

mock_resource "azurerm_iothub" {
  defaults = {
    id       = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Devices/iotHubs/acme-hub"
    hostname = "acme-hub.azure-devices.net"
    identity = { principal_id = "77777777-7777-7777-7777-777777777777" }
  }
}

mock_resource "azurerm_iothub_dps" {
  defaults = {
    id                            = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Devices/provisioningServices/acme-dps"
    id_scope                      = "0ne00000000"
    device_provisioning_host_name = "global.azure-devices-provisioning.net"
  }
}

mock_resource "azurerm_iothub_device_update_account" {
  defaults = {
    id        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.DeviceUpdate/accounts/acme-adu"
    host_name = "acme-adu.api.adu.microsoft.com"
  }
}

mock_resource "azurerm_iothub_device_update_instance" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.DeviceUpdate/accounts/acme-adu/instances/fleet"
  }
}

mock_resource "azurerm_storage_account" {
  defaults = {
    id                    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/acmeota"
    primary_blob_endpoint = "https://acmeota.blob.core.windows.net/"
  }
}

mock_resource "azurerm_key_vault" {
  defaults = {
    id        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/acme-keys"
    vault_uri = "https://acme-keys.vault.azure.net/"
  }
}

mock_resource "azurerm_key_vault_key" {
  defaults = {
    id                      = "https://acme-keys.vault.azure.net/keys/some/00000000000000000000000000000000"
    resource_versionless_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/acme-keys/keys/some"
  }
}

mock_resource "azurerm_eventhub_namespace" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/acme-events"
  }
}

mock_resource "azurerm_eventhub" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/acme-events/eventhubs/devices"
  }
}

mock_resource "azurerm_log_analytics_workspace" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/acme-logs"
  }
}

mock_resource "azurerm_user_assigned_identity" {
  defaults = {
    id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/acme-controller"
    principal_id = "66666666-6666-6666-6666-666666666666"
    client_id    = "55555555-5555-5555-5555-555555555555"
  }
}

mock_resource "azurerm_container_app_environment" {
  defaults = {
    id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.App/managedEnvironments/acme-controller"
  }
}
