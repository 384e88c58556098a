# What is made in AWS IoT.

variable "manage_account_singletons" {
  description = "Whether this module configures fleet indexing and event types, of which an account has one each in a region. Only one module instance may."
  type        = bool
  default     = true
  nullable    = false
}

variable "enable_fleet_indexing" {
  description = "Whether otabridge goes by the fleet index, so that its calls do not grow with the fleet (`by_bucket`). With manage_account_singletons = false it must be configured elsewhere."
  type        = bool
  default     = true
  nullable    = false
}

variable "index_connectivity" {
  description = "Whether the fleet index holds which devices are connected; otabridge does not ask, people may."
  type        = bool
  default     = false
  nullable    = false
}

variable "additional_indexed_shadows" {
  description = "Named shadows beside `otabridge` that the fleet index holds, at most 9: the configuration is replaced as a whole."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.additional_indexed_shadows, ["otabridge"])) <= 9
    error_message = "additional_indexed_shadows must name at most 9 shadows: AWS indexes 10, and one is otabridge's."
  }
}

variable "additional_index_fields" {
  description = "Further custom fields of the fleet index, name to type (Number, String or Boolean), at most 2: the configuration is replaced as a whole."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for type in values(var.additional_index_fields) : contains(["Number", "String", "Boolean"], type)])
    error_message = "additional_index_fields must have the types Number, String or Boolean."
  }

  validation {
    condition     = length(var.additional_index_fields) <= 2
    error_message = "additional_index_fields must have at most 2 entries: AWS indexes 5, and three are otabridge's."
  }
}

variable "enable_provisioning" {
  description = "Whether devices register themselves with a claim certificate (fleet provisioning)."
  type        = bool
  default     = true
  nullable    = false
}

variable "provisioning_key_sources" {
  description = "How a device with a claim certificate gets its own: `csr`, the device makes its key and sends a request; `cloud`, AWS makes the key and sends it."
  type        = set(string)
  default     = ["csr"]
  nullable    = false

  validation {
    condition     = length(var.provisioning_key_sources) > 0 && length(setsubtract(var.provisioning_key_sources, ["csr", "cloud"])) == 0
    error_message = "provisioning_key_sources must be csr, cloud or both."
  }
}

variable "pre_provisioning_hook_arn" {
  description = "ARN of a Lambda function that says whether a device may register; null lets every holder of a claim certificate."
  type        = string
  default     = null
}

variable "thing_name_prefix" {
  description = "What stands before a device's serial number in its thing's name."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9:_-]{0,64}$", var.thing_name_prefix))
    error_message = "thing_name_prefix must be letters, digits, `:`, `_` and `-`, at most 64."
  }
}

variable "enable_events" {
  description = "Whether job and job-execution events go into a queue, with a dead-letter queue and alarms."
  type        = bool
  default     = true
  nullable    = false
}

variable "additional_event_types" {
  description = "Event types beside JOB and JOB_EXECUTION that the account publishes, such as THING: the configuration is replaced as a whole."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "event_retention_days" {
  description = "Days, 1 to 14, for which an event waits for its reader."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.event_retention_days >= 1 && var.event_retention_days <= 14
    error_message = "event_retention_days must be 1 to 14."
  }
}

variable "event_age_alarm_minutes" {
  description = "Minutes after which an event that nobody has taken raises an alarm."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.event_age_alarm_minutes >= 1
    error_message = "event_age_alarm_minutes must be at least 1."
  }
}

variable "alarm_topic_arns" {
  description = "ARNs of SNS topics that are told of alarms, and of their end."
  type        = list(string)
  default     = []
  nullable    = false
}
