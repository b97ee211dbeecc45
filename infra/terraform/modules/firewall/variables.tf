variable "name" {
  description = "Name of the firewall, unique in the Hetzner project."
  type        = string
}

variable "inbound" {
  description = "What may come in from the public side, by description; nothing when empty."
  type = map(object({
    protocol   = string
    port       = optional(string)
    source_ips = list(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for rule in values(var.inbound) : contains(["tcp", "udp", "icmp"], rule.protocol)])
    error_message = "A rule's protocol is tcp, udp or icmp."
  }

  validation {
    condition     = alltrue([for rule in values(var.inbound) : (rule.protocol == "icmp") == (rule.port == null)])
    error_message = "A tcp or udp rule needs a port (\"443\" or \"8000-8100\"); an icmp rule has none."
  }

  validation {
    condition     = alltrue(flatten([for rule in values(var.inbound) : [for range in rule.source_ips : can(cidrhost(range, 0))]]))
    error_message = "Each entry of source_ips is a CIDR; a single address is 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for rule in values(var.inbound) : rule.port == null || can(regex("^[0-9]+(-[0-9]+)?$", rule.port))])
    error_message = "A port is a number or a range in quotes, \"443\" or \"8000-8100\": \"any\" is what a firewall is there to prevent."
  }

  validation {
    condition     = alltrue([for rule in values(var.inbound) : length(rule.source_ips) > 0])
    error_message = "A rule names who may come in (source_ips); to let nobody in, leave the rule out."
  }

  validation {
    # A range that holds the port counts too, and half of the internet (0.0.0.0/1) as the whole.
    condition = alltrue(flatten([
      for rule in values(var.inbound) : [
        for port in [22, 2222, 5432, 6379, 6432] :
        try(port < tonumber(split("-", rule.port)[0]) || port > tonumber(reverse(split("-", rule.port))[0]), true)
        || alltrue([for range in rule.source_ips : try(tonumber(split("/", range)[1]) >= 8, true)])
      ]
    ]))
    error_message = "SSH (22, 2222), PostgreSQL (5432), PgBouncer (6432) and Redis (6379) are never opened to the whole internet, not within a range of ports either: name the addresses that need them."
  }
}

variable "labels" {
  description = "Labels on the firewall."
  type        = map(string)
  default     = {}
}
