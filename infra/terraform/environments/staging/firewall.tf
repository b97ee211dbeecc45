# One firewall that lets nothing in, one with the single door, and one for runners. A server that is
# in none would be open, which its module refuses.
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

# A hosted runner's address is not known beforehand. An action with `runner-access: true` puts a rule
# for it in here and takes it out when its job ends, so these rules are no drift. They are not in the
# firewall of the administrators, whose rules a plan goes on to look at.
resource "hcloud_firewall" "runners" {
  name   = "${local.environment}-runners"
  labels = merge(module.topology.labels, { role = "firewall" })

  lifecycle {
    ignore_changes = [rule]
  }
}
