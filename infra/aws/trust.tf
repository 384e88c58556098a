# Who may take a role: principals by name, pipelines by OpenID Connect, and never a person who signs.

locals {
  all_signers = distinct(concat(var.approver_principals, var.root_approver_principals))
  pipelines = {
    for role in keys(local.roles) : role => [for pipeline in var.pipeline_trust : pipeline if pipeline.role == role]
  }
  # A role must trust somebody: where nobody is named, the account, whose IAM then says who may take it.
  account = "arn:${local.partition}:iam::${local.account_id}:root"
  takers = {
    for role, each in local.roles : role => (
      length(each.principals) + length(local.pipelines[role]) > 0 ? each.principals : [local.account]
    )
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  dynamic "statement" {
    for_each = length(local.takers[each.key]) > 0 ? [local.takers[each.key]] : []

    content {
      sid     = "TakenByName"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = statement.value
      }
    }
  }

  dynamic "statement" {
    for_each = local.pipelines[each.key]
    iterator = pipeline

    content {
      sid     = "TakenByPipeline${pipeline.key + 1}"
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [pipeline.value.provider_arn]
      }

      condition {
        test     = "StringEquals"
        variable = "${split("oidc-provider/", pipeline.value.provider_arn)[1]}:aud"
        values   = [pipeline.value.audience]
      }

      condition {
        test     = "StringLike"
        variable = "${split("oidc-provider/", pipeline.value.provider_arn)[1]}:sub"
        values   = pipeline.value.subjects
      }
    }
  }

  dynamic "statement" {
    for_each = each.key != "viewer" && length(local.all_signers) > 0 ? [local.all_signers] : []

    content {
      sid     = "DenySigners"
      effect  = "Deny"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = ["*"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:PrincipalArn"
        values   = statement.value
      }
    }
  }
}
