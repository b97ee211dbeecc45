# What an environment is made of: the rules that the three environments share, and what follows from
# their variables. No resource lives here, so a rule that is added moves nothing.
locals {
  network_zones = {
    fsn1 = "eu-central"
    nbg1 = "eu-central"
    hel1 = "eu-central"
    ash  = "us-east"
    hil  = "us-west"
    sin  = "ap-southeast"
  }
}
