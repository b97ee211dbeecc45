# Hetzner Object Storage, or any S3 that honours conditional writes. The bucket comes from
# `-backend-config=bucket=…`, its address from AWS_ENDPOINT_URL_S3, the credentials from
# AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: none of them belongs in a repository.
terraform {
  backend "s3" {
    key    = "dev/terraform.tfstate"
    region = "fsn1"

    use_path_style = true
    use_lockfile   = true

    # Ceph answers the newer checksum headers with 400.
    skip_s3_checksum = true

    # None of Amazon's own services stands behind it.
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
  }
}
