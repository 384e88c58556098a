# A round of the controller: no way in, no secret in the open, nothing written, and an end.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

variables {
  name                    = "factory-controller"
  image                   = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/otabridge@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  ecr_repository_arn      = "arn:aws:ecr:eu-central-1:123456789012:repository/otabridge"
  policy_arns             = { factory = "arn:aws:iam::123456789012:policy/factory-controller" }
  database_url_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:otabridge/store-AbCdEf"
  files                   = { file_system_id = "fs-0123456789abcdef0", access_point_id = "fsap-0123456789abcdef0" }
  vpc_id                  = "vpc-0123456789abcdef0"
  subnet_ids              = ["subnet-0123456789abcdef0"]
}

run "the_container" {
  command = plan

  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].command == ["otabridge", "controller", "once", "--output", "json"]
    error_message = "The container must make one round."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].entryPoint == ["timeout", "--kill-after=60", "900"]
    error_message = "A round must end."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].readonlyRootFilesystem && jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].mountPoints[0].readOnly
    error_message = "The container must not be able to change its image or its files."
  }

  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].secrets == [{ name = "OTABRIDGE_STORE_URL", valueFrom = var.database_url_secret_arn }]
      && [for variable in jsondecode(aws_ecs_task_definition.controller.container_definitions)[0].environment : variable.name] == ["OTABRIDGE_CONFIG"]
    )
    error_message = "The store's URL must come from the secret, and from nowhere else."
  }
}

run "the_network" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.controller.target[0].ecs_parameters[0].network_configuration[0].assign_public_ip == false
    error_message = "The controller must have no public address."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_egress_rule.inside : rule.from_port]) == toset([2049, 5432])
    error_message = "Inside the network only database and file system may be called."
  }
}

run "the_roles" {
  command = plan

  assert {
    condition     = jsondecode(data.aws_iam_policy_document.execution.json).Statement[1] == { Sid = "ReadDatabaseUrl", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.database_url_secret_arn }
    error_message = "Starting the container must be allowed to read the one secret, and no other."
  }

  assert {
    condition = jsondecode(data.aws_iam_policy_document.schedule.json).Statement[1] == {
      Sid       = "HandRolesToTask"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = ["arn:aws:iam::123456789012:role/factory-controller-task", "arn:aws:iam::123456789012:role/factory-controller-execution"]
      Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    }
    error_message = "The schedule must be able to hand over the two roles to tasks, and nothing else."
  }

  assert {
    condition     = [for name, each in aws_iam_role_policy_attachment.task : "${name} ${each.policy_arn}"] == [for name, arn in var.policy_arns : "${name} ${arn}"]
    error_message = "The task must have the policies that it was given."
  }
}

run "an_image_by_its_tag" {
  command = plan
  variables { image = "otabridge:latest" }
  expect_failures = [var.image]
}

run "a_password_for_a_secret" {
  command = plan
  variables { database_url_secret_arn = "postgresql://otabridge:secret@db.example.com/otabridge" }
  expect_failures = [var.database_url_secret_arn]
}

run "more_memory_than_fargate_has" {
  command = plan
  variables { memory = 16384 }
  expect_failures = [var.memory]
}
