variable "name" {
  description = "Name of the load balancer, unique in the Hetzner project."
  type        = string
}

variable "type" {
  description = "Load balancer type."
  type        = string
  default     = "lb11"

  validation {
    condition     = can(regex("^lb[1-9][0-9]$", var.type))
    error_message = "Give a load balancer type such as lb11, lb21 or lb31."
  }
}

variable "location" {
  description = "Location, in the network zone of its targets."
  type        = string
}

variable "algorithm" {
  description = "How connections are spread."
  type        = string
  default     = "round_robin"

  validation {
    condition     = contains(["round_robin", "least_connections"], var.algorithm)
    error_message = "Give round_robin or least_connections."
  }
}

variable "subnet_id" {
  description = "Id of the subnet that it joins."
  type        = string
}

variable "private_ip" {
  description = "Its address in that subnet, the source of its connections and health checks."
  type        = string
}

variable "services" {
  description = <<-EOT
    Services by name. `tcp` hands connections through untouched, so that a keep-alive connection ends
    where it began and nothing is retried; the health check is HTTP either way.
  EOT
  type = map(object({
    protocol         = optional(string, "tcp")
    listen_port      = number
    destination_port = number
    proxy_protocol   = optional(bool, false)
    health_check = object({
      port             = number
      path             = string
      interval_seconds = optional(number, 3)
      timeout_seconds  = optional(number, 2)
      retries          = optional(number, 2)
    })
  }))

  validation {
    condition     = alltrue([for service in values(var.services) : contains(["tcp", "http"], service.protocol)])
    error_message = "A service's protocol is tcp or http: TLS ends at Caddy, not at the balancer."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) :
      service.health_check.timeout_seconds <= service.health_check.interval_seconds && service.health_check.interval_seconds >= 3
    ])
    error_message = "A health check runs at most every 3 seconds, and its timeout is no longer than its interval."
  }

  validation {
    condition = alltrue(flatten([
      for service in values(var.services) : [
        for port in [service.listen_port, service.destination_port, service.health_check.port] :
        port >= 1 && port <= 65535 && floor(port) == port
      ]
    ]))
    error_message = "A port is a whole number from 1 to 65535."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : startswith(service.health_check.path, "/")])
    error_message = "The path of a health check begins with a slash, such as /healthz."
  }

  validation {
    condition     = length(distinct([for service in values(var.services) : service.listen_port])) == length(var.services)
    error_message = "Two services cannot listen on one port."
  }
}

variable "targets" {
  description = "Ids of the target servers by server name."
  type        = map(number)

  validation {
    condition     = length(var.targets) > 0
    error_message = "A load balancer without targets answers nobody: give it at least one server."
  }
}

variable "delete_protection" {
  description = "Refuses deletion at the API, so also `terraform destroy`: apply with false first."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels on the load balancer."
  type        = map(string)
  default     = {}
}
