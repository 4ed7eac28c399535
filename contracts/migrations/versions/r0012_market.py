"""Which simulated market a load is of, so that another one is refused."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Null in the loads that are there: what made their market was not kept."""
    op.execute("ALTER TABLE loads ADD COLUMN market text")
