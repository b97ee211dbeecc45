mock_provider "hcloud" {
  source = "../../tests/mocks"
}

variables {
  name       = "test-lb"
  location   = "nbg1"
  subnet_id  = "1001-10.0.1.0/24"
  private_ip = "10.0.1.5"
  targets    = { test-app-1 = 1005 }
  services = {
    web = { listen_port = 80, destination_port = 80, health_check = { port = 80, path = "/healthz" } }
  }
}

run "reaches_its_targets_by_the_private_network" {
  assert {
    condition     = hcloud_load_balancer_target.this["test-app-1"].use_private_ip && hcloud_load_balancer_network.this.network_id == 1001
    error_message = "Application servers let nothing in on their public address."
  }

  assert {
    condition     = hcloud_load_balancer_service.this["web"].protocol == "tcp" && hcloud_load_balancer_service.this["web"].health_check[0].protocol == "http"
    error_message = "Connections are handed through, and health is asked by HTTP."
  }
}

run "refuses_a_type_that_is_none" {
  command = plan

  variables {
    type = "cpx22"
  }

  expect_failures = [var.type]
}

run "refuses_an_unknown_algorithm" {
  command = plan

  variables {
    algorithm = "random"
  }

  expect_failures = [var.algorithm]
}

run "refuses_to_have_no_targets" {
  command = plan

  variables {
    targets = {}
  }

  expect_failures = [var.targets]
}

run "refuses_two_services_on_one_port" {
  command = plan

  variables {
    services = {
      one = { listen_port = 80, destination_port = 80, health_check = { port = 80, path = "/" } }
      two = { listen_port = 80, destination_port = 81, health_check = { port = 81, path = "/" } }
    }
  }

  expect_failures = [var.services]
}

run "refuses_to_end_tls" {
  command = plan

  variables {
    services = {
      tls = { protocol = "https", listen_port = 443, destination_port = 80, health_check = { port = 80, path = "/" } }
    }
  }

  expect_failures = [var.services]
}

run "refuses_a_check_that_outlives_its_interval" {
  command = plan

  variables {
    services = {
      web = { listen_port = 80, destination_port = 80, health_check = { port = 80, path = "/", interval_seconds = 3, timeout_seconds = 4 } }
    }
  }

  expect_failures = [var.services]
}

run "refuses_a_path_without_a_slash" {
  command = plan

  variables {
    services = {
      web = { listen_port = 80, destination_port = 80, health_check = { port = 80, path = "healthz" } }
    }
  }

  expect_failures = [var.services]
}

run "refuses_a_port_beyond_the_last" {
  command = plan

  variables {
    services = {
      web = { listen_port = 80, destination_port = 70000, health_check = { port = 80, path = "/" } }
    }
  }

  expect_failures = [var.services]
}
