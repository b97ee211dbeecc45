variable "authorized_keys" {
  description = "OpenSSH public keys that may log in as `deploy`, by owner: { ci = \"ssh-ed25519 AAAA…\" }."
  type        = map(string)

  validation {
    condition     = length(var.authorized_keys) > 0
    error_message = "Give at least one key, the pipeline's own: nobody could log in otherwise."
  }

  validation {
    condition     = alltrue([for owner in keys(var.authorized_keys) : can(regex("^[a-z0-9][a-z0-9-]*$", owner))])
    error_message = "An owner is written in lower-case letters, digits and dashes, as it becomes part of a name."
  }
}

variable "admin_cidrs" {
  description = "Addresses that may reach SSH on the bastion. There is no default on purpose."
  type        = list(string)

  validation {
    condition     = length(var.admin_cidrs) > 0
    error_message = "Give at least one CIDR, such as [\"203.0.113.7/32\"]; without one nobody reaches the servers."
  }

  validation {
    condition     = !anytrue([for range in var.admin_cidrs : contains(["0.0.0.0/0", "::/0"], range)])
    error_message = "admin_cidrs must not open SSH to the whole internet: name the addresses that need it."
  }
}

variable "location" {
  description = "Hetzner location of every server."
  type        = string
  default     = "nbg1"

  validation {
    condition     = contains(["fsn1", "nbg1", "hel1", "ash", "hil", "sin"], var.location)
    error_message = "Give a Hetzner location: fsn1, nbg1, hel1, ash, hil or sin."
  }
}

variable "network_zone" {
  description = "Network zone of that location."
  type        = string
  default     = "eu-central"
}

variable "network_cidr" {
  description = "Range of the private network."
  type        = string
  default     = "10.0.0.0/16"
}

variable "subnet_cidr" {
  description = "Range of the servers' subnet inside it."
  type        = string
  default     = "10.0.1.0/24"
}

variable "image" {
  description = "Image of new servers."
  type        = string
  default     = "debian-12"
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

  validation {
    condition     = length([for server in values(var.servers) : server if server.role == "bastion"]) == 1
    error_message = "Exactly one server has the role bastion: it is the only one with SSH from outside."
  }

  validation {
    condition     = length(distinct([for server in values(var.servers) : server.private_ip])) == length(var.servers)
    error_message = "Two servers have the same private_ip."
  }

  validation {
    condition     = length([for server in values(var.servers) : server if server.role == "application"]) <= 10
    error_message = "A spread placement group holds at most 10 servers."
  }

  validation {
    condition = alltrue([
      for server in values(var.servers) : can(cidrhost("${server.private_ip}/${split("/", var.subnet_cidr)[1]}", 0))
      && try(cidrhost("${server.private_ip}/${split("/", var.subnet_cidr)[1]}", 0) == cidrhost(var.subnet_cidr, 0), false)
    ])
    error_message = "Every private_ip is an address inside subnet_cidr."
  }
}

variable "load_balancer_type" {
  description = "Type of the load balancer."
  type        = string
  default     = "lb11"
}

variable "load_balancer_ip" {
  description = "Private address of the load balancer."
  type        = string
  default     = "10.0.1.5"
}

variable "delete_protection" {
  description = "Protects network, servers, volumes and load balancer at the API. To destroy, apply with false first."
  type        = bool
  default     = false
}
