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


# Rows of the ledgers, counted as they are added. Several rows for one number, by the session that
# added: two that add at once seldom wait for each other.
TALLIES = """
CREATE TABLE tallies (
  table_name text NOT NULL, groups jsonb NOT NULL, slot integer NOT NULL, n bigint NOT NULL,
  PRIMARY KEY (table_name, groups, slot)
) WITH (fillfactor = 50);
CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE columns text;
BEGIN
  SELECT string_agg(format('%L, %I', name, name), ', ') INTO columns FROM unnest(TG_ARGV) AS name;
  EXECUTE format(
    'INSERT INTO tallies AS t SELECT %L, jsonb_build_object(%s), %s, count(*) FROM added '
    'GROUP BY 2 ORDER BY 2 '
    'ON CONFLICT (table_name, groups, slot) DO UPDATE SET n = t.n + excluded.n',
    TG_TABLE_NAME, columns, pg_backend_pid() % 16);
  RETURN NULL;
END $$;
"""


def tallied(table: str, *columns: str) -> list[str]:
    """Count the rows of a ledger that are there, and from now on those that are added.

    columns: those by whose values they are counted.
    """
    names = ", ".join(f"'{name}'" for name in columns)
    groups = ", ".join(f"'{name}', {name}" for name in columns)
    return [
        f"CREATE TRIGGER tally AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
        f"FOR EACH STATEMENT EXECUTE FUNCTION tally({names})",
        f"INSERT INTO tallies SELECT '{table}', jsonb_build_object({groups}), 0, count(*) "
        f"FROM {table} GROUP BY 2",
    ]


# Run with the owner's rights by whoever may call it: it makes and drops partitions, and no other.
KEEP_REQUESTS = """
CREATE FUNCTION keep_requests(keep integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  parts CONSTANT text := $parts$
    SELECT c.oid::regclass AS name,
      substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''(.+?)''\\)')::timestamptz AS low,
      substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''(.+?)''\\)')::timestamptz AS high
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'requests'::regclass $parts$;
  days date[];
  day date;
  part record;
  name text;
  covered boolean;
  n bigint;
  gone bigint := 0;
BEGIN
  IF keep < 1 THEN
    RAISE EXCEPTION 'calls are kept for a day at least, found %', keep;
  END IF;
  PERFORM pg_advisory_xact_lock(7411002);
  -- A week ahead; and calls of days without a partition lie in the rest, from where they move.
  days := ARRAY(
    SELECT DISTINCT answered_at::date FROM requests_other
    UNION SELECT current_date + ahead FROM generate_series(0, 7) ahead ORDER BY 1);
  FOREACH day IN ARRAY days LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM (%s) p WHERE low < $1 + 1 AND high > $1)', parts)
      INTO covered USING day;
    CONTINUE WHEN covered;
    name := 'requests_' || to_char(day, 'YYYY_MM_DD');
    EXECUTE format('CREATE TABLE %I (LIKE requests)', name);
    IF EXISTS (SELECT FROM requests_other WHERE answered_at >= day AND answered_at < day + 1) THEN
      ALTER TABLE requests_other DISABLE TRIGGER append_only;
      EXECUTE format('WITH moved AS (DELETE FROM requests_other WHERE answered_at >= $1 '
        'AND answered_at < $1 + 1 RETURNING *) INSERT INTO %I SELECT * FROM moved', name)
        USING day;
      ALTER TABLE requests_other ENABLE TRIGGER append_only;
    END IF;
    EXECUTE format('ALTER TABLE requests ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      name, day, day + 1);
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
      'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
  END LOOP;
  FOR part IN EXECUTE format('SELECT name FROM (%s) p WHERE high <= current_date - $1', parts)
    USING keep
  LOOP
    EXECUTE format('SELECT count(*) FROM %s', part.name) INTO n;
    EXECUTE format('DROP TABLE %s', part.name);
    gone := gone + n;
  END LOOP;
  INSERT INTO tallies AS t VALUES ('requests', '{}', 0, -gone)
    ON CONFLICT (table_name, groups, slot) DO UPDATE SET n = t.n + excluded.n;
  RETURN gone;
END $$;
"""
