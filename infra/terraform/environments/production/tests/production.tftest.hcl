# What it refuses; what it is when it stands, test/environments.test.ts asks the API.
mock_provider "hcloud" {
  source = "../../tests/mocks"
}

# What is in stock is a list of objects, which a mocked provider cannot give.
override_module {
  target = module.server
  outputs = {
    id         = 1005
    role       = "application"
    location   = "nbg1"
    public_ip  = "203.0.113.5"
    private_ip = "10.0.1.21"
    host_key   = "ssh-ed25519 AAAA"
  }
}

variables {
  authorized_keys = { ci = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK ci" }
  admin_cidrs     = ["203.0.113.7/32"]
}

run "refuses_ssh_from_the_internet" {
  command = plan

  variables {
    admin_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_ssh_from_a_whole_provider" {
  command = plan

  variables {
    admin_cidrs = ["203.0.0.0/16"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_ssh_from_a_whole_ipv6_provider" {
  command = plan

  variables {
    admin_cidrs = ["2001:db8::/32"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_a_single_application_server" {
  command = plan

  variables {
    servers = {
      production-bastion-1    = { role = "bastion", private_ip = "10.0.1.2" }
      production-db-1         = { role = "database", private_ip = "10.0.1.11", volume_gb = 100 }
      production-app-1        = { role = "application", private_ip = "10.0.1.21" }
      production-monitoring-1 = { role = "monitoring", private_ip = "10.0.1.31" }
    }
  }

  expect_failures = [var.servers]
}

run "refuses_to_be_unwatched" {
  command = plan

  variables {
    servers = {
      production-bastion-1 = { role = "bastion", private_ip = "10.0.1.2" }
      production-db-1      = { role = "database", private_ip = "10.0.1.11", volume_gb = 100 }
      production-app-1     = { role = "application", private_ip = "10.0.1.21" }
      production-app-2     = { role = "application", private_ip = "10.0.1.22" }
    }
  }

  expect_failures = [var.servers]
}

run "refuses_a_database_without_a_volume" {
  command = plan

  variables {
    servers = {
      production-bastion-1    = { role = "bastion", private_ip = "10.0.1.2" }
      production-db-1         = { role = "database", private_ip = "10.0.1.11" }
      production-app-1        = { role = "application", private_ip = "10.0.1.21" }
      production-app-2        = { role = "application", private_ip = "10.0.1.22" }
      production-monitoring-1 = { role = "monitoring", private_ip = "10.0.1.31" }
    }
  }

  expect_failures = [var.servers]
}

run "refuses_a_server_without_backups" {
  command = plan

  variables {
    servers = {
      production-bastion-1    = { role = "bastion", private_ip = "10.0.1.2" }
      production-db-1         = { role = "database", private_ip = "10.0.1.11", volume_gb = 100 }
      production-app-1        = { role = "application", private_ip = "10.0.1.21", backups = false }
      production-app-2        = { role = "application", private_ip = "10.0.1.22" }
      production-monitoring-1 = { role = "monitoring", private_ip = "10.0.1.31" }
    }
  }

  expect_failures = [var.servers]
}
