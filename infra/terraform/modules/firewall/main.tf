# A Hetzner firewall without an inbound rule drops everything that comes in, and lets out what goes
# out. It guards public addresses only: traffic inside the private network is Ansible's nftables' job.
resource "hcloud_firewall" "this" {
  name   = var.name
  labels = var.labels

  dynamic "rule" {
    for_each = var.inbound

    content {
      direction   = "in"
      description = rule.key
      protocol    = rule.value.protocol
      port        = rule.value.port
      source_ips  = rule.value.source_ips
    }
  }
}
