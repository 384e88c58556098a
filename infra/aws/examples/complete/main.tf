# One fleet with everything, and, where `controller` is given, a controller that looks after its rollouts.

provider "aws" {
  region = var.region
}

module "otabridge" {
  source = "../.."

  name = var.name
  tags = var.tags

  artifact_bucket_force_destroy = var.disposable
  ledger_bucket_name            = var.ledger_bucket_name
  ledger_retention_mode         = var.disposable ? "GOVERNANCE" : "COMPLIANCE"

  root_approver_principals = var.root_approver_principals
  approver_principals      = var.approver_principals
  controller_principals    = var.controller_principals
  publisher_principals     = var.publisher_principals
  viewer_principals        = var.viewer_principals
  pipeline_trust           = var.pipeline_trust

  alarm_topic_arns = var.alarm_topic_arns
}

module "controller" {
  source = "../../modules/controller"
  count  = var.controller == null ? 0 : 1

  name                    = "${var.name}-controller"
  tags                    = var.tags
  image                   = var.controller.image
  ecr_repository_arn      = var.controller.ecr_repository_arn
  policy_arns             = { factory = module.otabridge.tool_config.resources.controller_policy_arn }
  database_url_secret_arn = var.controller.database_url_secret_arn
  files                   = var.controller.files
  vpc_id                  = var.controller.vpc_id
  subnet_ids              = var.controller.subnet_ids
  alarm_topic_arns        = var.alarm_topic_arns
}
