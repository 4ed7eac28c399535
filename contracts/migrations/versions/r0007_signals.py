"""What a forecast says to do: buy, sell or hold."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Null in the forecasts that are there: no model's thresholds were known to them."""
    op.execute("ALTER TABLE predictions ADD COLUMN signal text")
