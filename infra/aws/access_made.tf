# What `otabridge fleet check --from-terraform` reads of what this module makes, beside the calls of a rollout: whether it is
# there, and still as it was made. The viewer's, and so the controller's. Where there are names, it ends at the module's.

locals {
  policy_arns = "arn:${local.partition}:iam::${local.account_id}:policy/${var.name}"
  ledger_arns = compact([lookup(local.bucket_arns, "ledger", "")])
}

data "aws_iam_policy_document" "made" {
  statement {
    sid       = "ReadRoles"
    actions   = ["iam:GetRole"]
    resources = [for role in ["controller", "presign", "publisher", "viewer"] : "${local.role_arns}-${role}"]
  }

  statement {
    sid       = "ReadRolesPolicies"
    actions   = ["iam:ListAttachedRolePolicies"]
    resources = [for role in ["controller", "publisher", "viewer"] : "${local.role_arns}-${role}"]
  }

  statement {
    sid       = "ReadPolicies"
    actions   = ["iam:GetPolicy"]
    resources = [for policy in ["controller", "ledger-writer", "publisher", "viewer"] : "${local.policy_arns}-${policy}"]
  }

  # By alias: the keys' ids are not known when this is planned. The keys' policies must agree, see keys.tf.
  statement {
    sid       = "ReadSigningKeys"
    actions   = ["kms:DescribeKey"]
    resources = ["arn:${local.partition}:kms:${local.region}:${local.account_id}:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = [for key in ["releases", "root"] : "alias/${var.name}-${key}"]
    }
  }

  statement {
    sid       = "ReadBuckets"
    actions   = ["s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration"]
    resources = values(local.bucket_arns)
  }

  dynamic "statement" {
    for_each = local.ledger_arns

    content {
      sid       = "ReadLedgersLock"
      actions   = ["s3:GetBucketObjectLockConfiguration"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "ReadDevicesPolicies"
    actions   = ["iot:GetPolicy"]
    resources = ["${local.iot}:policy/${var.name}-claim", "${local.iot}:policy/${var.name}-device"]
  }

  dynamic "statement" {
    for_each = local.provisioning

    content {
      sid       = "ReadProvisioning"
      actions   = ["iot:DescribeProvisioningTemplate"]
      resources = ["${local.iot}:provisioningtemplate/${var.name}-devices"]
    }
  }

  # It has no resource to name (service authorization reference of AWS IoT).
  dynamic "statement" {
    for_each = local.events

    content {
      sid       = "ReadEventTypes"
      actions   = ["iot:DescribeEventConfigurations"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.events

    content {
      sid       = "ReadEventRules"
      actions   = ["iot:GetTopicRule"]
      resources = [for rule in keys(local.rules) : "${local.iot}:rule/${replace(var.name, "-", "_")}_${rule}"]
    }
  }

  dynamic "statement" {
    for_each = local.events

    content {
      sid       = "ReadQueues"
      actions   = ["sqs:GetQueueAttributes"]
      resources = [for name in ["job-events", "job-events-dead"] : "${local.queue_arns}-${name}"]
    }
  }

  dynamic "statement" {
    for_each = local.events

    content {
      sid       = "ReadAlarms"
      actions   = ["cloudwatch:DescribeAlarms"]
      resources = ["arn:${local.partition}:cloudwatch:${local.region}:${local.account_id}:alarm:*"]
    }
  }

  statement {
    sid       = "ReadDashboard"
    actions   = ["cloudwatch:GetDashboard"]
    resources = ["arn:${local.partition}:cloudwatch::${local.account_id}:dashboard/${var.name}-otabridge"]
  }
}
