"""Matrices of a view that reads texts are of one scoring model."""

from alembic import op

revision = "0006"
down_revision = "0005"

COLUMN = """
ALTER TABLE materialisations ADD COLUMN text_model text NOT NULL DEFAULT '';
ALTER TABLE materialisations ALTER COLUMN text_model DROP DEFAULT;
ALTER TABLE materialisations DROP CONSTRAINT materialisations_pkey;
ALTER TABLE materialisations ADD CONSTRAINT materialisations_pkey
  PRIMARY KEY (view_hash, universe, session, snapshot, text_model);
"""


def upgrade() -> None:
    """Matrices written before are of no named model: those that read texts are made anew."""
    op.execute(COLUMN)
