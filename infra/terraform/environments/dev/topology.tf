# The rules that all environments share, and what follows from the variables.
module "topology" {
  source = "../../modules/topology"

  environment        = local.environment
  authorized_keys    = var.authorized_keys
  admin_cidrs        = var.admin_cidrs
  location           = var.location
  fallback_locations = var.fallback_locations
  network_cidr       = var.network_cidr
  subnet_cidr        = var.subnet_cidr
  load_balancer_ip   = var.load_balancer_ip
  servers            = var.servers
}
