"""Champions, forecasts and truths of any target: an office beside the universe, and its numbers."""

import json

from alembic import op
from sqlalchemy import text

from contracts import objects
from contracts.migrations.guards import tallied

revision = "0015"
down_revision = "0014"

# Constants that a new column begins with cost no walk over the rows.
COLUMNS = """
ALTER TABLE promotions ADD COLUMN target text NOT NULL DEFAULT 'trend_1', ADD COLUMN cause text;
ALTER TABLE predictions ADD COLUMN target text NOT NULL DEFAULT 'trend_1',
  ADD COLUMN forecast jsonb, ADD COLUMN volatility double precision,
  ADD COLUMN expected_return double precision;
ALTER TABLE drift ADD COLUMN target text NOT NULL DEFAULT 'trend_1';
ALTER TABLE outcomes ADD COLUMN value double precision, ALTER COLUMN label DROP NOT NULL;
UPDATE tallies SET groups = groups || '{"target": "trend_1"}' WHERE table_name = 'predictions';
"""
# Who decided was told by the row's id, its actor and what its evidence holds.
CAUSES = """
UPDATE promotions SET cause = CASE
  WHEN decision = 'rolled_back' THEN 'rollback'
  WHEN promotion_id LIKE 'zero-%' THEN 'zero'
  WHEN evidence ? 'p_value' THEN 'contest'
  ELSE 'person' END;
ALTER TABLE promotions ALTER COLUMN cause SET NOT NULL;
"""
BUNDLES = """
SELECT bundle FROM promotions UNION SELECT bundle FROM drift
UNION SELECT groups ->> 'bundle' FROM tallies WHERE table_name = 'predictions'
"""
# The rows are written anew in one pass, which is no change of them that a trigger would see.
FORECASTS = """
ALTER TABLE predictions ALTER COLUMN forecast TYPE jsonb USING
  jsonb_build_object('p_down', p_down, 'p_neutral', p_neutral, 'p_up', p_up);
ALTER TABLE predictions ALTER COLUMN forecast SET NOT NULL,
  ALTER COLUMN p_down DROP NOT NULL, ALTER COLUMN p_neutral DROP NOT NULL,
  ALTER COLUMN p_up DROP NOT NULL, DROP CONSTRAINT predictions_pkey,
  ADD CONSTRAINT predictions_pkey
    PRIMARY KEY (bundle, target, instrument_id, as_of, snapshot);
DROP INDEX predictions_universe_session;
CREATE INDEX predictions_universe_target_session ON predictions (universe, target, session);
DROP INDEX promotions_universe_number;
CREATE INDEX promotions_universe_target_number ON promotions (universe, target, number);
"""
LEDGERS = ("promotions", "predictions", "drift")


def upgrade() -> None:
    """Rows of before foretold trend_1, unless the manifest of their bundle says otherwise."""
    op.execute(COLUMNS)
    for table in LEDGERS:
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN target DROP DEFAULT")
    op.execute(CAUSES)
    for (bundle,) in op.get_bind().execute(text(BUNDLES)).fetchall():
        target = _target(bundle)
        if target != "trend_1":
            _name(bundle, target)
    op.execute("DROP TRIGGER tally ON predictions")
    op.execute(tallied("predictions", "universe", "target", "origin", "bundle")[0])
    op.execute(FORECASTS)
    for table in LEDGERS:
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER append_only")


def _target(bundle: str) -> str:
    # Few were made that say so; what cannot be read now was made before targets had names.
    try:
        return str(json.loads(objects.get(f"bundles/{bundle}/manifest.json"))["target"])
    except Exception:
        return "trend_1"


def _name(bundle: str, target: str) -> None:
    named = {"bundle": bundle, "target": target}
    for table in LEDGERS:
        statement = text(f"UPDATE {table} SET target = :target WHERE bundle = :bundle")
        op.get_bind().execute(statement, named)
    statement = text(
        "UPDATE tallies SET groups = groups || jsonb_build_object('target', CAST(:target AS text)) "
        "WHERE table_name = 'predictions' AND groups ->> 'bundle' = :bundle"
    )
    op.get_bind().execute(statement, named)
