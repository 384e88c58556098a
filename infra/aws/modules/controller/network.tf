# The controller calls and is never called: no rule lets anything in.

resource "aws_security_group" "controller" {
  name        = var.name
  description = "otabridge controller: outgoing calls to AWS, its database and its files."
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "aws" {
  security_group_id = aws_security_group.controller.id
  description       = "HTTPS, to the services of AWS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "inside" {
  for_each = {
    for rule in setproduct(keys(local.inside), var.private_cidrs) : "${rule[0]} ${rule[1]}" => { port = local.inside[rule[0]], cidr = rule[1] }
  }

  security_group_id = aws_security_group.controller.id
  description       = each.key
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
  tags              = var.tags
}

locals {
  inside = { PostgreSQL = var.database_port, NFS = 2049 }
}
