# What the module makes, with Azure played by mocks: no account, no credentials.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  name                       = "acme"
  location                   = "westeurope"
  update_provider            = "Acme"
  manufacturer               = "Acme Corp"
  device_update_principal_id = "11111111-1111-1111-1111-111111111111"
  controller_principals      = { container = "22222222-2222-2222-2222-222222222222" }
  publisher_principals       = { pipeline = "33333333-3333-3333-3333-333333333333" }
  viewer_principals          = { support = "44444444-4444-4444-4444-444444444444" }
  approver_principals        = { alice = "55555555-5555-5555-5555-555555555555" }
  root_approver_principals   = { carol = "66666666-6666-6666-6666-666666666666" }
}

run "tells_otabridge_where_the_fleet_is" {
  assert {
    condition = output.tool_config.fleet == {
      cloud        = "azure"
      hub          = "acme-hub.azure-devices.net"
      endpoint     = "acme-adu.api.adu.microsoft.com"
      instance     = "fleet"
      storage_url  = "https://acmeota.blob.core.windows.net"
      container    = "artifacts"
      provider     = "Acme"
      manufacturer = "Acme Corp"
      prefix       = "otabridge"
      by_bucket    = true
    }
    error_message = "tool_config.fleet must hold the fields of [fleets.NAME], and no others"
  }

  assert {
    condition     = output.tool_config.schema_version == 1 && output.tool_config.provider == "azure"
    error_message = "tool_config must say its version and its cloud"
  }

  assert {
    condition     = output.tool_config.resources.release_key == "azurekms:acme-keys/releases"
    error_message = "the release key must be named as `otabridge keys import` takes it"
  }
}

run "gives_each_part_its_rights_and_no_more" {
  assert {
    condition = { for name, each in azurerm_role_assignment.access : name => each.role_definition_name if each.role_definition_name != "Reader" } == {
      "controller/container/artifacts" = "Storage Blob Data Contributor"
      "controller/container/hub"       = "IoT Hub Data Contributor"
      "controller/container/links"     = "Storage Blob Delegator"
      "controller/container/rollouts"  = "Device Update Deployments Administrator"
      "controller/container/updates"   = "Device Update Content Administrator"
      "publisher/pipeline/artifacts"   = "Storage Blob Data Contributor"
      "viewer/support/artifacts"       = "Storage Blob Data Reader"
      "viewer/support/hub"             = "IoT Hub Data Reader"
      "viewer/support/logs"            = "Log Analytics Reader"
      "viewer/support/updates"         = "Device Update Reader"
      "approver/alice/releases"        = "Key Vault Crypto User"
      "root-approver/carol/root"       = "Key Vault Crypto User"
    }
    error_message = "a part of otabridge has other rights than README.md says"
  }

  assert {
    condition = toset([for name, each in azurerm_role_assignment.access : name if each.role_definition_name == "Reader"]) == toset(concat(
      [for pair in setproduct(
        ["controller/container", "viewer/support"],
        ["artifacts", "events", "hub", "keys", "logs", "provisioning", "updates", "workbook"],
      ) : "${pair[0]}/read-${pair[1]}"],
      ["approver/alice/rights", "root-approver/carol/rights"],
    ))
    error_message = "who rolls out and who looks must read each resource by itself, signers their key, and nobody more"
  }

  assert {
    condition = alltrue([
      for each in azurerm_role_assignment.access : !startswith(each.role_definition_name, "Storage Blob Data")
      || endswith(each.scope, "/blobServices/default/containers/artifacts")
    ])
    error_message = "rights on blobs must end at the container"
  }

  assert {
    condition = alltrue([
      for name, each in azurerm_role_assignment.access :
      each.scope != azurerm_key_vault.keys.id || each.role_definition_name == "Reader"
    ])
    error_message = "no person and no program may use all keys of the vault"
  }
}

run "keeps_artifacts_and_keys_to_identities" {
  assert {
    condition     = !azurerm_storage_account.artifacts.shared_access_key_enabled && !azurerm_storage_account.artifacts.allow_nested_items_to_be_public && azurerm_storage_account.artifacts.min_tls_version == "TLS1_2"
    error_message = "the storage account must take identities only"
  }

  assert {
    condition     = azurerm_storage_container.artifacts.container_access_type == "private" && azurerm_storage_account.artifacts.blob_properties[0].versioning_enabled
    error_message = "the container must be private and keep versions"
  }

  assert {
    condition     = azurerm_key_vault.keys.rbac_authorization_enabled && azurerm_key_vault.keys.purge_protection_enabled
    error_message = "the vault must go by roles, and keep what was deleted"
  }

  assert {
    condition     = keys(azurerm_key_vault_key.signing) == ["releases", "root"] && alltrue([for key in azurerm_key_vault_key.signing : key.key_type == "EC" && key.curve == "P-256" && toset(key.key_opts) == toset(["sign", "verify"])])
    error_message = "there must be a key for roots and one for releases, for signing alone"
  }

  assert {
    condition     = !azurerm_eventhub_namespace.events.local_authentication_enabled
    error_message = "the event hub must take identities only"
  }
}

run "sends_twin_changes_to_the_event_hub" {
  assert {
    condition     = toset([for route in azurerm_iothub_route.devices : route.source]) == toset(["TwinChangeEvents", "DeviceLifecycleEvents", "DeviceConnectionStateEvents"])
    error_message = "a route is missing"
  }

  assert {
    condition     = azurerm_iothub_endpoint_eventhub.devices.authentication_type == "identityBased" && azurerm_iothub_endpoint_eventhub.devices.endpoint_uri == "sb://acme-events.servicebus.windows.net"
    error_message = "the hub must reach the event hub with its own identity"
  }

  assert {
    condition     = azurerm_iothub_fallback_route.telemetry.enabled
    error_message = "telemetry must go on to the hub's own endpoint"
  }
}

run "logs_and_warns" {
  variables {
    alert_action_group_ids = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/oncall"]
  }

  assert {
    condition     = keys(azurerm_monitor_diagnostic_setting.logs) == ["artifacts", "hub", "keys", "provisioning"]
    error_message = "artifacts, hub, keys and provisioning must be logged"
  }

  assert {
    condition     = length(azurerm_monitor_metric_alert.hub) == 3 && alltrue([for alert in azurerm_monitor_metric_alert.hub : length(alert.action) == 1])
    error_message = "each alert must reach the action group"
  }

  assert {
    condition     = length(jsondecode(azurerm_application_insights_workbook.updates.data_json).items) == 5
    error_message = "the workbook must have its head and four panels"
  }
}

run "leaves_provisioning_out" {
  variables {
    enable_provisioning = false
    resource_group_name = "existing"
    key_vault_sku       = "premium"
  }

  assert {
    condition     = length(azurerm_iothub_dps.this) == 0 && length(azurerm_iothub_shared_access_policy.provisioning) == 0
    error_message = "without provisioning there must be no shared access key"
  }

  assert {
    condition     = output.tool_config.resources.provisioning_id_scope == null
    error_message = "what is not there must be null"
  }

  assert {
    condition     = length(azurerm_resource_group.this) == 0 && azurerm_iothub.this.resource_group_name == "existing"
    error_message = "the existing resource group must be used"
  }

  assert {
    condition     = alltrue([for key in azurerm_key_vault_key.signing : key.key_type == "EC-HSM"])
    error_message = "in a premium vault the keys must be in the HSM"
  }
}
