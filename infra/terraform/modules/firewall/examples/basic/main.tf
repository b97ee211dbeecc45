module "firewall_closed" {
  source = "../.."

  name   = "staging-closed"
  labels = { environment = "staging", managed-by = "terraform", role = "firewall" }
}

module "firewall_bastion" {
  source = "../.."

  name   = "staging-bastion"
  labels = { environment = "staging", managed-by = "terraform", role = "firewall" }
  inbound = {
    "SSH from the administrators" = { protocol = "tcp", port = "2222", source_ips = ["203.0.113.7/32"] }
  }
}
