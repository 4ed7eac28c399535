"""An observation is one of an instrument: two of them may have a series of one name."""

from alembic import op

revision = "0014"
down_revision = "0012"


def upgrade() -> None:
    """Rows stay as they are: what no instrument is named for has none in its key, either."""
    op.execute("ALTER TABLE observations DROP CONSTRAINT observations_pkey")
    op.execute(
        "ALTER TABLE observations ADD CONSTRAINT observations_pkey UNIQUE NULLS NOT DISTINCT "
        "(series, instrument_id, event_time, source, known_at)"
    )
