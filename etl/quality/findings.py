"""What a batch's cleaning found, kept in staging for the gate, the append and the data docs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from contracts.database import copy
from contracts.store import Store
from contracts.table import DAY, FLAG, TEXT
from etl.batch.batch import Batch
from etl.batch.staging import LONGEST_CELL
from etl.rules import REASON
from etl.source import RAW

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

TOLD = "told"  # the staging table
_SCHEMA = pa.schema(
    [
        pa.field("table_name", TEXT),
        pa.field("instrument_id", TEXT),
        pa.field("session", DAY),
        pa.field("said", TEXT),
        pa.field("refused", FLAG),
        pa.field("example", TEXT),
    ]
)
_SHOWN = 160  # characters of an example


def refused_rows(table: str, refused: pa.Table) -> pa.Table:
    """The refused rows of a table as what is told of them."""
    frame = pl.from_arrow(refused)
    assert isinstance(frame, pl.DataFrame)
    days: list[str] = [name for name in ("session", "ex_date") if name in frame.columns]
    names = [name for name in ("instrument_id", "symbol") if name in frame.columns]
    others = ("native_id", "series", "calendar")
    keys = [*names, *(name for name in others if name in frame.columns)]
    shown = pl.concat_str(
        [pl.coalesce(keys), *(pl.col(day).cast(pl.String) for day in days)],
        separator=" ",
        ignore_nulls=True,
    )
    example = pl.coalesce(pl.col(RAW), shown).str.slice(0, _SHOWN)
    told = frame.select(
        pl.lit(table).alias("table_name"),
        pl.coalesce(*names[:1], pl.lit(None, pl.String())).alias("instrument_id"),
        pl.coalesce(*days, pl.lit(None, pl.Date())).alias("session"),
        pl.col(REASON).str.slice(0, LONGEST_CELL).alias("said"),
        pl.lit(True).alias("refused"),
        example.alias("example"),
    )
    # Postgres takes no null character.
    clean = pl.col(pl.String).str.replace_all("\x00", "\N{REPLACEMENT CHARACTER}", literal=True)
    return told.with_columns(clean).to_arrow().cast(_SCHEMA)


def findings(found: pl.DataFrame) -> pa.Table:
    """Findings (`etl.plausible.plausible.FINDING`) as what is told."""
    shown = pl.format("{} {}", "instrument_id", "session")
    return (
        found.with_columns(refused=False, example=shown)
        .select(_SCHEMA.names)
        .to_arrow()
        .cast(_SCHEMA)
    )


def keep(store: Store, batch: Batch, told: Iterable[pa.Table]) -> None:
    """Put what is told into the batch's staging table, in place of that of an earlier run."""
    rows = pa.concat_tables([_SCHEMA.empty_table(), *told])
    with store.connect() as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {batch.staging(TOLD)}")
        prepare(connection, batch)
        copy.into(connection, batch.staging(TOLD), rows)


def prepare(connection: "Connection", batch: Batch) -> None:
    """Make the staging table where there is none, as of a batch that was cleaned without it."""
    kinds = {TEXT: "text", DAY: "date", FLAG: "boolean"}
    columns = ", ".join(f"{field.name} {kinds[field.type]}" for field in _SCHEMA)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {batch.staging(TOLD)} ({columns})")


def lines(store: Store, batch: Batch) -> list[str]:
    """One line per table and reason, refused rows before findings: count, what, an example.

    Empty when nothing is told, or the batch was cleaned before there was such a table.
    """
    relation = batch.staging(TOLD)
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (relation,))
        if cursor.fetchone() != (True,):
            return []
        # What a reason quotes of its row comes after a colon.
        cursor.execute(
            "SELECT table_name, refused, count(*), count(DISTINCT instrument_id), "
            "CASE WHEN count(*) = 1 THEN min(said) ELSE split_part(said, ': ', 1) END, "
            f"(array_agg(example ORDER BY session, example))[1] FROM {relation} "
            "GROUP BY table_name, refused, split_part(said, ': ', 1) ORDER BY 2 DESC, 3 DESC, 1, 5"
        )
        return [_line(*row) for row in cursor.fetchall()]


def _line(
    table: str, refused: bool, rows: int, instruments: int, said: str, example: str | None
) -> str:
    of = f" of {instruments} instruments" if instruments > 1 else ""
    kind = f"{table} refused" if refused else f"{table}, loaded all the same"
    first = "" if example is None else f"; first: {example}"
    return f"{rows} {kind}{of}: {said}{first}"
