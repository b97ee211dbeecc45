mock_provider "hcloud" {
  source = "../../tests/mocks"
}

variables {
  name      = "test-db-1-data"
  size_gb   = 10
  location  = "nbg1"
  server_id = 1005
}

# Planned only: what has prevent_destroy, the test could not take down again.
run "is_attached_and_left_for_ansible_to_mount" {
  command = plan

  assert {
    condition     = hcloud_volume.this.format == "ext4" && hcloud_volume_attachment.this.automount == false
    error_message = "Hetzner makes the file system, and Ansible mounts it."
  }

  assert {
    condition     = hcloud_volume_attachment.this.server_id == 1005
    error_message = "It is attached to its server."
  }
}

run "refuses_less_than_hetzner_sells" {
  command = plan

  variables {
    size_gb = 9
  }

  expect_failures = [var.size_gb]
}

run "refuses_a_part_of_a_gigabyte" {
  command = plan

  variables {
    size_gb = 10.5
  }

  expect_failures = [var.size_gb]
}

run "refuses_a_file_system_that_hetzner_does_not_make" {
  command = plan

  variables {
    format = "btrfs"
  }

  expect_failures = [var.format]
}

run "refuses_a_name_with_a_space" {
  command = plan

  variables {
    name = "my data"
  }

  expect_failures = [var.name]
}
