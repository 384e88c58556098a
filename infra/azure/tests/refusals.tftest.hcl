# What the module refuses before anything is called.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  name            = "acme"
  location        = "westeurope"
  update_provider = "Acme"
  manufacturer    = "Acme"
}

run "a_name_that_no_hub_can_have" {
  command = plan

  variables {
    name = "Acme--"
  }

  expect_failures = [var.name]
}

run "a_hub_without_device_update" {
  command = plan

  variables {
    hub_sku = { name = "B1", capacity = 1 }
  }

  expect_failures = [var.hub_sku]
}

run "a_controller_that_approves" {
  command = plan

  variables {
    controller_principals    = { container = "22222222-2222-2222-2222-222222222222" }
    approver_principals      = { alice = "22222222-2222-2222-2222-222222222222" }
    root_approver_principals = { carol = "22222222-2222-2222-2222-222222222222" }
  }

  expect_failures = [var.approver_principals, var.root_approver_principals]
}

run "fields_that_otabridge_would_refuse" {
  command = plan

  variables {
    update_provider         = "Acme Corp"
    manufacturer            = "Äcme"
    artifact_prefix         = "ota bridge"
    artifact_container_name = "Artifacts"
  }

  expect_failures = [var.update_provider, var.manufacturer, var.artifact_prefix, var.artifact_container_name]
}

run "names_and_sizes_that_azure_would_refuse" {
  command = plan

  variables {
    device_update_instance_name = "f"
    device_update_sku           = "Premium"
    storage_replication         = "XRS"
    deleted_blob_days           = 0
    key_vault_sku               = "Premium"
    event_retention_hours       = 169
    log_retention_days          = 7
  }

  expect_failures = [
    var.device_update_instance_name,
    var.device_update_sku,
    var.storage_replication,
    var.deleted_blob_days,
    var.key_vault_sku,
    var.event_retention_hours,
    var.log_retention_days,
  ]
}
