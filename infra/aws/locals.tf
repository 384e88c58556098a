data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  # `.id` is the region's name in provider 5 and 6; `.name` is deprecated in 6.
  region = data.aws_region.current.id
  iot    = "arn:${local.partition}:iot:${local.region}:${local.account_id}"

  # otabridge names each stage's group and job so, whatever the module's own name is.
  stage_prefix = "otabridge-"
  stage_groups = "${local.iot}:thinggroup/${local.stage_prefix}*"
  stage_jobs   = "${local.iot}:job/${local.stage_prefix}*"
  shadow       = "otabridge"

  # ARNs are put together from names where they stand in policies, so that a plan shows each policy as it will be.
  role_arns       = "arn:${local.partition}:iam::${local.account_id}:role/${var.name}"
  artifact_bucket = coalesce(var.artifact_bucket_name, "${var.name}-artifacts-${local.account_id}")
  artifact_prefix = trim(var.artifact_prefix, "/")
  bucket_arns = merge(
    { artifacts = "arn:${local.partition}:s3:::${local.artifact_bucket}" },
    var.ledger_bucket_name == null ? {} : { ledger = "arn:${local.partition}:s3:::${var.ledger_bucket_name}" },
  )

  tags = merge({ "otabridge:fleet" = var.name }, var.tags)
}
