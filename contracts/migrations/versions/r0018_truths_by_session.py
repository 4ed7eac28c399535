"""Truths are counted by the session of their forecasts, and forecasts are found by their id."""

from alembic import op

revision = "0018"
down_revision = "0017"

# A truth knows its forecast's id alone, so the rows of both are joined once, as they are added.
# One whose forecast is not there counts in the table's number all the same.
GROUPS = """jsonb_build_object('universe', p.universe, 'target', p.target, 'bundle', p.bundle,
  'session', p.session)"""
TALLY = f"""
CREATE FUNCTION tally_truths() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO tallies AS t
    SELECT 'outcomes', {GROUPS}, pg_backend_pid() % 16, count(*)
    FROM added LEFT JOIN predictions p USING (prediction_id) GROUP BY 2 ORDER BY 2
    ON CONFLICT (table_name, groups, slot) DO UPDATE SET n = t.n + excluded.n;
  RETURN NULL;
END $$;
"""
COUNTED = f"""
DELETE FROM tallies WHERE table_name = 'outcomes';
INSERT INTO tallies SELECT 'outcomes', {GROUPS}, 0, count(*)
  FROM outcomes LEFT JOIN predictions p USING (prediction_id) GROUP BY 2;
DROP TRIGGER tally ON outcomes;
CREATE TRIGGER tally AFTER INSERT ON outcomes REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION tally_truths();
"""


def upgrade() -> None:
    """Count the truths that are there once."""
    op.execute("CREATE INDEX predictions_prediction_id ON predictions (prediction_id)")
    op.execute(TALLY)
    op.execute(COUNTED)
