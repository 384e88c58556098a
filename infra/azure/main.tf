# Names that several files share, and the group that everything is in. One file a subject: hub, device_update, storage,
# keys, events, observability, access.

data "azurerm_client_config" "current" {}

resource "azurerm_resource_group" "this" {
  count = var.resource_group_name == null ? 1 : 0

  name     = "${var.name}-otabridge"
  location = var.location
  tags     = var.tags
}

locals {
  # Not the argument itself: what is in the group must wait for it.
  resource_group_name = var.resource_group_name == null ? azurerm_resource_group.this[0].name : var.resource_group_name
  container_id        = "${azurerm_storage_account.artifacts.id}/blobServices/default/containers/${azurerm_storage_container.artifacts.name}"
}
