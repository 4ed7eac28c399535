"""Counts beside the ledgers and calls by the day: to be watched, neither is walked through."""

from alembic import op
from sqlalchemy import text

from contracts.migrations.guards import KEEP_REQUESTS, TALLIES, append_only, tallied

revision = "0010"
down_revision = "0009"

# What the gauges count by; every other ledger is counted as a whole.
GROUPS = {
    "predictions": ("universe", "origin", "bundle"),
    "rejected": ("table_name", "source", "reason"),
}
# Ledgers refuse change and, other than facts, have no versions.
LEDGERS = """
SELECT c.relname FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid
WHERE t.tgname = 'append_only' AND NOT c.relispartition AND NOT EXISTS (
  SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'known_at')
ORDER BY 1
"""
# The rows of before stay where they are: their table becomes one partition of the new one.
BY_DAY = """
ALTER TABLE requests RENAME TO requests_before;
ALTER INDEX requests_pkey RENAME TO requests_before_pkey;
ALTER INDEX requests_answered_at RENAME TO requests_before_answered_at;
CREATE TABLE requests (LIKE requests_before) PARTITION BY RANGE (answered_at);
ALTER TABLE requests ADD CONSTRAINT requests_pkey PRIMARY KEY (request_id, answered_at);
CREATE INDEX requests_answered_at ON requests (answered_at);
CREATE TABLE requests_other PARTITION OF requests DEFAULT;
DO $$
DECLARE low date; high date;
BEGIN
  SET LOCAL timezone = 'UTC';
  SELECT min(answered_at)::date, max(answered_at)::date + 1 INTO low, high FROM requests_before;
  IF low IS NULL THEN
    DROP TABLE requests_before;
  ELSE
    EXECUTE format('ALTER TABLE requests ATTACH PARTITION requests_before '
      'FOR VALUES FROM (%L) TO (%L)', low, high);
  END IF;
END $$;
"""
RIGHTS = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'finpulse_reader') THEN
    GRANT INSERT ON requests TO finpulse_reader;
  END IF;
  REVOKE ALL ON FUNCTION keep_requests FROM PUBLIC;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'finpulse_writer') THEN
    REVOKE INSERT ON tallies FROM finpulse_writer;
    GRANT EXECUTE ON FUNCTION keep_requests TO finpulse_writer;
  END IF;
END $$
"""
# Earlier forecasts are looked up by these three, whatever other bundles have said of the symbol.
EARLIER = """
DROP INDEX predictions_symbol_as_of;
CREATE INDEX predictions_bundle_symbol_as_of ON predictions (bundle, symbol, as_of);
"""


def upgrade() -> None:
    """Count what is there once, and make the days ahead."""
    op.execute(BY_DAY)
    for table in ("requests", "requests_other"):
        op.execute(append_only(table))
    op.execute(TALLIES)
    op.execute(KEEP_REQUESTS)
    for (table,) in op.get_bind().execute(text(LEDGERS)).fetchall():
        for statement in tallied(table, *GROUPS.get(table, ())):
            op.execute(statement)
    op.execute(EARLIER)
    op.execute(RIGHTS)
    op.execute("SELECT keep_requests(36500)")
