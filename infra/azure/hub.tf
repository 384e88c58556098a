# Devices: the hub, and how they enrol.
#
# No route or endpoint stands inside the hub: Device Update adds a consumer group and a route of its own, and azurerm
# shows a difference for ever where inline ones meet those of others.

resource "azurerm_iothub" "this" {
  name                          = coalesce(var.hub_name, "${var.name}-hub")
  resource_group_name           = local.resource_group_name
  location                      = var.location
  min_tls_version               = "1.2"
  public_network_access_enabled = true
  tags                          = var.tags

  sku {
    name     = var.hub_sku.name
    capacity = var.hub_sku.capacity
  }

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_iothub_shared_access_policy" "provisioning" {
  count = var.enable_provisioning ? 1 : 0

  name                = "provisioning"
  resource_group_name = local.resource_group_name
  iothub_name         = azurerm_iothub.this.name
  registry_read       = true
  registry_write      = true # implies reading, and the provider asks for both
  service_connect     = true
}

resource "azurerm_iothub_dps" "this" {
  count = var.enable_provisioning ? 1 : 0

  name                          = "${var.name}-dps"
  resource_group_name           = local.resource_group_name
  location                      = var.location
  allocation_policy             = "Hashed"
  public_network_access_enabled = true
  tags                          = var.tags

  sku {
    name     = "S1"
    capacity = 1
  }

  linked_hub {
    connection_string       = azurerm_iothub_shared_access_policy.provisioning[0].primary_connection_string
    location                = var.location
    apply_allocation_policy = true
  }
}
