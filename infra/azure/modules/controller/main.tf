# `otabridge controller once` on a schedule, in Container Apps: nothing listens, nothing runs between rounds, and it does
# not matter if two rounds meet, as each rollout is looked after by one controller at a time.

locals {
  folder        = "/srv/otabridge"
  database_url  = "database-url"
  registry_name = split("/", var.image)[0]
}

resource "azurerm_user_assigned_identity" "controller" {
  name                = "${var.name}-controller"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "reads_database_url" {
  scope                = "${var.database_url_secret.key_vault_id}/secrets/${var.database_url_secret.name}"
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.controller.principal_id
  principal_type       = "ServicePrincipal"
  description          = "otabridge: the controller reads the URL of its store, and no other secret."
}

resource "azurerm_role_assignment" "pulls_image" {
  count = var.container_registry_id == null ? 0 : 1

  scope                = var.container_registry_id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.controller.principal_id
  principal_type       = "ServicePrincipal"
  description          = "otabridge: the controller's image"
}

resource "azurerm_container_app_environment" "controller" {
  name                           = "${var.name}-controller"
  resource_group_name            = var.resource_group_name
  location                       = var.location
  infrastructure_subnet_id       = var.infrastructure_subnet_id
  internal_load_balancer_enabled = true
  logs_destination               = "log-analytics"
  log_analytics_workspace_id     = var.log_analytics_workspace_id
  tags                           = var.tags

  workload_profile {
    name                  = "Consumption"
    workload_profile_type = "Consumption"
  }
}

resource "azurerm_container_app_environment_storage" "files" {
  name                         = "files"
  container_app_environment_id = azurerm_container_app_environment.controller.id
  access_mode                  = "ReadOnly"
  nfs_server_url               = var.files.server
  share_name                   = var.files.share
}

resource "azurerm_container_app_job" "controller" {
  name                         = "${var.name}-controller"
  resource_group_name          = var.resource_group_name
  location                     = var.location
  container_app_environment_id = azurerm_container_app_environment.controller.id
  workload_profile_name        = "Consumption"
  replica_timeout_in_seconds   = var.timeout_seconds
  replica_retry_limit          = 0 # the next round does what this one could not
  tags                         = var.tags

  schedule_trigger_config {
    cron_expression          = var.schedule
    parallelism              = 1
    replica_completion_count = 1
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.controller.id]
  }

  dynamic "registry" {
    for_each = var.container_registry_id == null ? [] : [local.registry_name]

    content {
      server   = registry.value
      identity = azurerm_user_assigned_identity.controller.id
    }
  }

  secret {
    name                = local.database_url
    identity            = azurerm_user_assigned_identity.controller.id
    key_vault_secret_id = "${trimsuffix(var.database_url_secret.key_vault_uri, "/")}/secrets/${var.database_url_secret.name}"
  }

  template {
    container {
      name    = "controller"
      image   = var.image
      command = ["otabridge"]
      args    = ["controller", "once", "--output", "json"]
      cpu     = var.cpu
      memory  = "${var.cpu * 2}Gi"

      env {
        name  = "OTABRIDGE_CONFIG"
        value = "${local.folder}/otabridge.toml"
      }

      env {
        name        = "OTABRIDGE_STORE_URL"
        secret_name = local.database_url
      }

      env {
        name  = "AZURE_CLIENT_ID" # which identity azure-identity takes
        value = azurerm_user_assigned_identity.controller.client_id
      }

      volume_mounts {
        name = "files"
        path = local.folder
      }
    }

    volume {
      name         = "files"
      storage_name = azurerm_container_app_environment_storage.files.name
      storage_type = "NfsAzureFile"
    }
  }

  depends_on = [azurerm_role_assignment.reads_database_url, azurerm_role_assignment.pulls_image]
}
