resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "Postgres, for the subnets of the nodes alone"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each          = aws_subnet.private
  security_group_id = aws_security_group.database.id
  cidr_ipv4         = each.value.cidr_block
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

# Roles and databases are those of infra/compose/roles.sh, made once by an administrator. The
# administrator's password is kept by AWS; nobody writes it down, the state neither.
resource "aws_db_instance" "this" {
  identifier                      = var.name
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.database.kind
  allocated_storage               = var.database.gigabytes
  max_allocated_storage           = var.database.gigabytes * 4
  storage_type                    = "gp3"
  storage_encrypted               = true
  kms_key_id                      = aws_kms_key.this.arn
  username                        = "administrator"
  manage_master_user_password     = true
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.database.id]
  publicly_accessible             = false
  multi_az                        = true
  backup_retention_period         = 14
  auto_minor_version_upgrade      = true
  copy_tags_to_snapshot           = true
  deletion_protection             = var.database.protected
  skip_final_snapshot             = !var.database.protected
  final_snapshot_identifier       = "${var.name}-last"
  enabled_cloudwatch_logs_exports = ["postgresql"]
}
