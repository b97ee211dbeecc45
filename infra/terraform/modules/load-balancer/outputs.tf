output "id" {
  description = "Id of the load balancer."
  value       = hcloud_load_balancer.this.id
}

output "public_ip" {
  description = "Its public IPv4 address."
  value       = hcloud_load_balancer.this.ipv4
}

output "private_ip" {
  description = "Its address in the private network."
  value       = hcloud_load_balancer_network.this.ip
}
