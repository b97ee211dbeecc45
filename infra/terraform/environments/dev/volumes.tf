module "volume" {
  source   = "../../modules/volume"
  for_each = module.topology.volumes

  name              = "${each.key}-data"
  size_gb           = each.value
  location          = module.server[each.key].location
  server_id         = module.server[each.key].id
  delete_protection = var.delete_protection
  labels            = merge(module.topology.labels, { role = var.servers[each.key].role })
}
