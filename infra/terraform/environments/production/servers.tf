resource "hcloud_ssh_key" "deploy" {
  for_each = var.authorized_keys

  name       = "${local.environment}-${each.key}"
  public_key = each.value
  labels     = merge(module.topology.labels, { role = "deploy" })
}

# Each on another machine of Hetzner's, so that one dead machine takes one of them.
resource "hcloud_placement_group" "application" {
  name   = "${local.environment}-application"
  type   = "spread"
  labels = merge(module.topology.labels, { role = "application" })
}

module "server" {
  source   = "../../modules/server"
  for_each = var.servers

  name               = each.key
  role               = each.value.role
  environment        = local.environment
  server_type        = each.value.server_type
  image              = var.image
  location           = var.location
  fallback_locations = var.fallback_locations

  subnet_id  = module.network.subnet_ids["servers"]
  private_ip = each.value.private_ip

  authorized_keys = values(var.authorized_keys)
  ssh_key_ids     = [for key in hcloud_ssh_key.deploy : key.id]
  firewall_ids    = each.value.role == "bastion" ? [module.firewall_bastion.id, hcloud_firewall.runners.id] : [module.firewall_closed.id]

  placement_group_id   = each.value.role == "application" ? hcloud_placement_group.application.id : null
  cloud_init_directory = "${path.module}/../../files"
  backups              = each.value.backups
  delete_protection    = var.delete_protection
  labels               = module.topology.labels
}
