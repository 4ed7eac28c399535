"""Filings, and series of numbers with their vintages."""

from alembic import op

from contracts.migrations.guards import append_only

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE documents (
  source text NOT NULL, native_id text NOT NULL, instrument_id text NOT NULL, form text NOT NULL,
  period_end date, event_time timestamptz NOT NULL, text text NOT NULL, text_hash text NOT NULL,
  url text, known_at timestamptz NOT NULL, load_id bigint NOT NULL,
  PRIMARY KEY (source, native_id, known_at)
);
CREATE INDEX documents_instrument_id_event_time ON documents (instrument_id, event_time);
CREATE TABLE observations (
  series text NOT NULL, event_time timestamptz NOT NULL, source text NOT NULL,
  instrument_id text, value double precision NOT NULL, known_at timestamptz NOT NULL,
  load_id bigint NOT NULL, PRIMARY KEY (series, event_time, source, known_at)
);
"""


def upgrade() -> None:
    """Create both; the roles' default privileges cover them."""
    op.execute(TABLES)
    for table in ("documents", "observations"):
        op.execute(append_only(table))
