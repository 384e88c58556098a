# The controller's job, with Azure played by mocks.

mock_provider "azurerm" {
  source = "../../tests/mocks"
}

variables {
  name                       = "acme"
  location                   = "westeurope"
  resource_group_name        = "rg"
  image                      = "acme.azurecr.io/otabridge@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  container_registry_id      = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/acme"
  infrastructure_subnet_id   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/acme/subnets/controller"
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/acme"
  files                      = { server = "acmefiles.file.core.windows.net", share = "/acmefiles/otabridge" }
  database_url_secret = {
    key_vault_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/acme"
    key_vault_uri = "https://acme.vault.azure.net/"
    name          = "store-url"
  }
}

run "makes_rounds_with_the_store_from_the_vault" {
  assert {
    condition     = azurerm_container_app_job.controller.template[0].container[0].args == tolist(["controller", "once", "--output", "json"])
    error_message = "the container must make one round"
  }

  assert {
    condition     = [for env in azurerm_container_app_job.controller.template[0].container[0].env : env.secret_name if env.name == "OTABRIDGE_STORE_URL"] == ["database-url"]
    error_message = "the store's URL must come from a secret"
  }

  assert {
    condition     = one(azurerm_container_app_job.controller.secret).key_vault_secret_id == "https://acme.vault.azure.net/secrets/store-url"
    error_message = "the secret must be the one in the vault"
  }

  assert {
    condition     = alltrue([for secret in azurerm_container_app_job.controller.secret : try(secret.value, null) == null || secret.value == ""])
    error_message = "no secret may be in the configuration"
  }

  assert {
    condition     = endswith(azurerm_role_assignment.reads_database_url.scope, "/vaults/acme/secrets/store-url")
    error_message = "the controller may read one secret"
  }

  assert {
    condition     = azurerm_container_app_job.controller.registry[0].server == "acme.azurecr.io" && length(azurerm_role_assignment.pulls_image) == 1
    error_message = "the image must be pulled with the controller's identity"
  }

  assert {
    condition     = azurerm_container_app_job.controller.replica_retry_limit == 0 && azurerm_container_app_environment_storage.files.access_mode == "ReadOnly"
    error_message = "a round is not repeated at once, and the files are only read"
  }
}

run "memory_follows_the_cores" {
  command = plan

  variables {
    cpu                   = 0.75
    container_registry_id = null
  }

  assert {
    condition     = azurerm_container_app_job.controller.template[0].container[0].memory == "1.5Gi"
    error_message = "Container Apps wants 2 GiB a core"
  }

  assert {
    condition     = length(azurerm_container_app_job.controller.registry) == 0
    error_message = "a public registry asks for nothing"
  }
}

run "refuses_what_cannot_run" {
  command = plan

  variables {
    image           = "acme.azurecr.io/otabridge:latest"
    schedule        = "hourly"
    timeout_seconds = 5
    cpu             = 0.3
    name            = "A"
  }

  expect_failures = [var.image, var.schedule, var.timeout_seconds, var.cpu, var.name]
}
