"""Two roles beside the owner: the writer appends and reads, the reader reads."""

from alembic import op

revision = "0003"
down_revision = "0002"

# A role belongs to the server, not to the database: another database may have made it already.
# Where the owner may not create roles, an administrator creates both beforehand, or neither is
# wanted and every process connects as the owner.
GRANTS = """
DO $$
DECLARE role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['finpulse_writer', 'finpulse_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)
       AND (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', role);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
      END;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('GRANT USAGE ON SCHEMA public, staging TO %I', role);
      EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA public TO %I', role);
      EXECUTE format(
        'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO %I', role);
      IF role = 'finpulse_writer' THEN
        EXECUTE format('GRANT INSERT ON ALL TABLES IN SCHEMA public TO %I', role);
        EXECUTE format(
          'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT ON TABLES TO %I', role);
        EXECUTE format('GRANT CREATE ON SCHEMA staging TO %I', role);
      END IF;
    END IF;
  END LOOP;
END $$
"""


def upgrade() -> None:
    """Create the roles where that is allowed, and grant."""
    op.execute(GRANTS)
