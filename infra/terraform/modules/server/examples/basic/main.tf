locals {
  labels = { environment = "staging", managed-by = "terraform" }
  # As `ssh-keygen -t ed25519` writes it into the .pub file.
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK ci"
}

module "network" {
  source = "../../../network"

  name     = "staging"
  ip_range = "10.0.0.0/16"
  subnets  = { servers = "10.0.1.0/24" }
  labels   = local.labels
}

module "firewall_closed" {
  source = "../../../firewall"

  name   = "staging-closed"
  labels = local.labels
}

resource "hcloud_ssh_key" "ci" {
  name       = "staging-ci"
  public_key = local.public_key
  labels     = local.labels
}

module "server" {
  source = "../.."

  name                 = "staging-app-1"
  role                 = "application"
  environment          = "staging"
  server_type          = "cpx22"
  location             = "nbg1"
  fallback_locations   = ["fsn1", "hel1"]
  subnet_id            = module.network.subnet_ids["servers"]
  private_ip           = "10.0.1.21"
  authorized_keys      = [local.public_key]
  ssh_key_ids          = [hcloud_ssh_key.ci.id]
  firewall_ids         = [module.firewall_closed.id]
  cloud_init_directory = "${path.module}/../../../../files"
  labels               = local.labels
}
