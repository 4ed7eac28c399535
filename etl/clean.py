"""Raw rows through the rules into staging tables, by Spark or in this process."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from contracts import copy
from contracts.store import Store
from contracts.table import Table
from contracts.tables import REJECTED, TABLES
from etl.batch import Batch, Manifest, NotCollected, manifest, parts
from etl.rules import BUCKET, REASON, Context, judge_arrow, judged_schema, parted
from etl.sheet import sheet
from etl.source import FAULT, RAW

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Whatever refers to instruments comes after them; a mention comes after its headline.
ORDER = (
    "instruments",
    "symbols",
    "memberships",
    "bars",
    "actions",
    "headlines",
    "headline_symbols",
)
_LONGEST_CELL = 500  # characters of a refused cell that are kept
Judge = Callable[[str, Context], pa.Table]


@dataclass(frozen=True)
class Cleaned:
    """Rows of one table that passed and that were refused."""

    staged: int
    refused: int


def clean(
    store: Store, batch: Batch, judge: Callable[[Manifest], Judge] | None = None
) -> dict[str, Cleaned]:
    """Stage the batch's good rows and record the refused ones; a repeat replaces the staging.

    judge: how rows are judged, see `spark_judge`; default: in this process. Raises NotCollected.
    """
    held = manifest(batch)
    answer = (judge or in_process)(held)
    context = _context(held, batch)
    counts: dict[str, Cleaned] = {}
    for name in (name for name in ORDER if held.rows.get(name)):
        good, refused = parted(name, answer(name, context))
        if name == "instruments":
            context = replace(context, instruments=_calendars(good))
        if name == "headlines":
            context = replace(context, refused=_refused_ids(good, refused))
        _stage(store, batch, TABLES[name], good)
        store.record(REJECTED, rejected(batch, name, refused, held.collected_at))
        counts[name] = Cleaned(good.num_rows, refused.num_rows)
    return counts


def in_process(held: Manifest) -> Judge:
    """Judge with Polars in this process."""

    def judge(table: str, context: Context) -> pa.Table:
        return judge_arrow(table, pa.concat_tables(parts(held, table)), context)

    return judge


@contextmanager
def spark_judge(master: str, objects_root: str) -> Iterator[Callable[[Manifest], Judge]]:
    """Judge inside Spark, in Arrow batches of buckets of instruments (headlines: of ids)."""
    session = _session(master)
    try:
        yield (
            lambda held: (
                lambda table, context: _in_spark(
                    session, table, [f"{objects_root}/{key}" for key in held.parts[table]], context
                )
            )
        )
    finally:
        session.stop()


def _session(master: str) -> "SparkSession":
    import os
    import sys

    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master).appName("finpulse-etl")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.adaptive.enabled": "false",
        "spark.log.level": "ERROR",
    }.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _in_spark(session: "SparkSession", table: str, paths: list[str], context: Context) -> pa.Table:
    from pyspark.sql import functions
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    spark_schema = from_arrow_schema(judged_schema(table))
    arrow_schema = to_arrow_schema(spark_schema, timezone="UTC")
    column = BUCKET.get(table, "instrument_id")
    buckets = max(4, session.sparkContext.defaultParallelism)
    bucket = functions.pmod(functions.hash(column), functions.lit(buckets))

    def judge(raw: pa.Table) -> pa.Table:
        return judge_arrow(table, raw, context).cast(arrow_schema)

    judged = session.read.parquet(*paths).groupBy(bucket).applyInArrow(judge, spark_schema)
    return judged.toArrow().cast(judged_schema(table))


def _context(held: Manifest, batch: Batch) -> Context:
    listed = [
        frame
        for part in parts(held, "instruments")
        if isinstance(frame := pl.from_arrow(part), pl.DataFrame)
    ]
    if not listed:
        raise NotCollected(f"{batch} brought no instruments: collect it again")
    calendars = pl.concat(listed)["calendar"].drop_nulls().unique().to_list()
    # Rows may lie outside the request (a source may deliver more): any session is a session.
    days = sheet(calendars, date(1990, 1, 2), date(2100, 1, 1))
    instruments = pl.DataFrame(schema={"instrument_id": pl.String, "calendar": pl.String})
    return Context(held.collected_at, instruments, days)


def _calendars(good: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(good.select(["instrument_id", "calendar"]))
    assert isinstance(frame, pl.DataFrame)
    return frame.unique("instrument_id", keep="first", maintain_order=True)


def _refused_ids(good: pa.Table, refused: pa.Table) -> frozenset[str]:
    kept = set(good["native_id"].to_pylist())
    return frozenset(i for i in refused["native_id"].to_pylist() if i is not None) - kept


def _stage(store: Store, batch: Batch, table: Table, good: pa.Table) -> None:
    relation = batch.staging(table.name)
    names = ", ".join(f'"{name}"' for name in table.names)
    with store.connect() as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {relation}")
            cursor.execute(
                f"CREATE UNLOGGED TABLE {relation} AS SELECT {names} FROM {table.name} WITH NO DATA"
            )
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


def rejected(batch: Batch, table: str, refused: pa.Table, collected_at: datetime) -> pa.Table:
    """Refused rows as rows of the ledger `rejected`.

    The hash covers table, row and reason, so that a row refused again adds nothing.
    """
    rows = {}
    for row in refused.to_pylist():
        reason = row.pop(REASON)
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
    return pa.Table.from_pylist(list(rows.values()), schema=REJECTED.schema)


def _canonical(row: dict[str, Any]) -> str:
    raw = row.pop(RAW)
    row.pop(FAULT)
    delivered = json.loads(raw) if raw else row
    shown = {key: _shown(value) for key, value in delivered.items() if value is not None}
    return json.dumps(shown, sort_keys=True, ensure_ascii=False, default=str)


def _shown(value: object) -> object:
    # Postgres takes no null character, and JSON knows no number that is not finite.
    if isinstance(value, str):
        return value[:_LONGEST_CELL].replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
