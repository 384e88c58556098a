# A fleet with nothing but a name: private, encrypted, no signer, and a tool_config that otabridge takes.

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
  name = "factory"
}

run "storage" {
  command = plan

  assert {
    condition     = aws_s3_bucket.artifacts.bucket == "factory-artifacts-123456789012" && !aws_s3_bucket.artifacts.force_destroy
    error_message = "The artifacts' bucket must be named for fleet and account, and outlive a destroy while it holds any."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.artifacts.block_public_acls,
      aws_s3_bucket_public_access_block.artifacts.block_public_policy,
      aws_s3_bucket_public_access_block.artifacts.ignore_public_acls,
      aws_s3_bucket_public_access_block.artifacts.restrict_public_buckets,
    ])
    error_message = "Nothing in the artifacts' bucket may be public."
  }

  assert {
    condition     = aws_s3_bucket_versioning.artifacts.versioning_configuration[0].status == "Enabled"
    error_message = "Versions must be kept, so that what is deleted by hand can be restored."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.artifacts.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Artifacts must be encrypted by S3 where no key is given."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.artifacts.rule : length(rule.expiration) == 0 && length(rule.transition) == 0
    ])
    error_message = "What is published must never expire: a rollback may need it."
  }

  assert {
    condition     = length(aws_s3_bucket.ledger) == 0
    error_message = "A bucket for the ledger must be asked for."
  }
}

run "index_and_events" {
  command = plan

  assert {
    condition     = one(aws_iot_indexing_configuration.things[0].thing_indexing_configuration).named_shadow_indexing_mode == "ON"
    error_message = "The fleet index must hold named shadows."
  }

  assert {
    condition     = one(one(aws_iot_indexing_configuration.things[0].thing_indexing_configuration).filter).named_shadow_names == toset(["otabridge"])
    error_message = "The fleet index must hold the shadow otabridge."
  }

  assert {
    condition = toset([
      for field in one(aws_iot_indexing_configuration.things[0].thing_indexing_configuration).custom_field : "${field.name} ${field.type}"
      ]) == toset([
      "shadow.name.otabridge.reported.bucket Number",
      "shadow.name.otabridge.reported.model String",
      "shadow.name.otabridge.reported.saved Number",
    ])
    error_message = "The fleet index must declare the bucket as a number, the model, and what deltas saved."
  }

  assert {
    condition = toset([
      for type, on in aws_iot_event_configurations.account[0].event_configurations : type if on
    ]) == toset(["JOB", "JOB_EXECUTION"])
    error_message = "Events of jobs and executions must be published, and no others."
  }

  assert {
    condition     = length(aws_iot_event_configurations.account[0].event_configurations) == 11
    error_message = "All eleven event types must be named, or every plan shows a change."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.events["events"], aws_sqs_queue.dead_letters["events"]] : queue.sqs_managed_sse_enabled])
    error_message = "Events must be encrypted."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.events)) == toset(["events-lost", "events-not-taken"])
    error_message = "Events that are lost, or that nobody takes, must raise an alarm."
  }
}

run "every_name_begins_with_the_fleets" {
  command = plan

  assert {
    condition = alltrue(concat(
      [for role in aws_iam_role.access : startswith(role.name, "factory-")],
      [for policy in aws_iam_policy.access : startswith(policy.name, "factory-")],
      [for alias in aws_kms_alias.signing : startswith(alias.name, "alias/factory-")],
      [startswith(aws_iam_role.presign.name, "factory-"), startswith(aws_iot_policy.device.name, "factory-")],
    ))
    error_message = "Two fleets in one account must not meet."
  }

  assert {
    condition     = !startswith(aws_iot_thing_group.fleet.name, "otabridge-")
    error_message = "The fleet's group must not be one that the controller may delete."
  }
}
