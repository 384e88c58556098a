# Who may do what, by built-in roles at the smallest scope. README.md says which call of otabridge needs which.

locals {
  # What `otabridge fleet check --from-terraform` asks Resource Manager about.
  read = {
    for thing, scope in merge(
      {
        hub       = azurerm_iothub.this.id
        updates   = azurerm_iothub_device_update_account.this.id
        artifacts = azurerm_storage_account.artifacts.id
        keys      = azurerm_key_vault.keys.id
        events    = azurerm_eventhub_namespace.events.id
        logs      = azurerm_log_analytics_workspace.this.id
        workbook  = azurerm_application_insights_workbook.updates.id
      },
      var.enable_provisioning ? { provisioning = azurerm_iothub_dps.this[0].id } : {},
    ) : "read-${thing}" => { role = "Reader", scope = scope }
  }

  roles = {
    controller = {
      principals = var.controller_principals
      on = merge(local.read, {
        hub       = { role = "IoT Hub Data Contributor", scope = azurerm_iothub.this.id }
        updates   = { role = "Device Update Content Administrator", scope = azurerm_iothub_device_update_account.this.id }
        rollouts  = { role = "Device Update Deployments Administrator", scope = azurerm_iothub_device_update_account.this.id }
        artifacts = { role = "Storage Blob Data Contributor", scope = local.container_id }
        links     = { role = "Storage Blob Delegator", scope = azurerm_storage_account.artifacts.id }
      })
    }
    publisher = {
      principals = var.publisher_principals
      on = {
        artifacts = { role = "Storage Blob Data Contributor", scope = local.container_id }
      }
    }
    viewer = {
      principals = var.viewer_principals
      on = merge(local.read, {
        hub       = { role = "IoT Hub Data Reader", scope = azurerm_iothub.this.id }
        updates   = { role = "Device Update Reader", scope = azurerm_iothub_device_update_account.this.id }
        artifacts = { role = "Storage Blob Data Reader", scope = local.container_id }
        logs      = { role = "Log Analytics Reader", scope = azurerm_log_analytics_workspace.this.id }
      })
    }
    approver = {
      principals = var.approver_principals
      on = {
        releases = { role = "Key Vault Crypto User", scope = azurerm_key_vault_key.signing["releases"].resource_versionless_id }
        rights   = { role = "Reader", scope = azurerm_key_vault_key.signing["releases"].resource_versionless_id }
      }
    }
    root-approver = {
      principals = var.root_approver_principals
      on = {
        root   = { role = "Key Vault Crypto User", scope = azurerm_key_vault_key.signing["root"].resource_versionless_id }
        rights = { role = "Reader", scope = azurerm_key_vault_key.signing["root"].resource_versionless_id }
      }
    }
    event-reader = {
      principals = var.event_reader_principals
      on = {
        events = { role = "Azure Event Hubs Data Receiver", scope = azurerm_eventhub.devices.id }
      }
    }
  }

  # Keys of names alone, never of ids: those of identities that are made in the same run are not known when it is planned.
  assignments = merge([
    for part, each in local.roles : merge([
      for person, principal in each.principals : {
        for thing, right in each.on : "${part}/${person}/${thing}" => merge(right, { principal = principal, part = part })
      }
    ]...)
  ]...)
}

resource "azurerm_role_assignment" "access" {
  for_each = local.assignments

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.principal
  description          = "otabridge: ${each.value.part}"
}
