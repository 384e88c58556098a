# Who may do what: a policy and a role each for the controller, for the publisher and for those who only look. The
# actions are those of the calls that otabridge makes; a test compares both, and allows no action more.

locals {
  artifact_objects = join("/", compact([local.bucket_arns.artifacts, local.artifact_prefix, "*"]))
  artifact_keys    = compact([var.artifact_kms_key_arn])

  adoptable_jobs = [for pattern in var.adoptable_jobs : "${local.iot}:job/${pattern}"]
  jobs           = concat([local.stage_jobs], local.adoptable_jobs)
  index          = var.enable_fleet_indexing ? ["${local.iot}:index/AWS_Things"] : []

  roles = {
    controller = {
      principals  = var.controller_principals
      policies    = var.controller_publishes ? ["controller", "publisher"] : ["controller"]
      description = "Runs rollouts: stage groups and jobs."
    }
    publisher = {
      principals  = var.publisher_principals
      policies    = ["publisher"]
      description = "Puts artifacts of signed releases into the bucket."
    }
    viewer = {
      principals  = var.viewer_principals
      policies    = ["viewer"]
      description = "Plans, counts and reads reports; changes nothing."
    }
  }
  attachments = merge([
    for role, each in local.roles : { for policy in each.policies : "${role}-${policy}" => { role = role, policy = policy } }
  ]...)
  policies = {
    controller = data.aws_iam_policy_document.controller.json
    publisher  = data.aws_iam_policy_document.publisher.json
    viewer     = data.aws_iam_policy_document.viewer.json
  }
}

resource "aws_iam_role" "access" {
  for_each = local.roles

  name                 = "${var.name}-${each.key}"
  description          = each.value.description
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_policy" "access" {
  for_each = local.policies

  name        = "${var.name}-${each.key}"
  description = local.roles[each.key].description
  policy      = each.value
  tags        = local.tags
}

resource "aws_iam_role_policy_attachment" "access" {
  for_each = local.attachments

  role       = aws_iam_role.access[each.value.role].name
  policy_arn = aws_iam_policy.access[each.value.policy].arn
}

data "aws_iam_policy_document" "viewer" {
  # None of these has a resource to name (service authorization reference of AWS IoT).
  statement {
    sid       = "ListFleet"
    actions   = ["iot:GetIndexingConfiguration", "iot:ListThings"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadDevices"
    actions   = ["iot:DescribeThing"]
    resources = ["${local.iot}:thing/*"]
  }

  # A rollout may name any group of the account.
  statement {
    sid       = "ReadMembers"
    actions   = ["iot:ListThingsInThingGroup"]
    resources = ["${local.iot}:thinggroup/*"]
  }

  statement {
    sid       = "ReadGroups"
    actions   = ["iot:DescribeThingGroup"]
    resources = [local.stage_groups, "${local.iot}:thinggroup/fleet-${var.name}"]
  }

  statement {
    sid       = "ReadJobs"
    actions   = ["iot:DescribeJob", "iot:ListJobExecutionsForJob"]
    resources = local.jobs
  }

  statement {
    sid       = "ReadReports"
    actions   = ["iot:DescribeJobExecution"]
    resources = concat(local.jobs, ["${local.iot}:thing/*"])
  }

  dynamic "statement" {
    for_each = local.index

    content {
      sid       = "AskFleetIndex"
      actions   = ["iot:GetBucketsAggregation", "iot:GetStatistics", "iot:SearchIndex"]
      resources = [statement.value]
    }
  }

  source_policy_documents = [data.aws_iam_policy_document.made.json]
}

data "aws_iam_policy_document" "controller" {
  source_policy_documents = [data.aws_iam_policy_document.viewer.json]

  statement {
    sid       = "ListGroups"
    actions   = ["iot:ListThingGroups"]
    resources = ["*"]
  }

  statement {
    sid       = "MakeStageGroups"
    actions   = ["iot:CreateThingGroup", "iot:DeleteThingGroup"]
    resources = [local.stage_groups]
  }

  statement {
    sid       = "FillStageGroups"
    actions   = ["iot:AddThingToThingGroup"]
    resources = [local.stage_groups, "${local.iot}:thing/*"]
  }

  dynamic "statement" {
    for_each = local.index

    content {
      sid       = "MakeDynamicStageGroups"
      actions   = ["iot:CreateDynamicThingGroup", "iot:DeleteDynamicThingGroup"]
      resources = [local.stage_groups]
    }
  }

  statement {
    sid       = "MakeJobs"
    actions   = ["iot:CreateJob"]
    resources = [local.stage_jobs, local.stage_groups]
  }

  # `tags` of the fleet go into each job.
  statement {
    sid       = "TagJobs"
    actions   = ["iot:TagResource"]
    resources = [local.stage_jobs]
  }

  statement {
    sid       = "CompareAndCancelJobs"
    actions   = ["iot:CancelJob", "iot:GetJobDocument"]
    resources = local.jobs
  }

  statement {
    sid       = "HandPresignRoleToJobs"
    actions   = ["iam:PassRole"]
    resources = ["${local.role_arns}-presign"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["iot.amazonaws.com"]
    }
  }

  # A rollout makes sure that its artifacts are there.
  statement {
    sid       = "LookAtArtifacts"
    actions   = ["s3:GetObject"]
    resources = [local.artifact_objects]
  }

  # Without it S3 answers 403 instead of 404 for what is not there.
  statement {
    sid       = "LearnWhatIsMissing"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arns.artifacts]
  }
}

data "aws_iam_policy_document" "publisher" {
  statement {
    sid       = "PutArtifacts"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = [local.artifact_objects]
  }

  statement {
    sid       = "LearnWhatIsMissing"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arns.artifacts]
  }

  # S3 decrypts the parts of an upload when it puts them together.
  dynamic "statement" {
    for_each = local.artifact_keys

    content {
      sid       = "EncryptArtifacts"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}
