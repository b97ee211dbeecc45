terraform {
  required_version = ">= 1.10.0"

  required_providers {
    # What is tested. Before 1.58 it reads `datacenter`, which the API no longer sends, and plans to replace
    # every server.
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = ">= 1.68.0, < 2.0.0"
    }

    tls = {
      source  = "hashicorp/tls"
      version = ">= 4.0.0, < 5.0.0"
    }
  }
}
