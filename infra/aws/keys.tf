# Two signing keys whose policies leave nothing to IAM: the account may manage a key and never sign with it. Signing is
# granted here by name, and denied here to everybody else, so that neither an IAM policy nor a grant can add a signer.

locals {
  signers = {
    root     = var.root_approver_principals
    releases = var.approver_principals
  }
  key_administrators = (
    length(var.key_administrator_principals) > 0
    ? var.key_administrator_principals
    : [local.account]
  )
  # Names, not resources: a key's policy must not wait for roles that must not wait for keys.
  rollout_role_arns = ["${local.role_arns}-controller", "${local.role_arns}-publisher"]
  looking_role_arns = ["${local.role_arns}-controller", "${local.role_arns}-viewer"]
}

resource "aws_kms_key" "signing" {
  for_each = local.signers

  description              = "otabridge, fleet ${var.name}: signs ${each.key == "root" ? "the chain of roots" : "releases"}."
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  deletion_window_in_days  = var.key_deletion_days
  policy                   = data.aws_iam_policy_document.signing_key[each.key].json
  tags                     = local.tags
}

resource "aws_kms_alias" "signing" {
  for_each = local.signers

  name          = "alias/${var.name}-${each.key}"
  target_key_id = aws_kms_key.signing[each.key].key_id
}

data "aws_iam_policy_document" "signing_key" {
  for_each = local.signers

  statement {
    sid = "ManageWithoutSigning"
    actions = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:EnableKey",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:GetPublicKey",
      "kms:ListGrants",
      "kms:ListKeyPolicies",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = local.key_administrators
    }
  }

  # Whether the key is as it must be. The roles' own policies have to allow it as well; the condition names them, as a
  # principal would have to be there first.
  statement {
    sid       = "LookedAtByThoseWhoRollOut"
    actions   = ["kms:DescribeKey"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = local.looking_role_arns
    }
  }

  dynamic "statement" {
    for_each = length(each.value) > 0 ? [each.value] : []

    content {
      sid       = "ReadByNamedSigners"
      actions   = ["kms:DescribeKey", "kms:GetPublicKey"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = statement.value
      }
    }
  }

  dynamic "statement" {
    for_each = length(each.value) > 0 ? [each.value] : []

    content {
      sid       = "SignByNamedSigners"
      actions   = ["kms:Sign"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = statement.value
      }

      condition {
        test     = "StringEquals"
        variable = "kms:SigningAlgorithm"
        values   = ["ECDSA_SHA_256"]
      }
    }
  }

  # Without signers there is no condition, and the key signs for nobody.
  statement {
    sid       = "DenySigningByAnybodyElse"
    effect    = "Deny"
    actions   = ["kms:CreateGrant", "kms:Sign"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    dynamic "condition" {
      for_each = length(each.value) > 0 ? [each.value] : []

      content {
        test     = "ArnNotEquals"
        variable = "aws:PrincipalArn"
        values   = condition.value
      }
    }
  }

  statement {
    sid    = "DenyThoseWhoRollOut"
    effect = "Deny"
    actions = [
      "kms:CreateGrant",
      "kms:DisableKey",
      "kms:PutKeyPolicy",
      "kms:ScheduleKeyDeletion",
      "kms:Sign",
    ]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = local.rollout_role_arns
    }
  }
}
