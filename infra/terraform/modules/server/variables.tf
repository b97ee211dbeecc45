variable "name" {
  description = "Name and host name of the server, unique in the Hetzner project."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "A server's name is a host name: lower-case letters, digits and dashes, such as staging-app-1."
  }
}

variable "role" {
  description = "What the server is for; it chooses the cloud-init file and becomes a label."
  type        = string

  validation {
    condition     = contains(["application", "database", "bastion", "monitoring"], var.role)
    error_message = "A server's role is application, database, bastion or monitoring."
  }
}

variable "environment" {
  description = "Environment that the server belongs to."
  type        = string
}

variable "server_type" {
  description = "Hetzner server type."
  type        = string

  validation {
    condition     = !contains(["cx11", "cx21", "cx22", "cx31", "cx32", "cx41", "cx42", "cx51", "cx52", "cpx11", "cpx21", "cpx31", "cpx41", "cpx51"], var.server_type)
    error_message = "This type can no longer be ordered in the EU. Successors: cx22 cx23, cpx21 cpx22, cpx31 cpx32, cpx41 cpx42, cpx51 cpx52."
  }

  validation {
    condition     = can(regex("^(cx|cpx|cax|ccx)[0-9]{2}$", var.server_type))
    error_message = "Give a Hetzner server type such as cpx22, cpx32, cax11 or ccx13."
  }
}

variable "image" {
  description = "Image that the server is created from; later changes do not touch a running server."
  type        = string
  default     = "debian-12"

  validation {
    condition     = contains(["debian-12", "debian-13"], var.image)
    error_message = "cloud-init and the Ansible roles are written for Debian: give debian-12 or debian-13."
  }
}

variable "location" {
  description = "Hetzner location of a new server; a running one stays where it is."
  type        = string
}

variable "fallback_locations" {
  description = "Where it goes instead when its type is sold out there, in this order."
  type        = list(string)
  default     = []
}

variable "subnet_id" {
  description = "Id of the subnet that the server joins."
  type        = string
}

variable "private_ip" {
  description = "Its address in that subnet."
  type        = string
}

variable "authorized_keys" {
  description = "OpenSSH public keys that may log in as `deploy`."
  type        = list(string)

  validation {
    condition     = length(var.authorized_keys) > 0 && alltrue([for key in var.authorized_keys : can(regex("^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\\.com) [A-Za-z0-9+/=]+", key))])
    error_message = "Give at least one OpenSSH public key, such as \"ssh-ed25519 AAAA… name\"; without one nobody could ever log in."
  }
}

variable "ssh_key_ids" {
  description = "Ids of Hetzner SSH keys; with at least one, Hetzner mails no root password around."
  type        = list(string)

  validation {
    condition     = length(var.ssh_key_ids) > 0
    error_message = "Give at least one Hetzner SSH key: without one Hetzner makes a root password and mails it."
  }
}

variable "firewall_ids" {
  description = "Ids of the firewalls on its public address."
  type        = list(number)
}

variable "placement_group_id" {
  description = "Placement group that keeps it on another machine than its siblings."
  type        = number
  default     = null
}

variable "cloud_init_directory" {
  description = "Directory of the cloud-init-<role>.yml templates."
  type        = string
}

variable "backups" {
  description = "Hetzner's backups of the server's disk (not of volumes), at 20 % of its price."
  type        = bool
  default     = false
}

variable "delete_protection" {
  description = "Refuses deletion and rebuild at the API, so also `terraform destroy`: apply with false first."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels on the server; `role` and `host-key` are added."
  type        = map(string)
  default     = {}
}
