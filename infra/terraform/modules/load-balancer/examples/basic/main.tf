variable "server_ids" {
  description = "Ids of the application servers by name: { staging-app-1 = module.server[\"staging-app-1\"].id }."
  type        = map(number)
}

module "network" {
  source = "../../../network"

  name     = "staging"
  ip_range = "10.0.0.0/16"
  subnets  = { servers = "10.0.1.0/24" }
}

module "load_balancer" {
  source = "../.."

  name       = "staging-lb"
  location   = "nbg1"
  subnet_id  = module.network.subnet_ids["servers"]
  private_ip = "10.0.1.5"
  targets    = var.server_ids
  services = {
    web = { listen_port = 80, destination_port = 80, health_check = { port = 80, path = "/healthz" } }
  }
  labels = { environment = "staging", managed-by = "terraform", role = "load-balancer" }
}
