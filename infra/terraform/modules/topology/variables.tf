variable "environment" {
  description = "Name of the environment; it begins every name and is a label of every resource."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,19}$", var.environment))
    error_message = "An environment is named by 2 to 20 lower-case letters and digits, such as staging: it becomes part of host names."
  }
}

# tflint-ignore: terraform_unused_declarations # It is here for the rules that hold for it.
variable "authorized_keys" {
  description = "OpenSSH public keys that may log in as `deploy`, by owner."
  type        = map(string)

  validation {
    condition     = length(var.authorized_keys) > 0
    error_message = "Give at least one key, the pipeline's own: nobody could log in otherwise."
  }

  validation {
    condition     = alltrue([for owner in keys(var.authorized_keys) : can(regex("^[a-z0-9][a-z0-9-]*$", owner))])
    error_message = "An owner is written in lower-case letters, digits and dashes, as it becomes part of a name."
  }

  validation {
    condition     = length(distinct(values(var.authorized_keys))) == length(var.authorized_keys)
    error_message = "Two owners have the same key, which Hetzner refuses (uniqueness_error): give each person a key of their own."
  }

  validation {
    condition     = !anytrue([for key in values(var.authorized_keys) : strcontains(key, "PRIVATE KEY")])
    error_message = "authorized_keys holds a private key. Take the public half (the .pub file), and make a new pair: this one has been shown."
  }
}

# tflint-ignore: terraform_unused_declarations # It is here for the rules that hold for it.
variable "admin_cidrs" {
  description = "Addresses that may reach SSH on the bastion."
  type        = list(string)

  validation {
    condition     = length(var.admin_cidrs) > 0
    error_message = "Give at least one CIDR, such as [\"203.0.113.7/32\"]; without one nobody reaches the servers."
  }

  validation {
    condition     = alltrue([for range in var.admin_cidrs : can(cidrhost(range, 0))])
    error_message = "Each of admin_cidrs is a CIDR; a single address is 203.0.113.7/32 or 2001:db8::7/128."
  }

  validation {
    # By the prefix, as 0.0.0.0/1 and 128.0.0.0/1 together are the internet too.
    condition     = alltrue([for range in var.admin_cidrs : try(tonumber(split("/", range)[1]) >= 8, true)])
    error_message = "admin_cidrs must not open SSH to the whole internet (nor to half of it): name the addresses that need it."
  }
}

variable "location" {
  description = "Hetzner location of the load balancer and, where its type can be had, of every server."
  type        = string

  validation {
    condition     = contains(["fsn1", "nbg1", "hel1", "ash", "hil", "sin"], var.location)
    error_message = "Give a Hetzner location: fsn1, nbg1, hel1, ash, hil or sin."
  }
}

# tflint-ignore: terraform_unused_declarations # It is here for the rules that hold for it.
variable "fallback_locations" {
  description = "Where a new server goes whose type is sold out in `location`, in this order."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for name in var.fallback_locations :
      lookup(local.network_zones, name, "unknown") == lookup(local.network_zones, var.location, "")
    ])
    error_message = "Each of fallback_locations lies in the network zone of `location`, as a private network cannot leave its zone: fsn1, nbg1 and hel1 go together."
  }
}

variable "network_cidr" {
  description = "Range of the private network."
  type        = string

  validation {
    condition     = can(cidrhost(var.network_cidr, 0)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.network_cidr))
    error_message = "Give a private IPv4 range (10/8, 172.16/12 or 192.168/16), such as 10.0.0.0/16."
  }
}

variable "subnet_cidr" {
  description = "Range of the servers' subnet inside it."
  type        = string

  validation {
    condition     = can(cidrhost(var.subnet_cidr, 0))
    error_message = "Give the subnet in CIDR notation, such as 10.0.1.0/24."
  }
}

variable "load_balancer_ip" {
  description = "Private address of the load balancer."
  type        = string

  validation {
    condition     = try(cidrhost("${var.load_balancer_ip}/${split("/", var.subnet_cidr)[1]}", 0) == cidrhost(var.subnet_cidr, 0), false)
    error_message = "load_balancer_ip (${var.load_balancer_ip}) is not an address inside subnet_cidr (${var.subnet_cidr})."
  }
}

variable "servers" {
  description = "The servers by name: what each is for, its private address, its volume if it has one."
  type = map(object({
    role       = string
    private_ip = string
    volume_gb  = optional(number)
  }))

  validation {
    condition     = alltrue([for name in keys(var.servers) : startswith(name, "${var.environment}-")])
    error_message = "A server's name begins with its environment, such as ${var.environment}-app-1: names are unique in a Hetzner project."
  }

  validation {
    condition     = alltrue([for server in values(var.servers) : contains(["application", "bastion", "database", "monitoring"], server.role)])
    error_message = "A server's role is application, bastion, database or monitoring."
  }

  validation {
    condition     = length([for server in values(var.servers) : server if server.role == "bastion"]) == 1
    error_message = "Exactly one server has the role bastion: it is the only one with SSH from outside."
  }

  validation {
    condition     = length([for server in values(var.servers) : server if server.role == "application"]) >= 1
    error_message = "At least one server has the role application: the load balancer would have nothing behind it."
  }

  validation {
    condition     = length([for server in values(var.servers) : server if server.role == "application"]) <= 10
    error_message = "A spread placement group holds at most 10 servers."
  }

  validation {
    condition     = length(distinct([for server in values(var.servers) : server.private_ip])) == length(var.servers)
    error_message = "Two servers have the same private_ip."
  }

  validation {
    condition     = !contains([for server in values(var.servers) : server.private_ip], var.load_balancer_ip)
    error_message = "A server has the private_ip of the load balancer, ${var.load_balancer_ip}."
  }

  validation {
    condition = alltrue([
      for server in values(var.servers) :
      try(cidrhost("${server.private_ip}/${split("/", var.subnet_cidr)[1]}", 0) == cidrhost(var.subnet_cidr, 0), false)
    ])
    error_message = "Every private_ip is an address inside subnet_cidr (${var.subnet_cidr})."
  }

  validation {
    condition     = !contains([for server in values(var.servers) : server.private_ip], try(cidrhost(var.network_cidr, 1), ""))
    error_message = "The first address of the network (${try(cidrhost(var.network_cidr, 1), "")}) is Hetzner's gateway: give the server another."
  }
}
