"""Alembic's entry: runs revisions on the connection that `upgrade` hands over."""

from alembic import context

from contracts.migrations.declared import metadata
from contracts.migrations.upgrade import is_ours

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    include_name=is_ours,
)
with context.begin_transaction():
    context.run_migrations()
