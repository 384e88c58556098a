# What a device may do, how it gets its certificate, and the group that all of them are put into.

locals {
  thing = "$${iot:Connection.Thing.ThingName}"
  # The topics of docs/device-protocol.md: the jobs of the thing itself, and its shadow `otabridge`.
  device_topics = [
    "$aws/things/${local.thing}/jobs/*",
    "$aws/things/${local.thing}/shadow/name/${local.shadow}/*",
  ]
  provisioning = var.enable_provisioning ? toset(["devices"]) : toset([])
  claim_topics = concat(
    [for source in sort(tolist(var.provisioning_key_sources)) : local.certificate_topics[source]],
    ["$aws/provisioning-templates/${var.name}-devices/provision/json"],
  )
  certificate_topics = {
    csr   = "$aws/certificates/create-from-csr/json"
    cloud = "$aws/certificates/create/json"
  }
}

# Not named `otabridge-...`: such groups are the controller's to delete.
resource "aws_iot_thing_group" "fleet" {
  name = "fleet-${var.name}"
  tags = local.tags

  properties {
    description = "All devices of the fleet ${var.name}."
  }
}

resource "aws_iot_policy" "device" {
  name = "${var.name}-device"
  tags = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "iot:Connect"
        Resource  = "${local.iot}:client/${local.thing}"
        Condition = { Bool = { "iot:Connection.Thing.IsAttached" = "true" } }
      },
      {
        Effect   = "Allow"
        Action   = ["iot:Publish", "iot:Receive"]
        Resource = [for topic in local.device_topics : "${local.iot}:topic/${topic}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Subscribe"
        Resource = [for topic in local.device_topics : "${local.iot}:topicfilter/${topic}"]
      },
    ]
  })
}

# What a claim certificate allows: to ask for a certificate of the device's own, and nothing else. The claim
# certificate itself is made outside, since its private key would lie in Terraform's state.
resource "aws_iot_policy" "claim" {
  for_each = local.provisioning

  name = "${var.name}-claim"
  tags = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "iot:Connect"
        Resource = "${local.iot}:client/*"
      },
      {
        Effect = "Allow"
        Action = ["iot:Publish", "iot:Receive"]
        Resource = flatten([
          for topic in local.claim_topics : ["${local.iot}:topic/${topic}", "${local.iot}:topic/${topic}/*"]
        ])
      },
      {
        Effect   = "Allow"
        Action   = "iot:Subscribe"
        Resource = [for topic in local.claim_topics : "${local.iot}:topicfilter/${topic}/*"]
      },
    ]
  })
}

resource "aws_iot_provisioning_template" "devices" {
  for_each = local.provisioning

  name                  = "${var.name}-devices"
  description           = "Registers devices of the fleet ${var.name}, with certificates of their own."
  enabled               = true
  provisioning_role_arn = aws_iam_role.provisioning[each.key].arn
  tags                  = local.tags

  dynamic "pre_provisioning_hook" {
    for_each = var.pre_provisioning_hook_arn[*]

    content {
      target_arn      = pre_provisioning_hook.value
      payload_version = "2020-04-01"
    }
  }

  template_body = jsonencode({
    Parameters = {
      SerialNumber                = { Type = "String" }
      Model                       = { Type = "String" }
      "AWS::IoT::Certificate::Id" = { Type = "String" }
    }
    Resources = {
      thing = {
        Type = "AWS::IoT::Thing"
        Properties = {
          ThingName        = { "Fn::Join" = ["", [var.thing_name_prefix, { Ref = "SerialNumber" }]] }
          AttributePayload = { model = { Ref = "Model" } }
          ThingGroups      = [aws_iot_thing_group.fleet.name]
        }
      }
      certificate = {
        Type       = "AWS::IoT::Certificate"
        Properties = { CertificateId = { Ref = "AWS::IoT::Certificate::Id" }, Status = "ACTIVE" }
      }
      policy = {
        Type       = "AWS::IoT::Policy"
        Properties = { PolicyName = aws_iot_policy.device.name }
      }
    }
  })
}

resource "aws_iam_role" "provisioning" {
  for_each = local.provisioning

  name                 = "${var.name}-provisioning"
  description          = "AWS IoT registers devices of the fleet ${var.name} with it."
  assume_role_policy   = data.aws_iam_policy_document.provisioning_trust.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

# The policy that AWS maintains for this one purpose.
resource "aws_iam_role_policy_attachment" "provisioning" {
  for_each = local.provisioning

  role       = aws_iam_role.provisioning[each.key].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AWSIoTThingsRegistration"
}

data "aws_iam_policy_document" "provisioning_trust" {
  statement {
    sid     = "RegisterDevices"
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
  }
}
