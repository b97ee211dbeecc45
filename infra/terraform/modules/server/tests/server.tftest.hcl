mock_provider "hcloud" {
  source = "../../tests/mocks"
}

# What is in stock is a list of objects, which a mocked provider cannot give.
override_module {
  target  = module.stock
  outputs = { location = "nbg1" }
}

variables {
  name                 = "test-app-1"
  role                 = "application"
  environment          = "test"
  server_type          = "cpx22"
  location             = "nbg1"
  subnet_id            = "1001-10.0.1.0/24"
  private_ip           = "10.0.1.21"
  authorized_keys      = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK ci"]
  ssh_key_ids          = ["1003"]
  firewall_ids         = [1002]
  cloud_init_directory = "../../files"
}

run "tells_its_host_key_by_its_label" {
  assert {
    condition     = output.host_key == trimspace(tls_private_key.host.public_key_openssh)
    error_message = "The key that the label holds is the one that cloud-init puts on the server."
  }

  assert {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9._-]{0,61}[a-zA-Z0-9]$", hcloud_server.this.labels["host-key"]))
    error_message = "Hetzner takes only such values of labels."
  }
}

run "lets_in_one_user_by_key_on_2222" {
  assert {
    condition     = [for user in yamldecode(hcloud_server.this.user_data).users : user.name] == ["deploy"]
    error_message = "There is one user, and Debian's own is not made."
  }

  assert {
    condition = alltrue([
      for line in ["Port 2222", "PermitRootLogin no", "PasswordAuthentication no", "AllowUsers deploy"] :
      contains(split("\n", one([for file in yamldecode(hcloud_server.this.user_data).write_files : file.content if endswith(file.path, "10-compta.conf")])), line)
    ])
    error_message = "sshd takes keys only, on port 2222, from deploy alone."
  }
}

run "keeps_the_metadata_service_to_root" {
  assert {
    condition = alltrue([
      for rule in ["priority 100 to 169.254.169.254 iif lo uidrange 0-0 lookup main", "priority 101 to 169.254.169.254 prohibit"] :
      strcontains(hcloud_server.this.user_data, "ExecStart=/sbin/ip rule add ${rule}\n")
    ])
    error_message = "Root's own processes come first, then everybody and every container is refused."
  }

  assert {
    condition     = contains(yamldecode(hcloud_server.this.user_data).runcmd, ["systemctl", "enable", "--now", "compta-metadata.service"])
    error_message = "The rules are in force from the first boot on."
  }
}

run "gives_a_database_its_own_settings" {
  state_key = "database"

  variables {
    role = "database"
  }

  assert {
    condition     = contains([for file in yamldecode(hcloud_server.this.user_data).write_files : file.path], "/etc/sysctl.d/60-compta-database.conf")
    error_message = "The role's file is added to the base."
  }
}

run "gives_a_monitoring_server_its_own_settings" {
  state_key = "monitoring"

  variables {
    role = "monitoring"
  }

  assert {
    condition     = contains([for file in yamldecode(hcloud_server.this.user_data).write_files : file.path], "/etc/systemd/journald.conf.d/60-compta.conf")
    error_message = "The role's file is added to the base."
  }
}

run "gives_a_bastion_the_base_alone" {
  state_key = "bastion"

  variables {
    role = "bastion"
  }

  assert {
    condition     = !anytrue([for file in yamldecode(hcloud_server.this.user_data).write_files : startswith(file.path, "/etc/sysctl.d/")])
    error_message = "A bastion only forwards."
  }
}

run "is_ordered_where_its_type_can_be_had" {
  command   = plan
  state_key = "new"

  override_module {
    target  = module.stock
    outputs = { location = "hel1" }
  }

  assert {
    condition     = hcloud_server.this.location == "hel1"
    error_message = "It is sold out in nbg1."
  }
}

run "stays_where_it_is_whatever_is_in_stock" {
  command = plan

  override_module {
    target  = module.stock
    outputs = { location = "hel1" }
  }

  assert {
    condition     = output.location == "nbg1"
    error_message = "What is in stock moves no server that runs."
  }
}

run "refuses_to_stand_without_a_firewall" {
  command = plan

  variables {
    firewall_ids = []
  }

  expect_failures = [hcloud_server.this]
}

run "refuses_a_type_that_is_not_sold_any_more" {
  command = plan

  variables {
    server_type = "cpx31"
  }

  expect_failures = [var.server_type]
}

run "refuses_a_role_without_a_cloud_init_file" {
  command = plan

  variables {
    role = "cache"
  }

  expect_failures = [var.role]
}

run "refuses_an_image_that_the_roles_do_not_know" {
  command = plan

  variables {
    image = "ubuntu-24.04"
  }

  expect_failures = [var.image]
}

run "refuses_a_name_that_is_no_host_name" {
  command = plan

  variables {
    name = "Test_App"
  }

  expect_failures = [var.name]
}

run "refuses_a_key_that_is_no_public_key" {
  command = plan

  variables {
    authorized_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"]
  }

  expect_failures = [var.authorized_keys]
}

run "refuses_a_password_by_mail" {
  command = plan

  variables {
    ssh_key_ids = []
  }

  expect_failures = [var.ssh_key_ids]
}
