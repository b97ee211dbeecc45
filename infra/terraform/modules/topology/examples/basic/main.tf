module "topology" {
  source = "../.."

  environment      = "staging"
  authorized_keys  = { ci = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK ci" }
  admin_cidrs      = ["203.0.113.7/32"]
  location         = "nbg1"
  network_cidr     = "10.0.0.0/16"
  subnet_cidr      = "10.0.1.0/24"
  load_balancer_ip = "10.0.1.5"
  servers = {
    staging-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" }
    staging-db-1      = { role = "database", private_ip = "10.0.1.11", volume_gb = 10 }
    staging-app-1     = { role = "application", private_ip = "10.0.1.21" }
  }
}

output "bastion" {
  description = "The one server with SSH from outside."
  value       = module.topology.bastion
}
