output "id" {
  description = "Id of the server."
  value       = hcloud_server.this.id
}

output "role" {
  description = "Its role."
  value       = var.role
}

output "location" {
  description = "Location that it was created in, which its volume must share."
  value       = hcloud_server.this.location
}

output "public_ip" {
  description = "Its public IPv4 address."
  value       = hcloud_server.this.ipv4_address
}

output "private_ip" {
  description = "Its address in the private network."
  value       = var.private_ip
}

output "host_key" {
  description = "Public host key, as the server's own label tells it: of the first contact, then the one that the first play made."
  value = format("%s%s", local.openssh_prefix, replace(replace(
    trimsuffix(trimprefix(hcloud_server.this.labels["host-key"], "k"), "k"),
  "-", "+"), "_", "/"))
}
