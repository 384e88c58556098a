# Who may do what. Keys of these maps are names for people, values object ids in Microsoft Entra.

variable "controller_principals" {
  description = "Identities that run `otabridge rollout apply` or `otabridge controller`, by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "publisher_principals" {
  description = "Identities that run `otabridge release publish`: they store artifacts, and see no device."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "viewer_principals" {
  description = "Identities that look at rollouts and devices, and change nothing."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "approver_principals" {
  description = "Identities that sign releases with the key `releases`. None of them may be a controller."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(values(var.approver_principals), values(var.controller_principals))) == 0
    error_message = "An approver must not be a controller as well: whoever takes over the controller could then sign what it rolls out."
  }
}

variable "root_approver_principals" {
  description = "Identities that sign roots with the key `root`. None of them may be a controller."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(values(var.root_approver_principals), values(var.controller_principals))) == 0
    error_message = "An approver of roots must not be a controller as well: whoever takes over the controller could then change whom devices trust."
  }
}

variable "event_reader_principals" {
  description = "Identities that read the devices' events from the event hub, such as a data platform's."
  type        = map(string)
  default     = {}
  nullable    = false
}
