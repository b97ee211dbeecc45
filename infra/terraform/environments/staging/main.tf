locals {
  environment = "staging"

  labels = {
    environment = local.environment
    managed-by  = "terraform"
  }

  bastion      = one([for name, server in var.servers : name if server.role == "bastion"])
  applications = { for name, server in var.servers : name => server if server.role == "application" }
  volumes      = { for name, server in var.servers : name => server.volume_gb if server.volume_gb != null }
}

resource "hcloud_ssh_key" "deploy" {
  for_each = var.authorized_keys

  name       = "${local.environment}-${each.key}"
  public_key = each.value
  labels     = merge(local.labels, { role = "deploy" })
}

module "network" {
  source = "../../modules/network"

  name              = local.environment
  ip_range          = var.network_cidr
  subnets           = { servers = var.subnet_cidr }
  network_zone      = var.network_zone
  delete_protection = var.delete_protection
  labels            = merge(local.labels, { role = "network" })
}

# Two firewalls: one that lets nothing in, one with the single door. A server that is in neither
# would be open, which its module refuses.
module "firewall_closed" {
  source = "../../modules/firewall"

  name   = "${local.environment}-closed"
  labels = merge(local.labels, { role = "firewall" })
}

module "firewall_bastion" {
  source = "../../modules/firewall"

  name   = "${local.environment}-bastion"
  labels = merge(local.labels, { role = "firewall" })
  inbound = {
    "SSH from the administrators" = {
      protocol   = "tcp"
      port       = "2222"
      source_ips = var.admin_cidrs
    }
  }
}

# Each on another machine of Hetzner's, so that one dead machine takes one of them.
resource "hcloud_placement_group" "application" {
  name   = "${local.environment}-application"
  type   = "spread"
  labels = merge(local.labels, { role = "application" })
}

module "server" {
  source   = "../../modules/server"
  for_each = var.servers

  name        = each.key
  role        = each.value.role
  environment = local.environment
  server_type = each.value.server_type
  image       = var.image
  location    = var.location

  subnet_id  = module.network.subnet_ids["servers"]
  private_ip = each.value.private_ip

  authorized_keys = values(var.authorized_keys)
  ssh_key_ids     = [for key in hcloud_ssh_key.deploy : key.id]
  firewall_ids    = [each.value.role == "bastion" ? module.firewall_bastion.id : module.firewall_closed.id]

  placement_group_id   = each.value.role == "application" ? hcloud_placement_group.application.id : null
  cloud_init_directory = "${path.module}/../../files"
  backups              = each.value.backups
  delete_protection    = var.delete_protection
  labels               = local.labels
}

module "volume" {
  source   = "../../modules/volume"
  for_each = local.volumes

  name              = "${each.key}-data"
  size_gb           = each.value
  location          = var.location
  server_id         = module.server[each.key].id
  delete_protection = var.delete_protection
  labels            = merge(local.labels, { role = var.servers[each.key].role })
}

module "load_balancer" {
  source = "../../modules/load-balancer"

  name              = "${local.environment}-lb"
  type              = var.load_balancer_type
  location          = var.location
  subnet_id         = module.network.subnet_ids["servers"]
  private_ip        = var.load_balancer_ip
  targets           = { for name in keys(local.applications) : name => module.server[name].id }
  delete_protection = var.delete_protection
  labels            = merge(local.labels, { role = "load-balancer" })

  # Caddy answers /healthz with 200 only while its gateway has a healthy slot.
  services = {
    web = {
      listen_port      = 80
      destination_port = 80
      health_check     = { port = 80, path = "/healthz" }
    }
  }
}
