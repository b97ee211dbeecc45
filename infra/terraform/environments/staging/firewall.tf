# Two firewalls: one that lets nothing in, one with the single door. A server that is in neither
# would be open, which its module refuses.
module "firewall_closed" {
  source = "../../modules/firewall"

  name   = "${local.environment}-closed"
  labels = merge(module.topology.labels, { role = "firewall" })
}

module "firewall_bastion" {
  source = "../../modules/firewall"

  name   = "${local.environment}-bastion"
  labels = merge(module.topology.labels, { role = "firewall" })
  inbound = {
    "SSH from the administrators" = {
      protocol   = "tcp"
      port       = "2222"
      source_ips = var.admin_cidrs
    }
  }
}
