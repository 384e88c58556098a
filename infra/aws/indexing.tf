# Fleet indexing as otabridge asks it: the shadow `otabridge`, and the three of its fields that it counts and adds up.
# There is one such configuration in an account and region, and it is replaced as a whole.

locals {
  shadow_fields = { bucket = "Number", model = "String", saved = "Number" }
  index_fields = merge(
    { for field, type in local.shadow_fields : "shadow.name.${local.shadow}.reported.${field}" => type },
    var.additional_index_fields,
  )
}

resource "aws_iot_indexing_configuration" "things" {
  count = var.manage_account_singletons && var.enable_fleet_indexing ? 1 : 0

  thing_indexing_configuration {
    thing_indexing_mode              = "REGISTRY_AND_SHADOW"
    named_shadow_indexing_mode       = "ON"
    thing_connectivity_indexing_mode = var.index_connectivity ? "STATUS" : "OFF"

    filter {
      named_shadow_names = setunion([local.shadow], var.additional_indexed_shadows)
    }

    dynamic "custom_field" {
      for_each = local.index_fields

      content {
        name = custom_field.key
        type = custom_field.value
      }
    }
  }
}
