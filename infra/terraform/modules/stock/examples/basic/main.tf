module "stock" {
  source = "../.."

  server_type = "cpx22"
  locations   = ["nbg1", "fsn1", "hel1"]
}

output "location" {
  description = "Where a cpx22 can be had today."
  value       = module.stock.location
}
