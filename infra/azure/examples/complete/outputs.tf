output "tool_config" {
  description = "otabridge's configuration: `terraform output -json tool_config > fleet.json`."
  value       = module.fleet.tool_config
}

output "controller_job_id" {
  description = "Id of the job that runs the controller."
  value       = module.controller.job_id
}
