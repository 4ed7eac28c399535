output "registry" {
  description = "The repository's variable REGISTRY."
  value       = split("/", aws_ecr_repository.this["predictor"].repository_url)[0]
}

output "cluster" {
  description = "CLUSTER of the environments."
  value       = aws_eks_cluster.this.name
}

output "roles" {
  description = "AWS_ROLE of the repository (images) and of each environment."
  value       = { for name, role in aws_iam_role.github : name => role.arn }
}

output "objects" {
  description = "objects.url of the charts."
  value       = "s3://${aws_s3_bucket.this["objects"].id}/objects"
}

output "database" {
  description = "Host of Postgres; its administrator's password is in the secret."
  value = {
    host   = aws_db_instance.this.address
    secret = one(aws_db_instance.this.master_user_secret[*].secret_arn)
  }
}

output "files" {
  description = "fileSystemId of the storage class efs."
  value       = aws_efs_file_system.this.id
}
