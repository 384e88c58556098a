# What happens to jobs and to single devices' executions, as messages in a queue for whoever wants to act on them.
# otabridge itself asks the cloud and needs none of it.

locals {
  events = var.enable_events ? toset(["events"]) : toset([])
  rules = var.enable_events ? {
    job           = "$aws/events/job/#"
    job_execution = "$aws/events/jobExecution/#"
  } : {}
  queue_arns = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${var.name}"
  # Every type has to be named, or each plan shows the others as changes.
  event_types = {
    for type in [
      "THING", "THING_GROUP", "THING_TYPE", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY",
      "THING_TYPE_ASSOCIATION", "JOB", "JOB_EXECUTION", "POLICY", "CERTIFICATE", "CA_CERTIFICATE",
    ] : type => contains(["JOB", "JOB_EXECUTION"], type) || contains(var.additional_event_types, type)
  }
}

resource "aws_iot_event_configurations" "account" {
  count = var.manage_account_singletons && var.enable_events ? 1 : 0

  event_configurations = local.event_types
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = local.events

  name                      = "${var.name}-job-events-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

resource "aws_sqs_queue" "events" {
  for_each = local.events

  name                       = "${var.name}-job-events"
  message_retention_seconds  = var.event_retention_days * 86400
  visibility_timeout_seconds = 60
  sqs_managed_sse_enabled    = true
  tags                       = local.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.key].arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  for_each = local.events

  queue_url = aws_sqs_queue.dead_letters[each.key].id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events[each.key].arn]
  })
}

# Names of rules have no dashes.
resource "aws_iot_topic_rule" "events" {
  for_each = local.rules

  name        = "${replace(var.name, "-", "_")}_${each.key}"
  description = "Events of ${replace(each.key, "_", " ")}s, into the queue of the fleet ${var.name}."
  enabled     = true
  sql         = "SELECT *, topic() AS topic FROM '${each.value}'"
  sql_version = "2016-03-23"
  tags        = local.tags

  sqs {
    queue_url  = aws_sqs_queue.events["events"].id
    role_arn   = aws_iam_role.events["events"].arn
    use_base64 = false
  }

  error_action {
    sqs {
      queue_url  = aws_sqs_queue.dead_letters["events"].id
      role_arn   = aws_iam_role.events["events"].arn
      use_base64 = false
    }
  }
}

resource "aws_iam_role" "events" {
  for_each = local.events

  name                 = "${var.name}-events"
  description          = "AWS IoT's rules put job events into queues with it."
  assume_role_policy   = data.aws_iam_policy_document.events_trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "events" {
  for_each = local.events

  name   = "send-events"
  role   = aws_iam_role.events[each.key].id
  policy = data.aws_iam_policy_document.events[each.key].json
}

data "aws_iam_policy_document" "events_trust" {
  statement {
    sid     = "SendEvents"
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
      values   = ["${local.iot}:rule/${replace(var.name, "-", "_")}_*"]
    }
  }
}

data "aws_iam_policy_document" "events" {
  for_each = local.events

  statement {
    sid       = "SendToQueues"
    actions   = ["sqs:SendMessage"]
    resources = [for name in ["job-events", "job-events-dead"] : "${local.queue_arns}-${name}"]
  }
}
