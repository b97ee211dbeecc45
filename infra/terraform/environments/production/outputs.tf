# What Ansible and the deployment read (`terraform output -json`).

output "environment" {
  description = "Name of the environment."
  value       = local.environment
}

output "servers" {
  description = "Servers by name: role, addresses, host key, device of the volume."
  value = {
    for name, server in module.server : name => {
      role          = server.role
      private_ip    = server.private_ip
      public_ip     = server.public_ip
      host_key      = server.host_key
      volume_device = try(module.volume[name].device, null)
    }
  }
}

output "bastion" {
  description = "Name of the one server with SSH from outside."
  value       = module.topology.bastion
}

output "load_balancer" {
  description = "Addresses of the load balancer."
  value = {
    public_ip  = module.load_balancer.public_ip
    private_ip = module.load_balancer.private_ip
  }
}

output "network_cidr" {
  description = "Range of the private network."
  value       = var.network_cidr
}

output "ssh" {
  description = "How to log in."
  value = {
    user = "deploy"
    port = 2222
  }
}
