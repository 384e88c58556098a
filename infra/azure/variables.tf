variable "name" {
  description = "Begins the names of all resources: 3 to 15 lower-case letters, digits and single dashes, a letter first. Hub, storage account, vault and Device Update account have names that are unique in all of Azure."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 3 && length(var.name) <= 15
    error_message = "name must be 3 to 15 lower-case letters, digits and single dashes, a letter first and no dash last."
  }
}

variable "location" {
  description = "Azure region, such as westeurope. Device Update for IoT Hub is not in every region."
  type        = string
  nullable    = false
}

variable "resource_group_name" {
  description = "An existing resource group; null makes one called NAME-otabridge."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

# The fleet, as otabridge.toml will name it.

variable "update_provider" {
  description = "Begins the id of every update in Device Update, such as a company's name: 1 to 64 letters, digits, dots and dashes. The fleet's `provider`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9.-]{1,64}$", var.update_provider))
    error_message = "update_provider must be 1 to 64 letters, digits, dots and dashes."
  }
}

variable "manufacturer" {
  description = "What the devices report as their manufacturer: 1 to 64 printable characters. Device Update matches it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[ -~]{1,64}$", var.manufacturer))
    error_message = "manufacturer must be 1 to 64 printable characters of ASCII."
  }
}

variable "artifact_prefix" {
  description = "The folder of otabridge in the container: letters, digits, `/`, `_`, `.` and `-`, at most 128. The fleet's `prefix`."
  type        = string
  default     = "otabridge"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9/_.-]{0,128}$", var.artifact_prefix))
    error_message = "artifact_prefix must be at most 128 letters, digits, `/`, `_`, `.` and `-`."
  }
}

variable "by_bucket" {
  description = "Whether every device reports its bucket, as otabridge-agent does: rollouts then select by ranges of buckets, and their calls do not grow with the fleet."
  type        = bool
  default     = true
  nullable    = false
}

# IoT Hub and the Device Provisioning Service.

variable "hub_name" {
  description = "Name of the IoT hub; null for NAME-hub."
  type        = string
  default     = null
}

variable "hub_sku" {
  description = "Tier and units of the hub. Device Update needs a standard tier; units set how many queries and twin changes a minute there are."
  type = object({
    name     = string
    capacity = number
  })
  default  = { name = "S1", capacity = 1 }
  nullable = false

  validation {
    condition     = contains(["F1", "S1", "S2", "S3"], var.hub_sku.name) && var.hub_sku.capacity >= 1
    error_message = "hub_sku must be F1, S1, S2 or S3 with a capacity of 1 or more: Device Update does not work with the basic tier."
  }
}

variable "enable_provisioning" {
  description = "Whether there is a Device Provisioning Service, linked to the hub by a shared access key, which then is in Terraform's state. Enrolment groups are no resources of azurerm: make them with the Azure CLI."
  type        = bool
  default     = true
  nullable    = false
}

# Device Update.

variable "device_update_account_name" {
  description = "Name of the Device Update account, 3 to 24 letters, digits and single dashes; null for NAME-adu."
  type        = string
  default     = null
}

variable "device_update_instance_name" {
  description = "Name of the Device Update instance: 3 to 24 letters, digits and single dashes."
  type        = string
  default     = "fleet"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$", var.device_update_instance_name)) && length(var.device_update_instance_name) >= 3 && length(var.device_update_instance_name) <= 24
    error_message = "device_update_instance_name must be 3 to 24 letters, digits and single dashes."
  }
}

variable "device_update_sku" {
  description = "Free or Standard. A change replaces the account, with all updates in it."
  type        = string
  default     = "Standard"
  nullable    = false

  validation {
    condition     = contains(["Free", "Standard"], var.device_update_sku)
    error_message = "device_update_sku must be Free or Standard."
  }
}

variable "device_update_principal_id" {
  description = "Object id, in your tenant, of Microsoft's application Azure Device Update: `az ad sp show --id 6ee392c4-d339-4083-b04d-6b7947c6cf78 --query id`. It needs rights on the hub before the instance can be made. Null where that assignment exists already."
  type        = string
  default     = null
}

# Storage of artifacts.

variable "storage_account_name" {
  description = "Name of the storage account, 3 to 24 lower-case letters and digits; null for NAME without dashes and `ota`."
  type        = string
  default     = null
}

variable "artifact_container_name" {
  description = "Name of the container: 3 to 63 lower-case letters, digits and single dashes."
  type        = string
  default     = "artifacts"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.artifact_container_name)) && length(var.artifact_container_name) >= 3 && length(var.artifact_container_name) <= 63
    error_message = "artifact_container_name must be 3 to 63 lower-case letters, digits and single dashes."
  }
}

variable "storage_replication" {
  description = "Replication of the storage account. Devices download from Device Update, so zone redundancy is enough for most."
  type        = string
  default     = "ZRS"
  nullable    = false

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"], var.storage_replication)
    error_message = "storage_replication must be LRS, ZRS, GRS, RAGRS, GZRS or RAGZRS."
  }
}

variable "deleted_blob_days" {
  description = "Days for which deleted or overwritten blobs can be restored."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.deleted_blob_days >= 1 && var.deleted_blob_days <= 365
    error_message = "deleted_blob_days must be 1 to 365."
  }
}

# Signing keys.

variable "key_vault_name" {
  description = "Name of the key vault, 3 to 24 letters, digits and single dashes; null for NAME-keys."
  type        = string
  default     = null
}

variable "key_vault_sku" {
  description = "standard keeps keys in software, premium can keep them in an HSM; with premium the keys are made there."
  type        = string
  default     = "standard"
  nullable    = false

  validation {
    condition     = contains(["standard", "premium"], var.key_vault_sku)
    error_message = "key_vault_sku must be standard or premium."
  }
}

variable "key_vault_allowed_ips" {
  description = "Addresses or ranges in CIDR notation that may reach the key vault; empty: any, as every call is authenticated all the same."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "grant_deployer_key_rights" {
  description = "Whether the identity that applies this becomes Key Vault Crypto Officer of the vault, which it must be to make the keys. False where it has that right already."
  type        = bool
  default     = true
  nullable    = false
}

# What tells people.

variable "event_retention_hours" {
  description = "Hours for which the event hub keeps events, 1 to 168."
  type        = number
  default     = 168
  nullable    = false

  validation {
    condition     = var.event_retention_hours >= 1 && var.event_retention_hours <= 168
    error_message = "event_retention_hours must be 1 to 168, the bounds of the standard tier."
  }
}

variable "log_retention_days" {
  description = "Days for which the Log Analytics workspace keeps logs, 30 to 730."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "log_retention_days must be 30 to 730."
  }
}

variable "alert_action_group_ids" {
  description = "Ids of the action groups of Azure Monitor that are told of alerts."
  type        = set(string)
  default     = []
  nullable    = false
}
