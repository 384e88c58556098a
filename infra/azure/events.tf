# What devices and the hub tell, for other programs: changes of twins, in which devices report, and of the registry.
# Twin changes leave a hub by its routes only, not by Event Grid. otabridge itself asks the hub and needs none of this.

locals {
  routes = {
    twin-changes      = "TwinChangeEvents"
    device-lifecycle  = "DeviceLifecycleEvents"
    device-connection = "DeviceConnectionStateEvents"
  }
}

resource "azurerm_eventhub_namespace" "events" {
  name                          = "${var.name}-events"
  resource_group_name           = local.resource_group_name
  location                      = var.location
  sku                           = "Standard"
  capacity                      = 1
  auto_inflate_enabled          = true
  maximum_throughput_units      = 4
  local_authentication_enabled  = false
  minimum_tls_version           = "1.2"
  public_network_access_enabled = true
  tags                          = var.tags
}

resource "azurerm_eventhub" "devices" {
  name            = "devices"
  namespace_id    = azurerm_eventhub_namespace.events.id
  partition_count = 4

  retention_description {
    cleanup_policy          = "Delete"
    retention_time_in_hours = var.event_retention_hours
  }
}

resource "azurerm_eventhub_consumer_group" "readers" {
  name                = "readers"
  resource_group_name = local.resource_group_name
  namespace_name      = azurerm_eventhub_namespace.events.name
  eventhub_name       = azurerm_eventhub.devices.name
}

resource "azurerm_role_assignment" "hub_sends_events" {
  scope                = azurerm_eventhub.devices.id
  role_definition_name = "Azure Event Hubs Data Sender"
  principal_id         = azurerm_iothub.this.identity[0].principal_id
  principal_type       = "ServicePrincipal"
  description          = "The hub's routes write to the event hub."
}

resource "azurerm_iothub_endpoint_eventhub" "devices" {
  name                = "devices"
  resource_group_name = local.resource_group_name
  iothub_id           = azurerm_iothub.this.id
  authentication_type = "identityBased"
  endpoint_uri        = "sb://${azurerm_eventhub_namespace.events.name}.servicebus.windows.net"
  entity_path         = azurerm_eventhub.devices.name

  depends_on = [azurerm_role_assignment.hub_sends_events]
}

resource "azurerm_iothub_route" "devices" {
  for_each = local.routes

  name                = each.key
  resource_group_name = local.resource_group_name
  iothub_name         = azurerm_iothub.this.name
  source              = each.value
  condition           = "true"
  endpoint_names      = [azurerm_iothub_endpoint_eventhub.devices.name]
  enabled             = true
}

# Telemetry that no route takes goes on to the hub's own endpoint, as it does in a hub without routes.
resource "azurerm_iothub_fallback_route" "telemetry" {
  resource_group_name = local.resource_group_name
  iothub_name         = azurerm_iothub.this.name
  condition           = "true"
  endpoint_names      = ["events"]
  enabled             = true
}
