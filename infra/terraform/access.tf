# What goes on inside of the cluster: who may do what, and what its nodes run besides.

# Gives pods the role of their service account; and NetworkPolicies, which the charts rely on. A new
# cluster has a network of its own, which the add-on takes over.
resource "aws_eks_addon" "this" {
  for_each                    = toset(["eks-pod-identity-agent", "vpc-cni", "aws-ebs-csi-driver", "aws-efs-csi-driver"])
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  resolve_conflicts_on_create = "OVERWRITE"
  configuration_values = each.key == "vpc-cni" ? jsonencode({
    enableNetworkPolicy = "true"
  }) : null
  depends_on = [aws_eks_node_group.general]
}

resource "aws_eks_pod_identity_association" "driver" {
  for_each        = aws_iam_role.driver
  cluster_name    = aws_eks_cluster.this.name
  namespace       = "kube-system"
  service_account = "${each.key}-csi-controller-sa"
  role_arn        = each.value.arn
}

resource "aws_eks_pod_identity_association" "this" {
  for_each        = toset(["finpulse", "finpulse-staging"])
  cluster_name    = aws_eks_cluster.this.name
  namespace       = each.key
  service_account = "finpulse"
  role_arn        = aws_iam_role.pods.arn
}

# In the cluster they may edit the namespace of their environment, and no other.
resource "aws_eks_access_entry" "github" {
  for_each      = aws_iam_role_policy.deploy
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_iam_role.github[each.key].arn
}

resource "aws_eks_access_policy_association" "github" {
  for_each      = aws_eks_access_entry.github
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value.principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminPolicy"
  access_scope {
    type       = "namespace"
    namespaces = [each.key == "staging" ? "finpulse-staging" : "finpulse"]
  }
}
