output "security_group_id" {
  description = "The controller's security group: let it into the database's and the file system's."
  value       = aws_security_group.controller.id
}

output "task_role_arn" {
  description = "The role that the controller acts with."
  value       = aws_iam_role.task.arn
}

output "cluster_arn" {
  description = "The cluster that rounds run in."
  value       = aws_ecs_cluster.controller.arn
}

output "log_group" {
  description = "The log group that keeps what the controller prints."
  value       = aws_cloudwatch_log_group.controller.name
}

output "schedule" {
  description = "Group and name of the schedule; disabling it stops the controller between two rounds."
  value       = "${aws_scheduler_schedule.controller.group_name}/${aws_scheduler_schedule.controller.name}"
}
