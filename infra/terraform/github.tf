# GitHub's workflows log in with the token of their run: there is no key to lose. Who may do what is
# the environment of the job, which GitHub gives out only as the repository's rules say.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  # Building is done on the main branch; deploying in the environments.
  logins = {
    images     = "repo:${var.repository}:ref:refs/heads/main"
    staging    = "repo:${var.repository}:environment:staging"
    canary     = "repo:${var.repository}:environment:canary"
    production = "repo:${var.repository}:environment:production"
  }
}

resource "aws_iam_role" "github" {
  for_each = local.logins
  name     = "${var.name}-github-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = each.value
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "images" {
  name = "push"
  role = aws_iam_role.github["images"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
      {
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
          "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = [for repository in aws_ecr_repository.this : repository.arn]
      },
    ]
  })
}

resource "aws_iam_role_policy" "deploy" {
  for_each = { for name, role in aws_iam_role.github : name => role if name != "images" }
  name     = "cluster"
  role     = each.value.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["eks:DescribeCluster"], Resource = [aws_eks_cluster.this.arn] }]
  })
}
