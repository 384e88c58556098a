# `otabridge controller once` on a schedule, on Fargate: nothing listens, nothing runs between rounds, and it does not
# matter if two rounds meet, as each rollout is looked after by one controller at a time.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id
  folder     = "/srv/otabridge"
  container  = "controller"
  role_arns  = "arn:${local.partition}:iam::${local.account_id}:role/${var.name}"
  log_group  = "/otabridge/${var.name}"
  cluster    = "arn:${local.partition}:ecs:${local.region}:${local.account_id}:cluster/${var.name}"
  file_system = (
    "arn:${local.partition}:elasticfilesystem:${local.region}:${local.account_id}:file-system/${var.files.file_system_id}"
  )
  access_point = (
    "arn:${local.partition}:elasticfilesystem:${local.region}:${local.account_id}:access-point/${var.files.access_point_id}"
  )
}

resource "aws_cloudwatch_log_group" "controller" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_ecs_cluster" "controller" {
  name = var.name
  tags = var.tags

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "controller" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  volume {
    name = "files"

    efs_volume_configuration {
      file_system_id     = var.files.file_system_id
      transit_encryption = "ENABLED"

      authorization_config {
        access_point_id = var.files.access_point_id
        iam             = "ENABLED"
      }
    }
  }

  # Fargate never ends a task by itself, so `timeout` does; the next round goes on where this one was.
  container_definitions = jsonencode([{
    name                   = local.container
    image                  = var.image
    essential              = true
    entryPoint             = ["timeout", "--kill-after=60", tostring(var.timeout_seconds)]
    command                = ["otabridge", "controller", "once", "--output", "json"]
    readonlyRootFilesystem = true
    environment            = [{ name = "OTABRIDGE_CONFIG", value = "${local.folder}/otabridge.toml" }]
    secrets                = [{ name = "OTABRIDGE_STORE_URL", valueFrom = var.database_url_secret_arn }]
    mountPoints            = [{ sourceVolume = "files", containerPath = local.folder, readOnly = true }]
    linuxParameters        = { initProcessEnabled = true }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.controller.name
        awslogs-region        = local.region
        awslogs-stream-prefix = local.container
      }
    }
  }])
}
