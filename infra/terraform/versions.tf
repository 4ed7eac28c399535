terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
  # Where the state lies is said at `terraform init -backend-config=...` (docs/cloud.md).
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { project = var.name }
  }
}
