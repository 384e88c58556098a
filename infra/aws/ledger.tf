# Exports of the ledger, under Object Lock: for the retention period nobody deletes or replaces a version. Better in an
# account of its own; then leave `ledger_bucket_name` empty here.

locals {
  ledger = var.ledger_bucket_name == null ? toset([]) : toset(["ledger"])
}

resource "aws_s3_bucket" "ledger" {
  for_each = local.ledger

  bucket              = var.ledger_bucket_name
  object_lock_enabled = true
  tags                = local.tags
}

# A locked bucket keeps all versions anyway; said here so that the plan shows it.
resource "aws_s3_bucket_versioning" "ledger" {
  for_each = local.ledger

  bucket = aws_s3_bucket.ledger[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "ledger" {
  for_each = local.ledger

  bucket     = aws_s3_bucket.ledger[each.key].id
  depends_on = [aws_s3_bucket_versioning.ledger]

  rule {
    default_retention {
      mode = var.ledger_retention_mode
      days = var.ledger_retention_days
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "ledger" {
  for_each = local.ledger

  bucket = aws_s3_bucket.ledger[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "ledger" {
  for_each = local.ledger

  bucket                  = aws_s3_bucket.ledger[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "ledger" {
  for_each = local.ledger

  bucket = aws_s3_bucket.ledger[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "ledger" {
  for_each = local.ledger

  bucket     = aws_s3_bucket.ledger[each.key].id
  policy     = data.aws_iam_policy_document.tls_only["ledger"].json
  depends_on = [aws_s3_bucket_public_access_block.ledger]
}

# Whoever exports may add, and nothing else. Attached to nobody by this module.
resource "aws_iam_policy" "ledger_writer" {
  for_each = local.ledger

  name        = "${var.name}-ledger-writer"
  description = "Adds exports of otabridge's ledger to ${var.ledger_bucket_name}."
  policy      = data.aws_iam_policy_document.ledger_writer[each.key].json
  tags        = local.tags
}

data "aws_iam_policy_document" "ledger_writer" {
  for_each = local.ledger

  statement {
    sid       = "AddExports"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket_arns.ledger}/*"]
  }
}
