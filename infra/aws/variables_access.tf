# Who may do what. All lists are of IAM users and roles by their ARNs, without wildcards, since they stand in conditions
# on aws:PrincipalArn, too.

variable "controller_principals" {
  description = "ARNs of IAM users and roles that run rollouts, by taking the controller's role. If empty, and no pipeline has it either, the account's IAM says who may."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.controller_principals : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(user|role)/[^*?]+$", arn))])
    error_message = "controller_principals must be ARNs of IAM users or roles, arn:aws:iam::ACCOUNT:role/NAME, without wildcards."
  }

  validation {
    condition     = length(setintersection(var.controller_principals, concat(var.approver_principals, var.root_approver_principals))) == 0
    error_message = "controller_principals must not name an approver, of releases or of the root: who signs releases does not roll them out."
  }
}

variable "publisher_principals" {
  description = "ARNs of IAM users and roles that publish artifacts, by taking the publisher's role. If empty, and no pipeline has it either, the account's IAM says who may."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.publisher_principals : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(user|role)/[^*?]+$", arn))])
    error_message = "publisher_principals must be ARNs of IAM users or roles, arn:aws:iam::ACCOUNT:role/NAME, without wildcards."
  }

  validation {
    condition     = length(setintersection(var.publisher_principals, concat(var.approver_principals, var.root_approver_principals))) == 0
    error_message = "publisher_principals must not name an approver, of releases or of the root: who signs releases does not publish them."
  }
}

variable "viewer_principals" {
  description = "ARNs of IAM users and roles that plan and look, by taking the viewer's role. If empty, and no pipeline has it either, the account's IAM says who may."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.viewer_principals : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(user|role)/[^*?]+$", arn))])
    error_message = "viewer_principals must be ARNs of IAM users or roles, arn:aws:iam::ACCOUNT:role/NAME, without wildcards."
  }
}

variable "approver_principals" {
  description = "ARNs of IAM users and roles that sign releases with the releases key; nobody else can. While it is empty the key signs for nobody."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.approver_principals : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(user|role)/[^*?]+$", arn))])
    error_message = "approver_principals must be ARNs of IAM users or roles, arn:aws:iam::ACCOUNT:role/NAME, without wildcards."
  }
}

variable "root_approver_principals" {
  description = "ARNs of IAM users and roles that sign roots with the root key; nobody else can. While it is empty the key signs for nobody."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.root_approver_principals : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(user|role)/[^*?]+$", arn))])
    error_message = "root_approver_principals must be ARNs of IAM users or roles, arn:aws:iam::ACCOUNT:role/NAME, without wildcards."
  }
}

variable "key_administrator_principals" {
  description = "ARNs of IAM users and roles that manage both signing keys, without signing. If empty, the account's IAM says who may; the identity that applies must be among them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.key_administrator_principals : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(user|role)/[^*?]+$", arn))])
    error_message = "key_administrator_principals must be ARNs of IAM users or roles, arn:aws:iam::ACCOUNT:role/NAME, without wildcards."
  }
}

variable "pipeline_trust" {
  description = "Pipelines that take a role by OpenID Connect: the role (controller, publisher or viewer), the ARN of the account's identity provider, the audience, and patterns of the subject."
  type = list(object({
    role         = string
    provider_arn = string
    audience     = string
    subjects     = list(string)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for each in var.pipeline_trust : contains(["controller", "publisher", "viewer"], each.role)])
    error_message = "pipeline_trust: role must be controller, publisher or viewer; pipelines do not sign."
  }

  validation {
    condition     = alltrue([for each in var.pipeline_trust : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:oidc-provider/.+$", each.provider_arn))])
    error_message = "pipeline_trust: provider_arn must be that of an OpenID Connect provider, arn:aws:iam::ACCOUNT:oidc-provider/HOST."
  }

  validation {
    condition = alltrue([
      for each in var.pipeline_trust : length(each.subjects) > 0 && alltrue([for subject in each.subjects : can(regex("^[^*?]{4,}", subject))])
    ])
    error_message = "pipeline_trust: subjects must name at least one subject, each beginning with four characters that are no wildcard, such as repo:ORG/NAME:environment:production."
  }
}

variable "controller_publishes" {
  description = "Whether the controller's role may publish artifacts too. Without it `otabridge release publish` has to run first, as the publisher."
  type        = bool
  default     = false
  nullable    = false
}

variable "adoptable_jobs" {
  description = "Ids of jobs, or patterns with `*`, that otabridge did not make and that `rollout import` may watch and cancel."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.adoptable_jobs : can(regex("^[A-Za-z0-9_*-]{1,64}$", pattern))])
    error_message = "adoptable_jobs must be job ids, letters, digits, `_` and `-`, or patterns with `*`."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of a policy that bounds every role of this module; null bounds none."
  type        = string
  default     = null
}

variable "key_deletion_days" {
  description = "Days, 7 to 30, between the deletion of a signing key and its end; until then it can be restored."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "key_deletion_days must be 7 to 30."
  }
}
