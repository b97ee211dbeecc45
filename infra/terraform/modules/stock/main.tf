data "hcloud_server_type" "this" {
  name = var.server_type
}

locals {
  offered   = [for offer in data.hcloud_server_type.this.locations : offer.name if offer.available]
  orderable = [for name in var.locations : name if contains(local.offered, name)]
}

# A warning and no error: a server that runs is not in danger when its type is sold out.
check "type_is_in_stock" {
  assert {
    condition     = length(local.orderable) > 0
    error_message = "${var.server_type} is sold out in ${join(", ", var.locations)}. A server that runs goes on; a new one will be refused (resource_unavailable): name a fallback location or another type."
  }
}
