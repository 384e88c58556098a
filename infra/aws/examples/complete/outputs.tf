output "tool_config" {
  description = "For `otabridge fleet add NAME --from-terraform FILE`."
  value       = module.otabridge.tool_config
}
