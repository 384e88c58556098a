output "tool_config" {
  description = "otabridge's configuration: `terraform output -json tool_config > fleet.json`, then `otabridge fleet add NAME --from-terraform fleet.json`. Holds no secret."
  value = {
    schema_version = 1
    provider       = "azure"

    fleet = {
      cloud        = "azure"
      hub          = azurerm_iothub.this.hostname
      endpoint     = azurerm_iothub_device_update_account.this.host_name
      instance     = azurerm_iothub_device_update_instance.this.name
      storage_url  = trimsuffix(azurerm_storage_account.artifacts.primary_blob_endpoint, "/")
      container    = azurerm_storage_container.artifacts.name
      provider     = var.update_provider
      manufacturer = var.manufacturer
      prefix       = var.artifact_prefix
      by_bucket    = var.by_bucket
    }

    resources = {
      resource_group             = local.resource_group_name
      location                   = var.location
      hub_id                     = azurerm_iothub.this.id
      device_update_account_id   = azurerm_iothub_device_update_account.this.id
      device_update_instance_id  = azurerm_iothub_device_update_instance.this.id
      device_update_principal_id = var.device_update_principal_id
      storage_account_id         = azurerm_storage_account.artifacts.id
      container_id               = local.container_id
      key_vault_id               = azurerm_key_vault.keys.id
      root_key                   = "azurekms:${azurerm_key_vault.keys.name}/${azurerm_key_vault_key.signing["root"].name}"
      release_key                = "azurekms:${azurerm_key_vault.keys.name}/${azurerm_key_vault_key.signing["releases"].name}"
      event_hub_namespace        = azurerm_eventhub_namespace.events.name
      event_hub                  = azurerm_eventhub.devices.name
      event_consumer_group       = azurerm_eventhub_consumer_group.readers.name
      log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id
      workbook_id                = azurerm_application_insights_workbook.updates.id
      provisioning_id            = one(azurerm_iothub_dps.this[*].id)
      provisioning_id_scope      = one(azurerm_iothub_dps.this[*].id_scope)
      provisioning_host          = one(azurerm_iothub_dps.this[*].device_provisioning_host_name)
    }
  }
}
