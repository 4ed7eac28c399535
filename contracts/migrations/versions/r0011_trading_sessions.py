"""Sessions that a calendar has, or lacks, beside what its library knows."""

from alembic import op

from contracts.migrations.guards import append_only

revision = "0011"
down_revision = "0010"

TABLE = """
CREATE TABLE trading_sessions (
  calendar text NOT NULL, session date NOT NULL, opens timestamptz, closes timestamptz,
  timezone text NOT NULL, known_at timestamptz NOT NULL, load_id bigint NOT NULL,
  PRIMARY KEY (calendar, session, known_at)
)
"""
# The simulated exchange of Mumbai rests on two Saturdays on which the real one traded. What was
# made of it before is without them, and load 0 belongs to every snapshot.
SIMULATED = """
INSERT INTO trading_sessions
SELECT 'XNSE', day, NULL, NULL, 'Asia/Kolkata', '2010-01-01 00:00+00', 0
FROM unnest(ARRAY['2024-01-20', '2025-02-01']::date[]) AS day
WHERE EXISTS (SELECT FROM loads WHERE origin = 'simulated')
"""


def upgrade() -> None:
    """Create it; the roles' default privileges cover reading and the writer's rows."""
    op.execute(TABLE)
    op.execute(append_only("trading_sessions"))
    op.execute(SIMULATED)
