variable "server_type" {
  description = "Hetzner server type that is to be ordered."
  type        = string
}

variable "locations" {
  description = "Where it may be ordered, the preferred location first."
  type        = list(string)

  validation {
    condition     = length(var.locations) > 0
    error_message = "Give at least one location, such as [\"nbg1\"]."
  }
}
