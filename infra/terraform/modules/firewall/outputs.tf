output "id" {
  description = "Id of the firewall, for a server's `firewall_ids`."
  value       = hcloud_firewall.this.id
}
