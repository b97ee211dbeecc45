variable "name" {
  description = "Name of the network, unique in the Hetzner project."
  type        = string
}

variable "ip_range" {
  description = "Private range of the whole network in CIDR notation."
  type        = string

  validation {
    condition     = can(cidrhost(var.ip_range, 0)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.ip_range))
    error_message = "Give a private IPv4 range (10/8, 172.16/12 or 192.168/16), such as 10.0.0.0/16."
  }
}

variable "subnets" {
  description = "Subnets by name, each a CIDR inside `ip_range`."
  type        = map(string)

  validation {
    condition     = length(var.subnets) > 0 && alltrue([for range in values(var.subnets) : can(cidrhost(range, 0))])
    error_message = "Give at least one subnet, each in CIDR notation, such as { servers = \"10.0.1.0/24\" }."
  }
}

variable "network_zone" {
  description = "Hetzner network zone; it must hold the locations of every server in the network."
  type        = string
  default     = "eu-central"

  validation {
    condition     = contains(["eu-central", "us-east", "us-west", "ap-southeast"], var.network_zone)
    error_message = "Give eu-central (fsn1, nbg1, hel1), us-east (ash), us-west (hil) or ap-southeast (sin)."
  }
}

variable "delete_protection" {
  description = "Refuses deletion at the API, so also `terraform destroy`: apply with false first."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels on the network."
  type        = map(string)
  default     = {}
}
