output "labels" {
  description = "Labels that every resource of the environment has; each adds its `role`."
  value       = { environment = var.environment, managed-by = "terraform" }
}

output "network_zone" {
  description = "Hetzner network zone of the locations."
  value       = local.network_zones[var.location]
}

output "bastion" {
  description = "Name of the one server with SSH from outside."
  value       = one([for name, server in var.servers : name if server.role == "bastion"])
}

output "applications" {
  description = "Names of the servers behind the load balancer."
  value       = toset([for name, server in var.servers : name if server.role == "application"])
}

output "volumes" {
  description = "Size in GB of each volume, by the name of its server."
  value       = { for name, server in var.servers : name => server.volume_gb if server.volume_gb != null }
}
