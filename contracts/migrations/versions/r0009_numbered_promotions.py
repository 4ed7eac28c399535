"""Promotions are ordered by a number that the database draws, not by the writers' clocks."""

from alembic import op

revision = "0009"
down_revision = "0007"

# Whoever has the newest row decides; rows that are there keep the order in which they were read.
NUMBER = """
ALTER TABLE promotions ADD COLUMN number bigint;
ALTER TABLE promotions DISABLE TRIGGER append_only;
UPDATE promotions SET number = ordered.number FROM (
  SELECT promotion_id, row_number() OVER (ORDER BY decided_at, ctid) AS number FROM promotions
) AS ordered WHERE promotions.promotion_id = ordered.promotion_id;
ALTER TABLE promotions ENABLE TRIGGER append_only;
ALTER TABLE promotions ALTER COLUMN number SET NOT NULL;
ALTER TABLE promotions ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(pg_get_serial_sequence('promotions', 'number'),
              (SELECT coalesce(max(number), 0) + 1 FROM promotions), false);
DROP INDEX promotions_universe_decided_at;
CREATE INDEX promotions_universe_number ON promotions (universe, number);
"""


def upgrade() -> None:
    """Number the rows that are there, then let the database draw."""
    op.execute(NUMBER)
