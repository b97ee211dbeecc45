variable "name" {
  description = "Name of the volume, unique in the Hetzner project."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$", var.name))
    error_message = "A volume's name has 1 to 64 letters, digits, dots, dashes and underscores."
  }
}

variable "size_gb" {
  description = "Size in GB. It can grow later, never shrink."
  type        = number

  validation {
    condition     = var.size_gb >= 10 && var.size_gb <= 10240 && floor(var.size_gb) == var.size_gb
    error_message = "A Hetzner volume has 10 to 10240 GB, in whole GB."
  }
}

variable "location" {
  description = "Location of the volume: the server's own."
  type        = string
}

variable "server_id" {
  description = "Id of the server that the volume is attached to."
  type        = number
}

variable "format" {
  description = "File system made at creation."
  type        = string
  default     = "ext4"

  validation {
    condition     = contains(["ext4", "xfs"], var.format)
    error_message = "Hetzner formats a volume as ext4 or xfs."
  }
}

variable "delete_protection" {
  description = "Refuses deletion at the API, so also `terraform destroy`: apply with false first."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels on the volume."
  type        = map(string)
  default     = {}
}
