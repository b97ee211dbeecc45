module "network" {
  source = "../../modules/network"

  name              = local.environment
  ip_range          = var.network_cidr
  subnets           = { servers = var.subnet_cidr }
  network_zone      = module.topology.network_zone
  delete_protection = var.delete_protection
  labels            = merge(module.topology.labels, { role = "network" })
}
