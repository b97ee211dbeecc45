resource "hcloud_load_balancer" "this" {
  name               = var.name
  load_balancer_type = var.type
  location           = var.location
  labels             = var.labels
  delete_protection  = var.delete_protection

  algorithm {
    type = var.algorithm
  }
}

resource "hcloud_load_balancer_network" "this" {
  load_balancer_id = hcloud_load_balancer.this.id
  # By network and address: an imported one knows no subnet, and would be replaced to learn it.
  network_id = tonumber(split("-", var.subnet_id)[0])
  ip         = var.private_ip
}

resource "hcloud_load_balancer_service" "this" {
  for_each = var.services

  load_balancer_id = hcloud_load_balancer.this.id
  protocol         = each.value.protocol
  listen_port      = each.value.listen_port
  destination_port = each.value.destination_port
  proxyprotocol    = each.value.proxy_protocol

  health_check {
    protocol = "http"
    port     = each.value.health_check.port
    interval = each.value.health_check.interval_seconds
    timeout  = each.value.health_check.timeout_seconds
    retries  = each.value.health_check.retries

    http {
      path         = each.value.health_check.path
      status_codes = ["200"]
    }
  }
}

resource "hcloud_load_balancer_target" "this" {
  for_each = var.targets

  load_balancer_id = hcloud_load_balancer.this.id
  type             = "server"
  server_id        = each.value
  # Servers take web traffic on their private address only.
  use_private_ip = true

  # The API refuses a private target while the balancer has no leg in the network.
  depends_on = [hcloud_load_balancer_network.this]

  lifecycle {
    replace_triggered_by = [hcloud_load_balancer_network.this]
  }
}
