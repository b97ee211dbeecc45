terraform {
  required_version = ">= 1.10.0"

  required_providers {
    # Older ones read `datacenter`, which the API no longer sends, and plan to replace every server.
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = ">= 1.68.0, < 2.0.0"
    }
  }
}
