# A fleet in Azure with everything, and a controller beside it.

provider "azurerm" {
  features {}

  subscription_id     = var.subscription_id
  storage_use_azuread = true # the storage account takes no shared keys, from Terraform either
}

resource "azurerm_resource_group" "this" {
  name     = "${var.name}-otabridge"
  location = var.location
}

module "fleet" {
  source = "../.."

  name                       = var.name
  location                   = var.location
  resource_group_name        = azurerm_resource_group.this.name
  update_provider            = "Acme"
  manufacturer               = "Acme"
  device_update_principal_id = var.device_update_principal_id
  controller_principals      = { container = module.controller.principal_id }
  publisher_principals       = { pipeline = var.pipeline_principal_id }
  approver_principals        = var.approvers
  root_approver_principals   = var.root_approvers
  alert_action_group_ids     = var.alert_action_group_ids
  tags                       = { service = "updates" }
}

module "controller" {
  source = "../../modules/controller"

  name                       = var.name
  location                   = var.location
  resource_group_name        = azurerm_resource_group.this.name
  image                      = var.controller_image
  container_registry_id      = var.container_registry_id
  infrastructure_subnet_id   = var.controller_subnet_id
  log_analytics_workspace_id = module.fleet.tool_config.resources.log_analytics_workspace_id
  files                      = var.controller_files
  database_url_secret        = var.database_url_secret
  tags                       = { service = "updates" }
}
