variables {
  environment        = "test"
  authorized_keys    = { ci = "ssh-ed25519 AAAA1 ci", alice = "ssh-ed25519 AAAA2 alice" }
  admin_cidrs        = ["203.0.113.7/32", "2001:db8::/48"]
  location           = "nbg1"
  fallback_locations = ["fsn1", "hel1"]
  network_cidr       = "10.0.0.0/16"
  subnet_cidr        = "10.0.1.0/24"
  load_balancer_ip   = "10.0.1.5"
  servers = {
    test-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" }
    test-db-1      = { role = "database", private_ip = "10.0.1.11", volume_gb = 10 }
    test-app-1     = { role = "application", private_ip = "10.0.1.21" }
  }
}

run "says_what_follows_from_the_servers" {
  assert {
    condition = (
      output.bastion == "test-bastion-1"
      && output.applications == toset(["test-app-1"])
      && output.volumes == { test-db-1 = 10 }
    )
    error_message = "The roles say who is behind the balancer, who is the door, and who has a volume."
  }

  assert {
    condition     = output.network_zone == "eu-central" && output.labels == { environment = "test", managed-by = "terraform" }
    error_message = "The zone is the location's, and the labels are those that everything has."
  }
}

run "refuses_an_environment_that_is_no_host_name" {
  command = plan

  variables {
    environment = "Pre-Production"
  }

  expect_failures = [var.environment]
}

run "refuses_to_lock_everybody_out" {
  command = plan

  variables {
    authorized_keys = {}
    admin_cidrs     = []
  }

  expect_failures = [var.authorized_keys, var.admin_cidrs]
}

run "refuses_an_owner_that_cannot_be_a_name" {
  command = plan

  variables {
    authorized_keys = { "Alice B." = "ssh-ed25519 AAAA1" }
  }

  expect_failures = [var.authorized_keys]
}

run "refuses_one_key_for_two_owners" {
  command = plan

  variables {
    authorized_keys = { alice = "ssh-ed25519 AAAA1", bob = "ssh-ed25519 AAAA1" }
  }

  expect_failures = [var.authorized_keys]
}

run "refuses_a_private_key" {
  command = plan

  variables {
    authorized_keys = { ci = "-----BEGIN OPENSSH PRIVATE KEY-----" }
  }

  expect_failures = [var.authorized_keys]
}

run "refuses_to_open_ssh_to_the_internet" {
  command = plan

  variables {
    admin_cidrs = ["203.0.113.7/32", "0.0.0.0/0"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_to_open_ssh_to_the_internet_in_two_halves" {
  command = plan

  variables {
    admin_cidrs = ["::/1", "8000::/1"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_an_address_that_is_no_range" {
  command = plan

  variables {
    admin_cidrs = ["203.0.113.7"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_a_location_that_hetzner_does_not_have" {
  command = plan

  variables {
    location           = "fsn2"
    fallback_locations = []
  }

  expect_failures = [var.location]
}

run "refuses_to_fall_back_into_another_network_zone" {
  command = plan

  variables {
    fallback_locations = ["ash"]
  }

  expect_failures = [var.fallback_locations]
}

run "refuses_a_public_network" {
  command = plan

  variables {
    network_cidr = "203.0.113.0/24"
  }

  expect_failures = [var.network_cidr]
}

run "refuses_a_load_balancer_outside_the_subnet" {
  command = plan

  variables {
    load_balancer_ip = "10.0.2.5"
  }

  expect_failures = [var.load_balancer_ip]
}

run "refuses_servers_outside_the_subnet" {
  command = plan

  variables {
    subnet_cidr      = "10.0.2.0/24"
    load_balancer_ip = "10.0.2.5"
  }

  expect_failures = [var.servers]
}

run "refuses_the_gateway_as_an_address" {
  command = plan

  variables {
    subnet_cidr      = "10.0.0.0/24"
    load_balancer_ip = "10.0.0.5"
    servers = {
      test-bastion-1 = { role = "bastion", private_ip = "10.0.0.1" }
      test-app-1     = { role = "application", private_ip = "10.0.0.21" }
    }
  }

  expect_failures = [var.servers]
}

run "refuses_two_servers_at_one_address" {
  command = plan

  variables {
    servers = {
      test-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" }
      test-app-1     = { role = "application", private_ip = "10.0.1.2" }
    }
  }

  expect_failures = [var.servers]
}

run "refuses_a_server_at_the_address_of_the_load_balancer" {
  command = plan

  variables {
    servers = {
      test-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" }
      test-app-1     = { role = "application", private_ip = "10.0.1.5" }
    }
  }

  expect_failures = [var.servers]
}

run "refuses_two_bastions" {
  command = plan

  variables {
    servers = {
      test-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" }
      test-bastion-2 = { role = "bastion", private_ip = "10.0.1.3" }
      test-app-1     = { role = "application", private_ip = "10.0.1.21" }
    }
  }

  expect_failures = [var.servers]
}

run "refuses_to_balance_over_nothing" {
  command = plan

  variables {
    servers = { test-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" } }
  }

  expect_failures = [var.servers]
}

run "refuses_more_servers_than_a_placement_group_holds" {
  command = plan

  variables {
    servers = merge(
      { test-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" } },
      { for n in range(1, 12) : "test-app-${n}" => { role = "application", private_ip = "10.0.1.${20 + n}" } },
    )
  }

  expect_failures = [var.servers]
}

run "refuses_an_unknown_role" {
  command = plan

  variables {
    servers = {
      test-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" }
      test-app-1     = { role = "application", private_ip = "10.0.1.21" }
      test-cache-1   = { role = "cache", private_ip = "10.0.1.31" }
    }
  }

  expect_failures = [var.servers]
}

run "refuses_a_name_of_another_environment" {
  command = plan

  variables {
    servers = {
      test-bastion-1   = { role = "bastion", private_ip = "10.0.1.2" }
      production-app-1 = { role = "application", private_ip = "10.0.1.21" }
    }
  }

  expect_failures = [var.servers]
}
