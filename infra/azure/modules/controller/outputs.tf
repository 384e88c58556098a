output "principal_id" {
  description = "Object id of the controller's identity, for the fleet module's `controller_principals`."
  value       = azurerm_user_assigned_identity.controller.principal_id
}

output "job_id" {
  description = "Id of the Container Apps job; `az containerapp job start --ids` makes a round at once."
  value       = azurerm_container_app_job.controller.id
}
