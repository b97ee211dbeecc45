output "location" {
  description = "The first of `locations` that has the type; the preferred one when none has."
  value       = coalescelist(local.orderable, var.locations)[0]
}
