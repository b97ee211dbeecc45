module "network" {
  source = "../.."

  name     = "staging"
  ip_range = "10.0.0.0/16"
  subnets  = { servers = "10.0.1.0/24" }
  labels   = { environment = "staging", managed-by = "terraform", role = "network" }
}
