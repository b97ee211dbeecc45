# Hetzner's backups and snapshots are of a server's own disk: a volume is in none of them. What lies
# here is saved by the database's own backup, and by nothing else.
resource "hcloud_volume" "this" {
  name              = var.name
  size              = var.size_gb
  location          = var.location
  format            = var.format
  labels            = var.labels
  delete_protection = var.delete_protection

  lifecycle {
    # Data lives here. To give a volume up, take it out of the state first (`terraform state rm`).
    prevent_destroy = true
    # A format is applied once, at birth.
    ignore_changes = [format]
  }
}

# Mounting is Ansible's: Hetzner's automount would edit /etc/fstab behind its back.
resource "hcloud_volume_attachment" "this" {
  volume_id = hcloud_volume.this.id
  server_id = var.server_id
  automount = false
}
