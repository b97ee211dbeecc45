# Ids as Hetzner's are: with Terraform's own random texts, every field that takes a number fails.
mock_resource "hcloud_network" {
  defaults = { id = "1001" }
}

mock_resource "hcloud_network_subnet" {
  defaults = { id = "1001-10.0.1.0/24" }
}

mock_resource "hcloud_firewall" {
  defaults = { id = "1002" }
}

mock_resource "hcloud_ssh_key" {
  defaults = { id = "1003" }
}

mock_resource "hcloud_placement_group" {
  defaults = { id = "1004" }
}

mock_resource "hcloud_server" {
  defaults = { id = "1005", ipv4_address = "203.0.113.5" }
}

mock_resource "hcloud_volume" {
  defaults = { id = "1006", linux_device = "/dev/disk/by-id/scsi-0HC_Volume_1006" }
}

mock_resource "hcloud_load_balancer" {
  defaults = { id = "1007", ipv4 = "203.0.113.7" }
}

mock_resource "hcloud_load_balancer_network" {
  defaults = { id = "1007-1001" }
}
