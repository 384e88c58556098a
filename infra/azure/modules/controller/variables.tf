variable "name" {
  description = "Begins the names of all resources: 3 to 15 lower-case letters, digits and single dashes, a letter first."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 3 && length(var.name) <= 15
    error_message = "name must be 3 to 15 lower-case letters, digits and single dashes, a letter first and no dash last."
  }
}

variable "location" {
  description = "Azure region, such as westeurope."
  type        = string
  nullable    = false
}

variable "resource_group_name" {
  description = "An existing resource group."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "image" {
  description = "The controller's image, by digest: registry.azurecr.io/otabridge@sha256:... It is built from infra/controller/Dockerfile."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@[:space:]]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must name a digest, such as registry.azurecr.io/otabridge@sha256:..., so that what runs is what was looked at."
  }
}

variable "container_registry_id" {
  description = "Id of the Azure Container Registry that holds the image; the controller's identity may then pull from it. Null for a registry that asks for no credentials."
  type        = string
  default     = null
}

variable "infrastructure_subnet_id" {
  description = "Id of the subnet for the Container Apps environment, delegated to Microsoft.App/environments, from which the file share and the database are reached."
  type        = string
  nullable    = false
}

variable "log_analytics_workspace_id" {
  description = "Id of the workspace that keeps what the controller prints."
  type        = string
  nullable    = false
}

variable "files" {
  description = "An NFS share of Azure Files with otabridge.toml, the trust folder and the release folders, which must lie under the same path for every controller and for whoever plans rollouts: server such as acct.file.core.windows.net, share such as /acct/otabridge."
  type = object({
    server = string
    share  = string
  })
  nullable = false
}

variable "database_url_secret" {
  description = "The secret in Key Vault that holds the URL of the PostgreSQL store: id of the vault, its URI, and the secret's name. The URL itself is in no variable and in no state."
  type = object({
    key_vault_id  = string
    key_vault_uri = string
    name          = string
  })
  nullable = false
}

variable "schedule" {
  description = "When a round begins, as a cron expression in UTC."
  type        = string
  default     = "*/5 * * * *"
  nullable    = false

  validation {
    condition     = length(split(" ", var.schedule)) == 5
    error_message = "schedule must be a cron expression of five fields, such as */5 * * * *."
  }
}

variable "timeout_seconds" {
  description = "Seconds after which a round is ended, 60 to 3600. It goes on in the next one: every act of a controller may be repeated."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 60 && var.timeout_seconds <= 3600
    error_message = "timeout_seconds must be 60 to 3600."
  }
}

variable "cpu" {
  description = "Cores of the container: 0.25 to 2, in steps of 0.25. Container Apps wants twice as many GiB of memory, and gets them."
  type        = number
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.cpu >= 0.25 && var.cpu <= 2 && floor(var.cpu * 4) == var.cpu * 4
    error_message = "cpu must be 0.25 to 2, in steps of 0.25."
  }
}
