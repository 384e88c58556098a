variable "name" {
  description = "Names all resources, such as factory-controller."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,46}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 48 lower-case letters, digits and dashes, and begin with a letter."
  }
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "image" {
  description = "The controller's image, by digest: ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:... It is built from infra/controller/Dockerfile."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@[:space:]]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must name a digest, NAME@sha256:..., so that what runs is what was looked at."
  }
}

variable "cpu_architecture" {
  description = "X86_64 or ARM64, as the image was built."
  type        = string
  default     = "X86_64"
  nullable    = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "cpu_architecture must be X86_64 or ARM64."
  }
}

variable "ecr_repository_arn" {
  description = "ARN of the ECR repository that holds the image; null for a registry that asks for no credentials."
  type        = string
  default     = null
}

variable "policy_arns" {
  description = "Policies of the controller, by any names: of each AWS fleet, `tool_config.resources.controller_policy_arn`."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.policy_arns) >= 1 && length(var.policy_arns) <= 10
    error_message = "policy_arns must have 1 to 10 entries: a role takes 10 policies."
  }
}

variable "database_url_secret_arn" {
  description = "ARN of the secret in Secrets Manager whose whole text is the URL of the PostgreSQL store. The URL itself is in no variable and in no state."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\\d{12}:secret:.+$", var.database_url_secret_arn))
    error_message = "database_url_secret_arn must be the ARN of a secret, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME."
  }
}

variable "database_url_secret_kms_key_arn" {
  description = "ARN of the KMS key of that secret; null where it is Secrets Manager's own."
  type        = string
  default     = null
}

variable "database_port" {
  description = "Port of the PostgreSQL server."
  type        = number
  default     = 5432
  nullable    = false
}

variable "files" {
  description = "File system and access point of EFS with otabridge.toml, the trust folder and the release folders, which must lie under the same path for every controller and for whoever plans rollouts, /srv/otabridge."
  type = object({
    file_system_id  = string
    access_point_id = string
  })
  nullable = false
}

variable "vpc_id" {
  description = "Id of the VPC."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Ids of private subnets, from which AWS, the database and the file system are reached: by a NAT gateway or by VPC endpoints."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "subnet_ids must name at least one subnet."
  }
}

variable "private_cidrs" {
  description = "Networks that the database and the file system are in."
  type        = set(string)
  default     = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
  nullable    = false
}

variable "schedule" {
  description = "When a round begins: rate(N minutes) or cron(...), in UTC."
  type        = string
  default     = "rate(5 minutes)"
  nullable    = false

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.schedule))
    error_message = "schedule must be rate(N minutes) or cron(...)."
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
  description = "CPU units of the task, as Fargate has them: 256, 512, 1024 or 2048."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = contains([256, 512, 1024, 2048], var.cpu)
    error_message = "cpu must be 256, 512, 1024 or 2048."
  }
}

variable "memory" {
  description = "Memory of the task in MiB, 2 to 8 for each CPU unit, in the steps that Fargate has."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition     = var.memory >= 2 * var.cpu && var.memory <= 8 * var.cpu
    error_message = "memory must be 2 to 8 MiB for each CPU unit."
  }
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps what the controller prints; one of the numbers that it offers, such as 30, 90 or 365."
  type        = number
  default     = 365
  nullable    = false
}

variable "log_kms_key_arn" {
  description = "ARN of a KMS key that encrypts the log; null is CloudWatch's own encryption."
  type        = string
  default     = null
}

variable "alarm_topic_arns" {
  description = "ARNs of SNS topics that are told when rounds cannot begin, and when they can again."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of a policy that bounds the roles of this module; null bounds none."
  type        = string
  default     = null
}
