mock_provider "hcloud" {
  source = "../../tests/mocks"
}

variables {
  name = "test"
}

run "lets_nothing_in_by_default" {
  assert {
    condition     = length(hcloud_firewall.this.rule) == 0
    error_message = "No rule means that everything is dropped."
  }
}

run "lets_in_what_it_is_told" {
  variables {
    inbound = {
      "SSH from the office" = { protocol = "tcp", port = "2222", source_ips = ["203.0.113.7/32"] }
      "ping"                = { protocol = "icmp", source_ips = ["0.0.0.0/0", "::/0"] }
      "web"                 = { protocol = "tcp", port = "80", source_ips = ["0.0.0.0/0"] }
    }
  }

  assert {
    condition     = toset([for rule in hcloud_firewall.this.rule : "${rule.direction} ${rule.description}"]) == toset(["in SSH from the office", "in ping", "in web"])
    error_message = "Each rule is inbound and says what it is for; there is none outbound, as the first one would close all others."
  }
}

run "refuses_ssh_from_everywhere" {
  command = plan

  variables {
    inbound = { ssh = { protocol = "tcp", port = "2222", source_ips = ["0.0.0.0/0"] } }
  }

  expect_failures = [var.inbound]
}

run "refuses_ssh_from_everywhere_in_two_halves" {
  command = plan

  variables {
    inbound = { ssh = { protocol = "tcp", port = "2222", source_ips = ["0.0.0.0/1", "128.0.0.0/1"] } }
  }

  expect_failures = [var.inbound]
}

run "refuses_a_database_within_a_range_of_ports" {
  command = plan

  variables {
    inbound = { many = { protocol = "tcp", port = "5000-6000", source_ips = ["::/0"] } }
  }

  expect_failures = [var.inbound]
}

run "refuses_any_port" {
  command = plan

  variables {
    inbound = { any = { protocol = "tcp", port = "any", source_ips = ["203.0.113.7/32"] } }
  }

  expect_failures = [var.inbound]
}

run "refuses_a_rule_for_nobody" {
  command = plan

  variables {
    inbound = { nobody = { protocol = "tcp", port = "443", source_ips = [] } }
  }

  expect_failures = [var.inbound]
}

run "refuses_an_address_that_is_no_range" {
  command = plan

  variables {
    inbound = { web = { protocol = "tcp", port = "443", source_ips = ["203.0.113.7"] } }
  }

  expect_failures = [var.inbound]
}

run "refuses_icmp_with_a_port" {
  command = plan

  variables {
    inbound = { ping = { protocol = "icmp", port = "7", source_ips = ["203.0.113.7/32"] } }
  }

  expect_failures = [var.inbound]
}

run "refuses_an_unknown_protocol" {
  command = plan

  variables {
    inbound = { sctp = { protocol = "sctp", port = "7", source_ips = ["203.0.113.7/32"] } }
  }

  expect_failures = [var.inbound]
}
