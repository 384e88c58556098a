# A dashboard of the fleet's jobs, and alarms on events that nobody takes or that could not be delivered.

locals {
  # As the metrics of AWS IoT Jobs are named, one value a job; `Succeded` is AWS's own spelling (developer guide, AWS
  # IoT metrics and dimensions, jobs metrics).
  job_metrics = {
    Queued   = "waiting", InProgress = "running", Succeded = "installed", Failed = "failed", Rejected = "rejected",
    Canceled = "withdrawn", Removed = "removed",
  }
  alarms = var.enable_events ? {
    events-not-taken = {
      queue       = aws_sqs_queue.events["events"].name
      metric      = "ApproximateAgeOfOldestMessage"
      statistic   = "Maximum"
      threshold   = var.event_age_alarm_minutes * 60
      description = "The oldest job event has waited for more than ${var.event_age_alarm_minutes} minutes: does its reader run?"
    }
    events-lost = {
      queue       = aws_sqs_queue.dead_letters["events"].name
      metric      = "ApproximateNumberOfMessagesVisible"
      statistic   = "Maximum"
      threshold   = 0
      description = "Job events could not be delivered, or their reader failed five times: look into the dead-letter queue."
    }
  } : {}
}

resource "aws_cloudwatch_dashboard" "fleet" {
  dashboard_name = "${var.name}-otabridge"

  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type   = "metric"
        x      = 0
        y      = 0
        width  = 24
        height = 9
        properties = {
          title  = "Executions of otabridge's jobs"
          region = local.region
          view   = "timeSeries"
          stat   = "Maximum"
          period = 300
          metrics = [
            for metric, label in local.job_metrics : [{
              expression = "SUM(SEARCH('{AWS/IoT,JobId} MetricName=\"${metric}JobExecutionTotalCount\" ${trimsuffix(local.stage_prefix, "-")}', 'Maximum', 300))"
              label      = label
            }]
          ]
        }
      }],
      [
        for position, alarm in values(local.alarms) : {
          type   = "metric"
          x      = 12 * position
          y      = 9
          width  = 12
          height = 6
          properties = {
            title   = alarm.metric
            region  = local.region
            view    = "timeSeries"
            stat    = alarm.statistic
            period  = 300
            metrics = [["AWS/SQS", alarm.metric, "QueueName", alarm.queue]]
          }
        }
      ],
    )
  })
}

resource "aws_cloudwatch_metric_alarm" "events" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.queue }
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = local.tags
}
