"""How incoming rows become versions of facts, as one SQL statement, or rows of a ledger."""

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
from psycopg2.errors import UniqueViolation

from contracts.database import copy
from contracts.table import KNOWN_AT, LOAD_ID, FrameError, Table, quoted

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

INCOMING = "incoming"


def temporary(connection: "Connection", table: Table) -> str:
    """Create the temporary table that rows are copied into before they are merged."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{INCOMING}")
        names = ", ".join(quoted(table.names))
        cursor.execute(
            f"CREATE TEMP TABLE {INCOMING} ON COMMIT DROP AS SELECT {names} FROM {table.name} "
            "WITH NO DATA"
        )
    return INCOMING


def record(connection: "Connection", table: Table, frame: pa.Table) -> int:
    """Insert ledger rows within the connection's transaction; returns the number of rows added.

    A row whose key is already there is left as it is. Raises FrameError.
    """
    checked = table.check(frame)
    copy.into(connection, temporary(connection, table), checked)
    with connection.cursor() as cursor:
        names = ", ".join(quoted(table.names))
        cursor.execute(
            f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {INCOMING} "
            "ON CONFLICT DO NOTHING"
        )
        return int(cursor.rowcount)


def run(
    cursor: "Cursor",
    table: Table,
    relation: str,
    load_id: int,
    fetched_at: datetime,
    vintages: bool,
) -> tuple[int, int]:
    """Insert the versions that `relation` brings; returns (rows seen, rows inserted).

    Within `relation`, rows of one key are taken in the order of `known_at`. The first of them is
    held against the newest stored version, each further one against the one before it. Equal
    values are dropped. A differing row keeps its `known_at` when that is later than the stored
    one's, else it is known from `fetched_at` on. With `vintages`, a row whose key, `known_at`
    and values are all stored already is dropped first.
    """
    cursor.execute(f"ANALYZE {relation}")
    cursor.execute(f"SELECT count(*) FROM {relation}")
    row = cursor.fetchone()
    total = int(row[0]) if row else 0
    values = {"load": load_id, "fetched": fetched_at}
    try:
        cursor.execute(_statement(table, relation, vintages), values)
    except UniqueViolation as error:
        raise FrameError(
            f"{table.name}: rows of one key and known_at differ among themselves: "
            f"{error.diag.message_detail}; reject all but one of them first"
        ) from error
    return total, cursor.rowcount


def _same(left: str, right: str, names: tuple[str, ...]) -> str:
    def row(side: str) -> str:
        return f"({', '.join(quoted(names, side + '.'))})"

    return f"{row(left)} IS NOT DISTINCT FROM {row(right)}" if names else "true"


def _statement(table: Table, relation: str, vintages: bool) -> str:
    key, values = table.key, table.values
    keys = ", ".join(quoted(key))
    same = {k: "IS NOT DISTINCT FROM" if k in table.open_key else "=" for k in key}
    on_key = " AND ".join(f'i."{k}" {same[k]} s."{k}"' for k in key)
    known = (
        f"WHERE NOT EXISTS (SELECT FROM {table.name} s WHERE {on_key} "
        f"AND s.{KNOWN_AT} = i.{KNOWN_AT} AND {_same('i', 's', values)})"
        if vintages
        else ""
    )
    names = ", ".join(quoted(table.names))
    kept = ", ".join(n for n in quoted(table.names) if n != f'"{KNOWN_AT}"')
    chosen = ", ".join(quoted(tuple(n for n in table.names if n != KNOWN_AT), "c."))
    packed = f"ROW({', '.join(quoted(values))})" if values else "ROW(1)"
    stored = f"ROW({', '.join(quoted(values, 's.'))})" if values else "ROW(1)"
    return f"""
WITH fresh AS (SELECT DISTINCT {names} FROM {relation} i {known}),
ranked AS (
  SELECT *, {packed} AS packed,
    row_number() OVER (PARTITION BY {keys} ORDER BY {KNOWN_AT}) AS place,
    lag({packed}) OVER (PARTITION BY {keys} ORDER BY {KNOWN_AT}) AS before
  FROM fresh),
compared AS (
  SELECT i.*, newest.{KNOWN_AT} AS stored_at,
    CASE WHEN i.place > 1 THEN i.packed IS DISTINCT FROM i.before
         ELSE newest.{KNOWN_AT} IS NULL OR i.packed IS DISTINCT FROM newest.packed END AS differs
  FROM ranked i LEFT JOIN LATERAL (
    SELECT s.{KNOWN_AT}, {stored} AS packed FROM {table.name} s WHERE {on_key}
    ORDER BY s.{KNOWN_AT} DESC, s.{LOAD_ID} DESC LIMIT 1) newest ON true)
INSERT INTO {table.name} ({kept}, {KNOWN_AT}, {LOAD_ID})
SELECT {chosen},
  CASE WHEN c.stored_at IS NULL OR c.{KNOWN_AT} > c.stored_at THEN c.{KNOWN_AT}
       ELSE greatest(%(fetched)s, c.stored_at + interval '1 microsecond')
         + (c.place - 1) * interval '1 microsecond' END,
  %(load)s
FROM compared c WHERE c.differs
"""
