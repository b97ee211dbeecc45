import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A root module that plans in a second: an SSH key, a network, a firewall and servers. */
const CODE = `terraform {
  backend "s3" {
    key                         = "tiny/terraform.tfstate"
    region                      = "fsn1"
    use_path_style              = true
    use_lockfile                = true
    skip_s3_checksum            = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
  }
  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = ">= 1.68.0, < 2.0.0"
    }
  }
}

provider "hcloud" {
  poll_interval = "20ms"
  poll_function = "constant"
}

variable "servers" {
  type    = set(string)
  default = []
}

variable "protected" {
  type    = bool
  default = false
}

variable "open_to" {
  type    = string
  default = "203.0.113.7/32"
}

locals {
  labels = { environment = "tiny-\${terraform.workspace}", managed-by = "terraform" }
}

resource "hcloud_network" "this" {
  name              = "tiny-\${terraform.workspace}"
  ip_range          = "10.9.0.0/16"
  labels            = local.labels
  delete_protection = var.protected
}

resource "hcloud_firewall" "this" {
  name   = "tiny-\${terraform.workspace}"
  labels = local.labels
  rule {
    direction  = "in"
    protocol   = "tcp"
    port       = "22"
    source_ips = [var.open_to]
  }
}

resource "hcloud_server" "this" {
  for_each     = var.servers
  name         = each.key
  server_type  = "cpx22"
  image        = "debian-12"
  location     = "nbg1"
  firewall_ids = [hcloud_firewall.this.id]
  labels       = local.labels
}
`;

export const TINY = 'terraform/tiny';

/** Writes it beside the environments. */
export function writeTiny(folder: string): void {
  writeModule(folder, TINY, CODE);
}

/** A root module with the environments' lock file, less the providers that it has no use for. */
export function writeModule(folder: string, name: string, code: string): void {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'main.tf'), code);
  const lock = join(folder, 'terraform/environments/staging/.terraform.lock.hcl');
  const hcloud = /provider "[^"]+\/hcloud" \{[\s\S]*?^\}\n/m.exec(readFileSync(lock, 'utf8'))?.[0];
  writeFileSync(join(directory, '.terraform.lock.hcl'), hcloud ?? '');
}
