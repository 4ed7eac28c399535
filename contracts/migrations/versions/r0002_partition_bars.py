"""Bars by year: a session or an instrument's decade touches only the partitions that hold it."""

from alembic import op

from contracts.migrations.guards import append_only, yearly

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Move the bars into a partitioned table of the same columns."""
    op.execute("ALTER TABLE bars RENAME TO bars_flat")
    op.execute("ALTER INDEX bars_pkey RENAME TO bars_flat_pkey")
    op.execute("ALTER INDEX bars_interval_session RENAME TO bars_flat_interval_session")
    op.execute("CREATE TABLE bars (LIKE bars_flat) PARTITION BY RANGE (event_time)")
    op.execute(
        "ALTER TABLE bars ADD CONSTRAINT bars_pkey "
        "PRIMARY KEY (instrument_id, interval, event_time, source, known_at)"
    )
    op.execute('CREATE INDEX bars_interval_session ON bars ("interval", session)')
    for statement in yearly("bars", 2000, 2034):
        op.execute(statement)
    op.execute(append_only("bars"))
    op.execute("INSERT INTO bars SELECT * FROM bars_flat")
    op.execute("DROP TABLE bars_flat")
