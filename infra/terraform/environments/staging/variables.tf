variable "authorized_keys" {
  description = "OpenSSH public keys that may log in as `deploy`, by owner: { ci = \"ssh-ed25519 AAAA…\" }."
  type        = map(string)
  nullable    = false
}

variable "admin_cidrs" {
  description = "Addresses that may reach SSH on the bastion. There is no default on purpose."
  type        = list(string)
  nullable    = false
}

variable "location" {
  description = "Hetzner location of new servers and of the load balancer."
  type        = string
  default     = "nbg1"
  nullable    = false
}

variable "fallback_locations" {
  description = "Where a new server goes whose type is sold out in `location`, in this order; of the same network zone."
  type        = list(string)
  default     = ["fsn1", "hel1"]
  nullable    = false
}

variable "network_cidr" {
  description = "Range of the private network."
  type        = string
  default     = "10.0.0.0/16"
  nullable    = false
}

variable "subnet_cidr" {
  description = "Range of the servers' subnet inside it."
  type        = string
  default     = "10.0.1.0/24"
  nullable    = false
}

variable "image" {
  description = "Image of new servers."
  type        = string
  default     = "debian-12"
  nullable    = false
}

variable "servers" {
  description = <<-EOT
    The servers by name. `backups` are Hetzner's, of the server's own disk: a volume is not in them,
    so they do not cover PostgreSQL. `volume_gb` gives the server a volume of its own for its data.
  EOT
  type = map(object({
    role        = string
    server_type = optional(string, "cpx22")
    private_ip  = string
    volume_gb   = optional(number)
    backups     = optional(bool, false)
  }))
  default = {
    staging-bastion-1 = { role = "bastion", server_type = "cpx12", private_ip = "10.0.1.2" }
    staging-db-1      = { role = "database", private_ip = "10.0.1.11", volume_gb = 10, backups = true }
    staging-app-1     = { role = "application", private_ip = "10.0.1.21" }
    staging-app-2     = { role = "application", private_ip = "10.0.1.22" }
  }
  nullable = false
}

variable "load_balancer_type" {
  description = "Type of the load balancer."
  type        = string
  default     = "lb11"
  nullable    = false
}

variable "load_balancer_ip" {
  description = "Private address of the load balancer."
  type        = string
  default     = "10.0.1.5"
  nullable    = false
}

variable "public_ports" {
  description = "Ports that the load balancer hands through to the application servers, by name."
  type        = map(number)
  default     = { web = 80 }
  nullable    = false
}

variable "proxy_protocol" {
  description = "Whether the load balancer tells Caddy the clients' addresses. Caddy must know the balancer first (SITE_PROXY_PROTOCOL_FROM)."
  type        = bool
  default     = false
  nullable    = false
}

variable "delete_protection" {
  description = "Protects network, servers, volumes and load balancer at the API. To destroy, apply with false first."
  type        = bool
  default     = false
  nullable    = false
}
