"""Challengers on their way into office."""

from alembic import op

from contracts.migrations.guards import append_only, tallied

revision = "0021"
down_revision = "0020"

TABLE = """
CREATE TABLE rollouts (
  decision_id text PRIMARY KEY, rollout_id text NOT NULL, universe text NOT NULL,
  target text NOT NULL, bundle text NOT NULL, model_name text NOT NULL,
  model_version bigint NOT NULL, champion text NOT NULL, stage text NOT NULL,
  share double precision NOT NULL, verdict text NOT NULL, reason text NOT NULL,
  numbers jsonb NOT NULL, actor text NOT NULL, decided_at timestamptz NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY
)
"""
INDEX = "CREATE INDEX rollouts_universe_target_number ON rollouts (universe, target, number)"


def upgrade() -> None:
    """Create it; the roles' default privileges cover reading and the writer's rows."""
    op.execute(TABLE)
    op.execute(INDEX)
    op.execute(append_only("rollouts"))
    for statement in tallied("rollouts"):
        op.execute(statement)
