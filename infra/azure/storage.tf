# Artifacts, releases' metadata and the records of stage orders. Reached by identity only: Device Update imports through
# links that the controller signs with a key of its own identity (user delegation), for some hours.

resource "azurerm_storage_account" "artifacts" {
  name                            = coalesce(var.storage_account_name, "${replace(var.name, "-", "")}ota")
  resource_group_name             = local.resource_group_name
  location                        = var.location
  account_tier                    = "Standard"
  account_replication_type        = var.storage_replication
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  allow_nested_items_to_be_public = false
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  local_user_enabled              = false
  tags                            = var.tags

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = var.deleted_blob_days
    }

    container_delete_retention_policy {
      days = var.deleted_blob_days
    }
  }

  sas_policy {
    expiration_period = "07.00:00:00" # no link lives longer than the key that signs it can
    expiration_action = "Log"
  }
}

resource "azurerm_storage_container" "artifacts" {
  name                  = var.artifact_container_name
  storage_account_id    = azurerm_storage_account.artifacts.id
  container_access_type = "private"
}

# Artifacts stay until somebody deletes them: a device that was off for a year may still need the one it is offered.
# What goes is what was overwritten, mostly records of orders, which change at every step.
resource "azurerm_storage_management_policy" "artifacts" {
  storage_account_id = azurerm_storage_account.artifacts.id

  rule {
    name    = "old-versions"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["${azurerm_storage_container.artifacts.name}/"]
    }

    actions {
      version {
        delete_after_days_since_creation = var.deleted_blob_days
      }
    }
  }
}
