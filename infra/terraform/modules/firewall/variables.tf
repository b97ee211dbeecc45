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
    condition = alltrue(flatten([
      for rule in values(var.inbound) : [
        for range in rule.source_ips : !contains(["22", "2222", "5432", "6379", "6432"], coalesce(rule.port, "icmp"))
        || !contains(["0.0.0.0/0", "::/0"], range)
      ]
    ]))
    error_message = "SSH, PostgreSQL, PgBouncer and Redis are never opened to the whole internet: name the addresses that need them."
  }
}

variable "labels" {
  description = "Labels on the firewall."
  type        = map(string)
  default     = {}
}
