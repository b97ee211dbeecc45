import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOKEN } from './client.ts';

/** The project's cache, where tools/install puts the provider and Terraform's configuration. */
const CACHE =
  process.env.COMPTA_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'compta');

export interface Finished {
  code: number;
  output: string;
}

/** Terraform with the real provider in a folder of its own, against the given API. */
export function terraformIn(url: string) {
  const directory = mkdtempSync(join(tmpdir(), 'hetzner-terraform-'));
  const terraform = (...argv: string[]): Promise<Finished> =>
    new Promise((resolve) => {
      const env = {
        ...process.env,
        HCLOUD_ENDPOINT: url,
        HCLOUD_TOKEN: TOKEN,
        TF_CLI_CONFIG_FILE: join(CACHE, 'terraform.rc'),
        TF_IN_AUTOMATION: '1',
      };
      execFile('terraform', argv, { cwd: directory, env }, (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
        resolve({ code, output: `${stdout}${stderr}` });
      });
    });
  return {
    write: (configuration: string) => writeFileSync(join(directory, 'main.tf'), configuration),
    init: () => terraform('init', '-input=false', '-no-color'),
    apply: () => terraform('apply', '-auto-approve', '-input=false', '-no-color'),
    /** Code 0: no changes, 2: changes. */
    plan: () => terraform('plan', '-detailed-exitcode', '-input=false', '-no-color'),
    destroy: () => terraform('destroy', '-auto-approve', '-input=false', '-no-color'),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

/** A small environment of every resource type that the product uses. */
export function environment({
  protectedServers = false,
  volumeSize = 10,
  healthInterval = 15,
  sshPort = 2222,
} = {}): string {
  return `
terraform {
  required_providers {
    hcloud = { source = "hetznercloud/hcloud", version = "1.68.0" }
  }
}
provider "hcloud" {
  poll_interval = "20ms"
  poll_function = "constant"
}
resource "hcloud_network" "private" {
  name     = "private"
  ip_range = "10.0.0.0/16"
}
resource "hcloud_network_subnet" "servers" {
  network_id   = hcloud_network.private.id
  type         = "cloud"
  network_zone = "eu-central"
  ip_range     = "10.0.1.0/24"
}
resource "hcloud_ssh_key" "deploy" {
  name       = "deploy"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEnPzmYtyhDYMCHY4jAFCjuvpAh7fRgEAYs5R13LYxPG"
}
resource "hcloud_placement_group" "apps" {
  name = "apps"
  type = "spread"
}
resource "hcloud_firewall" "ssh" {
  name = "ssh"
  rule {
    direction  = "in"
    protocol   = "tcp"
    port       = "${sshPort}"
    source_ips = ["198.51.100.0/24", "2001:db8::/32"]
  }
}
resource "hcloud_primary_ip" "first" {
  name     = "first"
  type     = "ipv4"
  location = "fsn1"
}
resource "hcloud_server" "app" {
  count              = 2
  name               = "app-\${count.index + 1}"
  server_type        = "cpx22"
  image              = "debian-12"
  location           = "fsn1"
  ssh_keys           = [hcloud_ssh_key.deploy.id]
  firewall_ids       = [hcloud_firewall.ssh.id]
  placement_group_id = hcloud_placement_group.apps.id
  user_data          = "#cloud-config"
  labels             = { role = "application" }
  delete_protection  = ${protectedServers}
  rebuild_protection = ${protectedServers}
  public_net {
    ipv4         = count.index == 0 ? hcloud_primary_ip.first.id : null
    ipv4_enabled = true
    ipv6_enabled = false
  }
  network {
    subnet_id = hcloud_network_subnet.servers.id
    ip        = "10.0.1.\${21 + count.index}"
    alias_ips = []
  }
}
resource "hcloud_volume" "data" {
  name     = "data"
  size     = ${volumeSize}
  format   = "ext4"
  location = "fsn1"
}
resource "hcloud_volume_attachment" "data" {
  volume_id = hcloud_volume.data.id
  server_id = hcloud_server.app[0].id
}
resource "hcloud_load_balancer" "public" {
  name               = "public"
  load_balancer_type = "lb11"
  location           = "fsn1"
}
resource "hcloud_load_balancer_network" "private" {
  load_balancer_id = hcloud_load_balancer.public.id
  subnet_id        = hcloud_network_subnet.servers.id
  ip               = "10.0.1.5"
}
resource "hcloud_load_balancer_service" "http" {
  load_balancer_id = hcloud_load_balancer.public.id
  protocol         = "http"
  health_check {
    protocol = "http"
    port     = 80
    interval = ${healthInterval}
    timeout  = 5
    retries  = 2
    http {
      path         = "/health"
      status_codes = ["200"]
    }
  }
}
resource "hcloud_load_balancer_target" "apps" {
  load_balancer_id = hcloud_load_balancer.public.id
  type             = "label_selector"
  label_selector   = "role=application"
  use_private_ip   = true
  depends_on       = [hcloud_load_balancer_network.private, hcloud_server.app]
}
`;
}
