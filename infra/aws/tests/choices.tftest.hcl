# What variables change, and what they refuse.

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

run "the_ledger_is_locked" {
  command = plan

  variables {
    ledger_bucket_name    = "factory-ledger"
    ledger_retention_days = 30
  }

  assert {
    condition     = aws_s3_bucket.ledger["ledger"].object_lock_enabled
    error_message = "The ledger's bucket must be made with Object Lock: it cannot be had later."
  }

  assert {
    condition = (
      one(aws_s3_bucket_object_lock_configuration.ledger["ledger"].rule).default_retention[0].mode == "COMPLIANCE"
      && one(aws_s3_bucket_object_lock_configuration.ledger["ledger"].rule).default_retention[0].days == 30
    )
    error_message = "Exports must be kept for the given days, and nobody may shorten that."
  }
}

run "singletons_can_be_left_alone" {
  command = plan

  variables {
    manage_account_singletons = false
  }

  assert {
    condition     = length(aws_iot_indexing_configuration.things) == 0 && length(aws_iot_event_configurations.account) == 0
    error_message = "Without manage_account_singletons the account's configurations must be left as they are."
  }

  assert {
    condition     = length(aws_sqs_queue.events) == 1
    error_message = "Queues and rules are the module's own, and stay."
  }
}

run "without_indexing_no_index_is_asked" {
  command = plan

  variables {
    enable_fleet_indexing = false
  }

  assert {
    condition     = length(aws_iot_indexing_configuration.things) == 0
    error_message = "Without enable_fleet_indexing the index must be left alone."
  }

  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.viewer.json, data.aws_iam_policy_document.controller.json] :
      !strcontains(document, "iot:SearchIndex") && !strcontains(document, "DynamicThingGroup")
    ])
    error_message = "Without fleet indexing nobody may be allowed to ask it."
  }
}

run "other_parts_of_the_index_are_kept" {
  command = plan

  variables {
    additional_indexed_shadows = ["diagnostics"]
    additional_index_fields    = { "attributes.site" = "String" }
  }

  assert {
    condition     = one(one(aws_iot_indexing_configuration.things[0].thing_indexing_configuration).filter).named_shadow_names == toset(["diagnostics", "otabridge"])
    error_message = "Shadows of other programs must be indexed too."
  }

  assert {
    condition     = length(one(aws_iot_indexing_configuration.things[0].thing_indexing_configuration).custom_field) == 4
    error_message = "Fields of other programs must be declared too."
  }
}

run "without_events_and_provisioning" {
  command = plan

  variables {
    enable_events       = false
    enable_provisioning = false
  }

  assert {
    condition = sum([
      length(aws_sqs_queue.events), length(aws_sqs_queue.dead_letters), length(aws_iot_topic_rule.events),
      length(aws_iam_role.events), length(aws_cloudwatch_metric_alarm.events), length(aws_iot_event_configurations.account),
      length(aws_iot_provisioning_template.devices), length(aws_iot_policy.claim), length(aws_iam_role.provisioning),
    ]) == 0
    error_message = "What is switched off must leave nothing behind."
  }
}

run "a_name_with_capitals" {
  command = plan
  variables { name = "Factory" }
  expect_failures = [var.name]
}

run "a_bucket_with_dots" {
  command = plan
  variables { artifact_bucket_name = "artifacts.example.com" }
  expect_failures = [var.artifact_bucket_name]
}

run "a_key_by_its_alias" {
  command = plan
  variables { artifact_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/artifacts" }
  expect_failures = [var.artifact_kms_key_arn]
}

run "urls_for_two_hours" {
  command = plan
  variables { url_minutes = 120 }
  expect_failures = [var.url_minutes]
}

run "an_approver_who_rolls_out" {
  command = plan
  variables {
    approver_principals   = ["arn:aws:iam::123456789012:role/ann"]
    controller_principals = ["arn:aws:iam::123456789012:role/ann"]
  }
  expect_failures = [var.controller_principals]
}

run "a_root_signer_who_publishes" {
  command = plan
  variables {
    root_approver_principals = ["arn:aws:iam::123456789012:role/ann"]
    publisher_principals     = ["arn:aws:iam::123456789012:role/ann"]
  }
  expect_failures = [var.publisher_principals]
}

run "signers_by_wildcard" {
  command = plan
  variables { approver_principals = ["arn:aws:iam::123456789012:role/*"] }
  expect_failures = [var.approver_principals]
}

run "a_whole_account_as_controller" {
  command = plan
  variables { controller_principals = ["arn:aws:iam::123456789012:root"] }
  expect_failures = [var.controller_principals]
}

run "a_pipeline_of_any_repository" {
  command = plan
  variables {
    pipeline_trust = [{
      role         = "controller"
      provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
      audience     = "sts.amazonaws.com"
      subjects     = ["*"]
    }]
  }
  expect_failures = [var.pipeline_trust]
}

run "a_pipeline_that_approves" {
  command = plan
  variables {
    pipeline_trust = [{
      role         = "approver"
      provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
      audience     = "sts.amazonaws.com"
      subjects     = ["repo:example/gateway-os:ref:refs/heads/main"]
    }]
  }
  expect_failures = [var.pipeline_trust]
}

run "too_many_index_fields" {
  command = plan
  variables {
    additional_index_fields = { "attributes.a" = "String", "attributes.b" = "String", "attributes.c" = "String" }
  }
  expect_failures = [var.additional_index_fields]
}

run "a_key_that_is_gone_at_once" {
  command = plan
  variables { key_deletion_days = 1 }
  expect_failures = [var.key_deletion_days]
}
