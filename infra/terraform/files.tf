# A file system that pods in all zones mount: Airflow's logs (storage class `efs`, docs/cloud.md).
resource "aws_efs_file_system" "this" {
  encrypted  = true
  kms_key_id = aws_kms_key.this.arn
  tags       = { Name = var.name }
}

resource "aws_security_group" "files" {
  name        = "${var.name}-files"
  description = "NFS, for the subnets of the nodes alone"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "files" {
  for_each          = aws_subnet.private
  security_group_id = aws_security_group.files.id
  cidr_ipv4         = each.value.cidr_block
  ip_protocol       = "tcp"
  from_port         = 2049
  to_port           = 2049
}

resource "aws_efs_mount_target" "this" {
  for_each        = aws_subnet.private
  file_system_id  = aws_efs_file_system.this.id
  subnet_id       = each.value.id
  security_groups = [aws_security_group.files.id]
}

# What the drivers of volumes may do.
locals {
  drivers = {
    ebs = "AmazonEBSCSIDriverPolicy"
    efs = "AmazonEFSCSIDriverPolicy"
  }
}

resource "aws_iam_role" "driver" {
  for_each           = local.drivers
  name               = "${var.name}-${each.key}-driver"
  assume_role_policy = aws_iam_role.pods.assume_role_policy
}

resource "aws_iam_role_policy_attachment" "driver" {
  for_each   = local.drivers
  role       = aws_iam_role.driver[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/${each.value}"
}
