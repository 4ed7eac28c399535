"""Where a batch waits for the gate: its staging tables, and the ledger of refused rows."""

import json
from datetime import datetime
from hashlib import sha256
from typing import Any

import pyarrow as pa

from contracts.database import copy
from contracts.store import Store
from contracts.tables import REJECTED, TABLES
from etl.batch.batch import Batch, NotCollected, manifest
from etl.rules import REASON
from etl.source import FAULT, RAW

# Whatever refers to instruments comes after them; a mention comes after its headline.
ORDER = (
    "trading_sessions",
    "instruments",
    "symbols",
    "memberships",
    "bars",
    "actions",
    "headlines",
    "headline_symbols",
    "documents",
    "observations",
)
LONGEST_CELL = 500  # characters of a refused cell that are kept


def stage(store: Store, batch: Batch, table: str, good: pa.Table) -> None:
    """Put the rows into the batch's staging table, in place of those of an earlier run."""
    relation = batch.staging(table)
    names = ", ".join(f'"{name}"' for name in TABLES[table].names)
    with store.connect() as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {relation}")
            cursor.execute(f"CREATE TABLE {relation} AS SELECT {names} FROM {table} WITH NO DATA")
        copy.into(connection, relation, good)


def staged_tables(store: Store, batch: Batch) -> list[str]:
    """The tables that were collected for the batch, all of them staged; raises NotCollected."""
    names = [name for name in ORDER if manifest(batch).rows.get(name)]
    with store.connect() as connection, connection.cursor() as cursor:
        for name in names:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (batch.staging(name),))
            if cursor.fetchone() != (True,):
                raise NotCollected(
                    f"{name} of {batch} are not staged: run `python -m etl clean` with the "
                    "same options"
                )
    return names


def refuse(
    store: Store, batch: Batch, table: str, refused: pa.Table, collected_at: datetime
) -> int:
    """Record refused rows as JSON with their reason; returns how many are new.

    The key is a hash of table, row and reason, so that a row refused again adds nothing.
    """
    rows = {}
    for row in refused.to_pylist():
        reason = str(_shown(row.pop(REASON)))
        text = _canonical(row)
        key = sha256(f"{table}\n{text}\n{reason}".encode()).hexdigest()
        rows[key] = {
            "row_hash": key,
            "table_name": table,
            "source": batch.source,
            "batch": batch.id,
            "reason": reason,
            "row": text,
            "rejected_at": collected_at,
        }
    if not rows:
        return 0
    return store.record(REJECTED, pa.Table.from_pylist(list(rows.values()), schema=REJECTED.schema))


def _canonical(row: dict[str, Any]) -> str:
    raw = row.pop(RAW)
    row.pop(FAULT)
    delivered = json.loads(raw) if raw else row
    shown = {key: _shown(value) for key, value in delivered.items() if value is not None}
    return json.dumps(shown, sort_keys=True, ensure_ascii=False, default=str)


def _shown(value: object) -> object:
    # Postgres takes no null character, and JSON knows no number that is not finite.
    if isinstance(value, str):
        return value[:LONGEST_CELL].replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
