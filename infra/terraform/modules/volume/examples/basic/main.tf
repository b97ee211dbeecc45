variable "server_id" {
  description = "Id of the server that the volume is attached to: `module.server[\"staging-db-1\"].id`."
  type        = number
}

module "volume" {
  source = "../.."

  name      = "staging-db-1-data"
  size_gb   = 10
  location  = "nbg1"
  server_id = var.server_id
  labels    = { environment = "staging", managed-by = "terraform", role = "database" }
}
