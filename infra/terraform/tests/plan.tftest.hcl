# What is planned, without an account: the provider is a mock.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_ecr_repository" {
    defaults = {
      arn            = "arn:aws:ecr:eu-central-1:123456789012:repository/finpulse"
      repository_url = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/finpulse"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/mock" }
  }
  mock_resource "aws_eks_cluster" {
    defaults = { arn = "arn:aws:eks:eu-central-1:123456789012:cluster/finpulse" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
  }
}

variables {
  repository = "owner/finpulse"
}

run "gpus_are_tainted_and_start_from_none" {
  command = apply
  assert {
    condition     = aws_eks_node_group.gpu.scaling_config[0].min_size == 0 && aws_eks_node_group.gpu.scaling_config[0].desired_size == 0
    error_message = "the GPU pool has to start from none"
  }
  assert {
    condition     = one(aws_eks_node_group.gpu.taint).key == "nvidia.com/gpu" && one(aws_eks_node_group.gpu.taint).effect == "NO_SCHEDULE"
    error_message = "only who tolerates it may stand on a node with GPUs"
  }
  assert {
    condition     = aws_eks_node_group.gpu.labels["finpulse/pool"] == "gpu" && contains(aws_eks_node_group.gpu.instance_types, "p4d.24xlarge")
    error_message = "the pool is that of helm/values/platform/eks.yaml, of A100s"
  }
}

run "nothing_is_open_to_the_outside" {
  command = apply
  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted && aws_db_instance.this.deletion_protection
    error_message = "the database is for the cluster alone, and not deleted by mistake"
  }
  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "without api_from nobody reaches the cluster's API from outside"
  }
  assert {
    condition     = alltrue([for each in aws_s3_bucket_public_access_block.this : each.block_public_acls && each.restrict_public_buckets])
    error_message = "no bucket is public"
  }
}

run "a_login_is_bound_to_its_environment" {
  command = apply
  assert {
    condition     = strcontains(aws_iam_role.github["production"].assume_role_policy, "repo:owner/finpulse:environment:production\"")
    error_message = "production's role is for jobs of that environment alone"
  }
  assert {
    condition     = !strcontains(join("", [for role in aws_iam_role.github : role.assume_role_policy]), "*")
    error_message = "no role is for whatever branch or repository"
  }
  assert {
    condition     = !contains(keys(aws_iam_role_policy.deploy), "images")
    error_message = "who builds does not deploy"
  }
}

run "drivers_of_volumes_may_do_their_work" {
  command = apply
  assert {
    condition     = toset(keys(aws_eks_pod_identity_association.driver)) == toset(["ebs", "efs"]) && length(aws_efs_mount_target.this) == length(var.zones)
    error_message = "volumes need a driver with a role, and a way to the files in each zone"
  }
}

run "an_open_api_is_refused" {
  command = plan
  variables { api_from = ["0.0.0.0/0"] }
  expect_failures = [var.api_from]
}

run "one_zone_is_refused" {
  command = plan
  variables { zones = ["eu-central-1a", "eu-central-1a"] }
  expect_failures = [var.zones]
}

run "another_gpu_is_refused" {
  command = plan
  variables { gpu = { kind = "g5.xlarge", most = 1 } }
  expect_failures = [var.gpu]
}

run "half_of_the_world_is_refused" {
  command = plan
  variables { api_from = ["0.0.0.0/1", "128.0.0.0/1"] }
  expect_failures = [var.api_from]
}

run "what_is_no_range_is_refused" {
  command = plan
  variables { api_from = ["the office"] }
  expect_failures = [var.api_from]
}

run "zones_of_elsewhere_are_refused" {
  command = plan
  variables { region = "us-east-1" }
  expect_failures = [var.zones]
}

run "a_network_without_room_is_refused" {
  command = plan
  variables { network = "10.40.0.0/28" }
  expect_failures = [var.network]
}

run "a_network_by_one_of_its_hosts_is_refused" {
  command = plan
  variables { network = "10.40.7.9/16" }
  expect_failures = [var.network]
}

run "what_aws_would_refuse_half_way_is_refused_first" {
  command = plan
  variables {
    name       = "fin--pulse"
    kubernetes = "latest"
    gpu        = { kind = "p4d.24xlarge", most = 1.5 }
    database   = { kind = "db.m7g.large", gigabytes = 5, protected = true }
  }
  expect_failures = [var.name, var.kubernetes, var.gpu, var.database]
}
