variable "name" {
  description = "Begins the names of all resources: the fleet's name in otabridge.toml is a good choice."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "tags" {
  description = "Tags of every resource, and of every job that otabridge makes in this fleet."
  type        = map(string)
  default     = {}
  nullable    = false

  # Jobs have at most 50 tags of their own (service model of AWS IoT); one goes to the module.
  validation {
    condition     = length(var.tags) <= 49
    error_message = "tags must have at most 49 entries."
  }
}

# --- artifacts

variable "artifact_bucket_name" {
  description = "Name of the artifacts' bucket, unique in the world; null makes it NAME-artifacts-ACCOUNT."
  type        = string
  default     = null

  # A dot in the name breaks the certificate of the bucket's host name, which devices check.
  validation {
    condition     = var.artifact_bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.artifact_bucket_name))
    error_message = "artifact_bucket_name must be 3 to 63 lower-case letters, digits and dashes."
  }
}

variable "artifact_prefix" {
  description = "Folder of the bucket below which artifacts lie; nobody is given anything outside it. Empty is the whole bucket."
  type        = string
  default     = "otabridge"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9/_.-]{0,128}$", var.artifact_prefix))
    error_message = "artifact_prefix must be letters, digits, `/`, `_`, `.` and `-`, at most 128."
  }
}

variable "artifact_kms_key_arn" {
  description = "ARN of a symmetric KMS key that encrypts artifacts, in whose policy this account's IAM counts; null is S3's own encryption."
  type        = string
  default     = null

  validation {
    condition     = var.artifact_kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+$", var.artifact_kms_key_arn))
    error_message = "artifact_kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID; an alias cannot stand in a policy."
  }
}

variable "artifact_bucket_force_destroy" {
  description = "Whether `terraform destroy` deletes the artifacts too. Without it a bucket that holds any is kept, and destroy fails."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_version_days" {
  description = "Days for which versions of artifacts are kept that were replaced or deleted by hand."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.noncurrent_version_days >= 1
    error_message = "noncurrent_version_days must be at least 1."
  }
}

variable "access_log_bucket_name" {
  description = "Name of a bucket that takes S3's access logs of the artifacts' bucket; null logs nothing."
  type        = string
  default     = null
}

variable "url_minutes" {
  description = "Minutes for which a device's signed URLs live, 1 to 60; devices ask for new ones as often as they need."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.url_minutes >= 1 && var.url_minutes <= 60
    error_message = "url_minutes must be 1 to 60."
  }
}

# --- ledger

variable "ledger_bucket_name" {
  description = "Name of a bucket with Object Lock for exports of the ledger; null makes none (one in another account is better)."
  type        = string
  default     = null
}

variable "ledger_retention_mode" {
  description = "COMPLIANCE: nobody deletes an export before its time. GOVERNANCE: who holds s3:BypassGovernanceRetention may."
  type        = string
  default     = "COMPLIANCE"
  nullable    = false

  validation {
    condition     = contains(["COMPLIANCE", "GOVERNANCE"], var.ledger_retention_mode)
    error_message = "ledger_retention_mode must be COMPLIANCE or GOVERNANCE."
  }
}

variable "ledger_retention_days" {
  description = "Days for which an export cannot be deleted. In COMPLIANCE mode it cannot be made shorter for what is there: try with 1 first."
  type        = number
  default     = 2557
  nullable    = false

  validation {
    condition     = var.ledger_retention_days >= 1 && var.ledger_retention_days <= 36500
    error_message = "ledger_retention_days must be 1 to 36500."
  }
}
