"""Vectors of texts, and the calls that were answered."""

from alembic import op

from contracts.migrations.guards import append_only

revision = "0005"
down_revision = "0004"

TABLES = """
CREATE TABLE embeddings (
  text_hash text NOT NULL, model_version text NOT NULL, vector real[] NOT NULL,
  embedded_at timestamptz NOT NULL, PRIMARY KEY (text_hash, model_version)
);
CREATE TABLE requests (
  request_id text NOT NULL, answered_at timestamptz NOT NULL, method text NOT NULL,
  route text NOT NULL, status bigint NOT NULL, seconds double precision NOT NULL,
  symbols jsonb NOT NULL, universe text NOT NULL, model_version bigint, key_name text,
  PRIMARY KEY (request_id, answered_at)
);
CREATE INDEX requests_answered_at ON requests (answered_at);
"""


def upgrade() -> None:
    """Create both; the roles' default privileges cover reading and the writer's rows.

    The predictor reads everything else, and logs its calls.
    """
    op.execute(TABLES)
    for table in ("embeddings", "requests"):
        op.execute(append_only(table))
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'finpulse_reader') THEN "
        "GRANT INSERT ON requests TO finpulse_reader; END IF; END $$"
    )
