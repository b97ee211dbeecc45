output "id" {
  description = "Id of the volume."
  value       = hcloud_volume.this.id
}

output "device" {
  description = "Its device on the server, /dev/disk/by-id/scsi-0HC_Volume_<id>."
  value       = hcloud_volume.this.linux_device
}
