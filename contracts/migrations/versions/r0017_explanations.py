"""What forecasts rest on."""

from alembic import op

from contracts.migrations.guards import append_only, tallied

revision = "0017"
down_revision = "0015"

TABLE = """
CREATE TABLE explanations (
  prediction_id text PRIMARY KEY, parts jsonb NOT NULL, given jsonb NOT NULL,
  news jsonb NOT NULL, explained_at timestamptz NOT NULL
)
"""


def upgrade() -> None:
    """Create it; the roles' default privileges cover reading and the writer's rows."""
    op.execute(TABLE)
    op.execute(append_only("explanations"))
    for statement in tallied("explanations"):
        op.execute(statement)
