"""What each alarm family says of a champion, session by session."""

from alembic import op

from contracts.migrations.guards import append_only, tallied

revision = "0022"
down_revision = "0021"

TABLE = """
CREATE TABLE alarms (
  family text NOT NULL, universe text NOT NULL, target text NOT NULL, session date NOT NULL,
  snapshot bigint NOT NULL, bundle text NOT NULL, number double precision NOT NULL,
  threshold double precision NOT NULL, severe double precision NOT NULL, watched bigint NOT NULL,
  began date, alarm boolean NOT NULL, persistent boolean NOT NULL, wakes boolean NOT NULL,
  scored_at timestamptz NOT NULL,
  PRIMARY KEY (family, universe, target, session, snapshot, bundle)
)
"""
INDEX = "CREATE INDEX alarms_universe_target_session ON alarms (universe, target, session)"


def upgrade() -> None:
    """Create it; the roles' default privileges cover reading and the writer's rows."""
    op.execute(TABLE)
    op.execute(INDEX)
    op.execute(append_only("alarms"))
    for statement in tallied("alarms"):
        op.execute(statement)
