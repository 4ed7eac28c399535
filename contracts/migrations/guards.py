"""Statements that revisions share: tables that refuse change, partitions by year."""

REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;
END $$
"""


def append_only(table: str) -> str:
    """The trigger that refuses UPDATE, DELETE and TRUNCATE of a table."""
    return (
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def yearly(table: str, first: int, last: int) -> list[str]:
    """Guarded partitions of the years `first` to `last`, and one for all other times."""
    statements = []
    for year in range(first, last + 1):
        part = f"{table}_{year}"
        bounds = f"FROM ('{year}-01-01 00:00+00') TO ('{year + 1}-01-01 00:00+00')"
        statements += [
            f"CREATE TABLE {part} PARTITION OF {table} FOR VALUES {bounds}",
            append_only(part),
        ]
    rest = f"{table}_other"
    return [*statements, f"CREATE TABLE {rest} PARTITION OF {table} DEFAULT", append_only(rest)]
