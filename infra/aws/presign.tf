# The role with which AWS IoT Jobs signs each device's download, an hour at most.

resource "aws_iam_role" "presign" {
  name                 = "${var.name}-presign"
  description          = "AWS IoT Jobs signs downloads of otabridge's artifacts with it."
  assume_role_policy   = data.aws_iam_policy_document.presign_trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "presign" {
  name   = "read-artifacts"
  role   = aws_iam_role.presign.id
  policy = data.aws_iam_policy_document.presign.json
}

# Only for jobs of otabridge in this account and region: no other account's jobs can borrow the role.
data "aws_iam_policy_document" "presign_trust" {
  statement {
    sid     = "SignForOtabridgeJobs"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["iot.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.stage_jobs]
    }
  }
}

data "aws_iam_policy_document" "presign" {
  statement {
    sid       = "ReadArtifacts"
    actions   = ["s3:GetObject"]
    resources = [local.artifact_objects]
  }

  dynamic "statement" {
    for_each = local.artifact_keys

    content {
      sid       = "DecryptArtifacts"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}
