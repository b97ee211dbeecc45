# The key that the first SSH contact is held to, so that nobody trusts on first use. The first play
# makes new ones on the server: this one has been in a state file and in the metadata service.
resource "tls_private_key" "host" {
  algorithm = "ED25519"
}

locals {
  # Its public half also goes into a label, where the value must begin and end with a letter or
  # digit and knows no "+" and "/". So a server whose state was lost can still be recognised.
  openssh_prefix = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
  host_key_label = format("k%sk", replace(replace(
    trimprefix(trimspace(tls_private_key.host.public_key_openssh), local.openssh_prefix),
  "+", "-"), "/", "_"))
  labels = merge(var.labels, { role = var.role, host-key = local.host_key_label })

  template = var.role == "bastion" ? null : "${var.cloud_init_directory}/cloud-init-${var.role}.yml"
  base = templatefile("${var.cloud_init_directory}/cloud-init-base.yml", {
    hostname         = var.name
    role             = var.role
    environment      = var.environment
    authorized_keys  = var.authorized_keys
    host_private_key = tls_private_key.host.private_key_openssh
    host_public_key  = tls_private_key.host.public_key_openssh
  })
}

# A type that is sold out where it is wanted is ordered in the next location that has it.
module "stock" {
  source = "../stock"

  server_type = var.server_type
  locations   = concat([var.location], var.fallback_locations)
}

resource "hcloud_server" "this" {
  name        = var.name
  server_type = var.server_type
  image       = var.image
  location    = module.stock.location
  labels      = local.labels

  user_data          = local.template == null ? local.base : templatefile(local.template, { base = local.base })
  ssh_keys           = var.ssh_key_ids
  firewall_ids       = var.firewall_ids
  placement_group_id = var.placement_group_id

  # Seven daily backups of the server's own disk at +20 %. Volumes are not in them: PostgreSQL is
  # saved by its own backup, not by this.
  backups = var.backups

  # The API wants the two equal. It also refuses `terraform destroy`: apply with false first.
  delete_protection        = var.delete_protection
  rebuild_protection       = var.delete_protection
  shutdown_before_deletion = true

  # A public address for what goes out; what may come in is the firewall's matter.
  public_net {
    ipv4_enabled = true
    ipv6_enabled = false
  }

  network {
    subnet_id = var.subnet_id
    ip        = var.private_ip
    # Without it the provider detaches and attaches the network at every apply (provider issue 650).
    alias_ips = []
  }

  lifecycle {
    # What a server was born from and where. A change of it, or of what Hetzner has in stock, must
    # not replace a running server by the way: ask for that with -replace. The first play makes
    # another host key and tells it by these labels.
    ignore_changes = [
      user_data, ssh_keys, image, location, labels["host-key"], labels["host-key-next"],
    ]

    precondition {
      condition     = length(var.firewall_ids) > 0
      error_message = "Server ${var.name} has no firewall, so everything on its public address would be open."
    }
  }
}
