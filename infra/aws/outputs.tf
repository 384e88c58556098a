output "tool_config" {
  description = "The fleet as `otabridge fleet add --from-terraform` takes it, and the names of what was made. No secret."

  value = {
    schema_version = 1
    provider       = "aws"
    fleet = {
      cloud       = "aws"
      region      = local.region
      bucket      = aws_s3_bucket.artifacts.id
      role_arn    = aws_iam_role.presign.arn
      prefix      = local.artifact_prefix
      by_bucket   = var.enable_fleet_indexing
      url_minutes = var.url_minutes
      tags        = var.tags
    }
    resources = {
      account_id               = local.account_id
      name                     = var.name
      artifact_bucket_arn      = aws_s3_bucket.artifacts.arn
      ledger_bucket            = one([for bucket in aws_s3_bucket.ledger : bucket.id])
      ledger_writer_policy_arn = one([for policy in aws_iam_policy.ledger_writer : policy.arn])
      presign_role_arn         = aws_iam_role.presign.arn
      controller_role_arn      = aws_iam_role.access["controller"].arn
      publisher_role_arn       = aws_iam_role.access["publisher"].arn
      viewer_role_arn          = aws_iam_role.access["viewer"].arn
      controller_policy_arn    = aws_iam_policy.access["controller"].arn
      publisher_policy_arn     = aws_iam_policy.access["publisher"].arn
      viewer_policy_arn        = aws_iam_policy.access["viewer"].arn
      root_key_arn             = aws_kms_key.signing["root"].arn
      root_key_uri             = "awskms:${aws_kms_key.signing["root"].key_id}"
      root_key_alias           = aws_kms_alias.signing["root"].name
      releases_key_arn         = aws_kms_key.signing["releases"].arn
      releases_key_uri         = "awskms:${aws_kms_key.signing["releases"].key_id}"
      releases_key_alias       = aws_kms_alias.signing["releases"].name
      thing_group              = aws_iot_thing_group.fleet.name
      device_policy            = aws_iot_policy.device.name
      claim_policy             = one([for policy in aws_iot_policy.claim : policy.name])
      provisioning_template    = one([for template in aws_iot_provisioning_template.devices : template.name])
      event_queue_url          = one([for queue in aws_sqs_queue.events : queue.id])
      event_queue_arn          = one([for queue in aws_sqs_queue.events : queue.arn])
      dead_letter_queue_url    = one([for queue in aws_sqs_queue.dead_letters : queue.id])
      event_rules              = [for rule in aws_iot_topic_rule.events : rule.name]
      dashboard                = aws_cloudwatch_dashboard.fleet.dashboard_name
      alarms                   = [for alarm in aws_cloudwatch_metric_alarm.events : alarm.alarm_name]
    }
  }
}
