# Every rule of Terraform's own language; tflint has none for Hetzner's resources.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# Files are named after what is in them, and an example is one file to read.
rule "terraform_standard_module_structure" {
  enabled = false
}
