mock_provider "hcloud" {
  source = "../../tests/mocks"
}

variables {
  name     = "test"
  ip_range = "10.0.0.0/16"
  subnets  = { servers = "10.0.1.0/24" }
  labels   = { environment = "test" }
}

run "makes_the_network_and_its_subnets" {
  assert {
    condition     = output.subnet_ids["servers"] == "1001-10.0.1.0/24"
    error_message = "Whoever joins a subnet needs its id by name."
  }

  assert {
    condition     = hcloud_network_subnet.this["servers"].network_zone == "eu-central" && hcloud_network.this.labels.environment == "test"
    error_message = "The subnet lies in the zone of the European locations, and the network has its labels."
  }
}

run "refuses_a_public_range" {
  command = plan

  variables {
    ip_range = "203.0.113.0/24"
  }

  expect_failures = [var.ip_range]
}

run "refuses_a_network_without_subnets" {
  command = plan

  variables {
    subnets = {}
  }

  expect_failures = [var.subnets]
}

run "refuses_a_subnet_outside_the_network" {
  command = plan

  variables {
    subnets = { servers = "10.1.1.0/24" }
  }

  expect_failures = [hcloud_network_subnet.this["servers"]]
}

run "refuses_a_subnet_wider_than_the_network" {
  command = plan

  variables {
    subnets = { servers = "10.0.0.0/8" }
  }

  expect_failures = [hcloud_network_subnet.this["servers"]]
}

run "refuses_a_zone_that_hetzner_does_not_have" {
  command = plan

  variables {
    network_zone = "eu-west"
  }

  expect_failures = [var.network_zone]
}
