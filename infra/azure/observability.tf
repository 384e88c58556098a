# Logs, a workbook and alerts. How a rollout stands is told by `otabridge rollout status`, which knows what failed and why;
# these show what the hub, the keys and Device Update's traffic do meanwhile.

locals {
  logged = merge(
    {
      artifacts = { id = "${azurerm_storage_account.artifacts.id}/blobServices/default", metrics = "Transaction" }
      hub       = { id = azurerm_iothub.this.id, metrics = "AllMetrics" }
      keys      = { id = azurerm_key_vault.keys.id, metrics = "AllMetrics" }
    },
    { for dps in azurerm_iothub_dps.this : "provisioning" => { id = dps.id, metrics = "AllMetrics" } },
  )

  # Metrics of Microsoft.Devices/IotHubs whose every count is a call of a rollout that did not work.
  alerts = {
    twin-jobs = {
      metric      = "jobs.failed"
      description = "Twin jobs failed: otabridge sets the groups of a stage's devices by them. See `otabridge rollout status`."
    }
    twin-queries = {
      metric      = "twinQueries.failure"
      description = "Twin queries failed, by which otabridge counts devices. See `otabridge rollout status`."
    }
    twin-updates = {
      metric      = "d2c.twin.update.failure"
      description = "Devices could not report. Their updates count as silent until they can."
    }
  }
}

resource "azurerm_log_analytics_workspace" "this" {
  name                         = "${var.name}-logs"
  resource_group_name          = local.resource_group_name
  location                     = var.location
  sku                          = "PerGB2018"
  retention_in_days            = var.log_retention_days
  local_authentication_enabled = false
  tags                         = var.tags
}

resource "azurerm_monitor_diagnostic_setting" "logs" {
  for_each = local.logged

  name                       = "otabridge"
  target_resource_id         = each.value.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category_group = "allLogs"
  }

  enabled_metric {
    category = each.value.metrics
  }
}

resource "azurerm_application_insights_workbook" "updates" {
  name                = uuidv5("url", "${azurerm_log_analytics_workspace.this.name}/otabridge/updates")
  display_name        = "otabridge: updates of ${var.name}"
  resource_group_name = local.resource_group_name
  location            = var.location
  category            = "workbook"
  source_id           = lower(azurerm_log_analytics_workspace.this.id) # the service lowers it, which would show as a change
  data_json           = templatefile("${path.module}/workbook.json.tftpl", { hub = azurerm_iothub.this.name })
  tags                = var.tags
}

resource "azurerm_monitor_metric_alert" "hub" {
  for_each = local.alerts

  name                = "${var.name}-${each.key}"
  resource_group_name = local.resource_group_name
  scopes              = [azurerm_iothub.this.id]
  description         = each.value.description
  severity            = 2
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  criteria {
    metric_namespace = "Microsoft.Devices/IotHubs"
    metric_name      = each.value.metric
    aggregation      = "Total"
    operator         = "GreaterThan"
    threshold        = 0
  }

  dynamic "action" {
    for_each = var.alert_action_group_ids

    content {
      action_group_id = action.value
    }
  }
}
