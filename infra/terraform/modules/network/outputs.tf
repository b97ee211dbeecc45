output "id" {
  description = "Id of the network."
  value       = hcloud_network.this.id
}

output "ip_range" {
  description = "Range of the network."
  value       = hcloud_network.this.ip_range
}

output "subnet_ids" {
  description = "Subnet ids by name; whoever uses one waits until the subnet exists."
  value       = { for name, subnet in hcloud_network_subnet.this : name => subnet.id }
}
