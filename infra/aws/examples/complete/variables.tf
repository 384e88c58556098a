variable "region" {
  description = "Region of the devices."
  type        = string
  default     = "eu-central-1"
}

variable "name" {
  description = "The fleet's name."
  type        = string
  default     = "factory"
}

variable "tags" {
  description = "Tags of all that is made, and of every job."
  type        = map(string)
  default     = {}
}

variable "disposable" {
  description = "Whether `terraform destroy` may delete artifacts, and the ledger's bucket is locked in GOVERNANCE mode: for a trial."
  type        = bool
  default     = false
}

variable "ledger_bucket_name" {
  description = "Name of the bucket for exports of the ledger; null makes none."
  type        = string
  default     = null
}

variable "root_approver_principals" {
  description = "Who signs roots."
  type        = list(string)
}

variable "approver_principals" {
  description = "Who signs releases."
  type        = list(string)
}

variable "controller_principals" {
  description = "Who runs rollouts."
  type        = list(string)
  default     = []
}

variable "publisher_principals" {
  description = "Who publishes artifacts."
  type        = list(string)
  default     = []
}

variable "viewer_principals" {
  description = "Who plans and looks."
  type        = list(string)
  default     = []
}

variable "pipeline_trust" {
  description = "Pipelines that take a role by OpenID Connect."
  type = list(object({
    role         = string
    provider_arn = string
    audience     = string
    subjects     = list(string)
  }))
  default = []
}

variable "alarm_topic_arns" {
  description = "SNS topics that are told of alarms."
  type        = list(string)
  default     = []
}

variable "controller" {
  description = "The controller's image, the secret with its store's URL, its files and its network; null runs none here."
  type = object({
    image                   = string
    ecr_repository_arn      = optional(string)
    database_url_secret_arn = string
    files                   = object({ file_system_id = string, access_point_id = string })
    vpc_id                  = string
    subnet_ids              = list(string)
  })
  default = null
}
