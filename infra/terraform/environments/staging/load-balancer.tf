module "load_balancer" {
  source = "../../modules/load-balancer"

  name              = "${local.environment}-lb"
  type              = var.load_balancer_type
  location          = var.location
  subnet_id         = module.network.subnet_ids["servers"]
  private_ip        = var.load_balancer_ip
  targets           = { for name in module.topology.applications : name => module.server[name].id }
  delete_protection = var.delete_protection
  labels            = merge(module.topology.labels, { role = "load-balancer" })

  # Caddy answers 200 only while it can serve what comes in by that port: see infra/docker/README.md.
  services = {
    for name, port in var.public_ports : name => {
      listen_port      = port
      destination_port = port
      proxy_protocol   = var.proxy_protocol
      health_check     = { port = 80, path = port == 443 ? "/healthz/tls" : "/healthz" }
    }
  }
}
