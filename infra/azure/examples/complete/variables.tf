variable "subscription_id" {
  description = "Id of the subscription."
  type        = string
}

variable "name" {
  description = "Begins the names of all resources."
  type        = string
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "device_update_principal_id" {
  description = "Object id of Microsoft's application Azure Device Update in your tenant."
  type        = string
}

variable "pipeline_principal_id" {
  description = "Object id of the pipeline's identity, which publishes releases."
  type        = string
}

variable "approvers" {
  description = "Who signs releases, by name: object ids."
  type        = map(string)
}

variable "root_approvers" {
  description = "Who signs roots, by name: object ids."
  type        = map(string)
}

variable "alert_action_group_ids" {
  description = "Action groups that are told of alerts."
  type        = set(string)
  default     = []
}

variable "controller_image" {
  description = "The controller's image, by digest."
  type        = string
}

variable "container_registry_id" {
  description = "Id of the registry that holds it."
  type        = string
}

variable "controller_subnet_id" {
  description = "Id of the controller's subnet."
  type        = string
}

variable "controller_files" {
  description = "NFS share with otabridge.toml, the trust folder and the release folders."
  type        = object({ server = string, share = string })
}

variable "database_url_secret" {
  description = "Where in Key Vault the store's URL is."
  type        = object({ key_vault_id = string, key_vault_uri = string, name = string })
}
