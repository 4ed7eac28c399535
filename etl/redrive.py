"""Refused rows once more: what may be a fact after a mend is appended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.store import Store
from contracts.table import DAY, REAL, TEXT, TIME, Table
from contracts.tables import INSTRUMENTS, TABLES
from etl.folder.tabular import moment
from etl.rules import PLACE, Context, apply
from etl.sheet import listed_at, sheet, spans
from etl.source import FAULT, SOURCES, raw_schema, text_hash
from etl.staging import LONGEST_CELL, ORDER

# What delivered rows call the columns of a table.
_CALLED = {"symbol": "instrument_id", "id": "native_id", "published_at": "event_time"}
# Another row of the same key was taken: there is nothing to mend.
_SETTLED = ("repeats an earlier row", "differs from an earlier row of the same key")
Row = dict[str, Any]


class MendError(ValueError):
    """A mend names a column that no refused row's table has; the message names both."""


@dataclass(frozen=True)
class Choice:
    """Which refused rows are tried again: empty means all. reason: how the reason begins."""

    table: str = ""
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Redriven:
    """Rows of one table that were added, that are facts already, and that stay refused."""

    added: int
    present: int
    refused: dict[str, int]


def redrive(
    store: Store, choice: Choice, mends: Mapping[str, str], now: datetime
) -> dict[str, Redriven]:
    """Judge the chosen refused rows again, with `mends` (column -> text) in place of their cells.

    A row whose key is a fact already is left alone, so that a repeat adds nothing and no newer
    version is replaced. Headlines bring the mentions of the symbols that are known by now.
    Raises MendError.
    """
    done: dict[str, Redriven] = {}
    mentions: dict[str, list[Row]] = {}
    for table, source, rows in _refused(store, choice):
        unknown = set(mends) - set(TABLES[table].names)
        if unknown:
            raise MendError(f"{table} has no columns {sorted(unknown)}: {TABLES[table].names}")
        cells = [{**row, **mends} for row in rows]
        if table == "headline_symbols":
            cells += mentions.get(source, [])
        if table == "headlines":
            mentions[source] = [row for cell in cells for row in _mentions(cell)]
        _count(done, table, _again(store, TABLES[table], source, cells, now))
    return done


def _count(done: dict[str, Redriven], table: str, new: Redriven) -> None:
    old = done.get(table, Redriven(0, 0, {}))
    reasons = {
        reason: old.refused.get(reason, 0) + new.refused.get(reason, 0)
        for reason in (*old.refused, *new.refused)
    }
    done[table] = Redriven(old.added + new.added, old.present + new.present, reasons)


def _refused(store: Store, choice: Choice) -> list[tuple[str, str, list[Row]]]:
    """Table, source and delivered rows; tables in the order in which they refer to each other."""
    found = store.query(
        "SELECT table_name, source, reason, row::text AS row FROM rejected "
        "WHERE (%s = '' OR table_name = %s) AND (%s = '' OR source = %s) "
        "AND starts_with(reason, %s) AND NOT reason = ANY(%s) ORDER BY rejected_at, row_hash",
        [choice.table] * 2 + [choice.source] * 2 + [choice.reason, list(_SETTLED)],
    ).to_pylist()
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in found:
        place = ORDER.index(row["table_name"])
        groups.setdefault((place, row["source"]), []).append(json.loads(row["row"]))
        if row["table_name"] == "headlines":
            groups.setdefault((ORDER.index("headline_symbols"), row["source"]), [])
    return [(ORDER[place], source, groups[place, source]) for place, source in sorted(groups)]


def _mentions(headline: Row) -> list[Row]:
    return [headline | {"instrument_id": symbol} for symbol in _symbols(headline)]


def _symbols(headline: Row) -> list[str]:
    symbols = headline.get("symbols")
    named = [s for s in symbols if isinstance(s, str)] if isinstance(symbols, list) else []
    return [symbol.strip().upper() for symbol in named]


def _again(store: Store, table: Table, source: str, cells: list[Row], now: datetime) -> Redriven:
    context = _context(store, now)
    closes = {(c, day): close for c, day, _, close in context.sheet.iter_rows()}
    calendars = dict(context.instruments.iter_rows())
    rows = [_typed(table, _filled(table, source, row, calendars, closes)) for row in cells]
    schema = raw_schema(table).append(pa.field(PLACE, pa.int64()))
    numbered = [row | {PLACE: place} for place, row in enumerate(rows)]
    good, bad = apply(table.name, pa.Table.from_pylist(numbered, schema=schema), context)
    fresh = _unknown(store, table, good, now)
    origin = SOURCES.get(source).provenance("redrive")
    added = store.append(table, fresh, origin, now).added if fresh.num_rows else 0
    reasons: dict[str, int] = {}
    for reason in bad["reason"].to_pylist():
        reasons[reason] = reasons.get(reason, 0) + 1
    return Redriven(added, good.num_rows - fresh.num_rows, reasons)


def _context(store: Store, now: datetime) -> Context:
    listed = store.read(INSTRUMENTS, now, store.snapshot(), {}, ("instrument_id", "calendar"))
    instruments = pl.from_arrow(listed)
    assert isinstance(instruments, pl.DataFrame)
    calendars = instruments["calendar"].unique().to_list()
    return Context(now, instruments, sheet(calendars), spans(calendars))


def _filled(
    table: Table,
    source: str,
    cells: Row,
    calendars: Mapping[str, str],
    closes: Mapping[tuple[str, date], datetime],
) -> Row:
    """The delivered cells under the table's names, with what a source would have added."""
    row = {_CALLED.get(name, name): value for name, value in cells.items()}
    row |= {"source": source}
    if table.name == "bars":
        row = {"interval": "1d", "adjustment": "none"} | row
        day, _ = _value(DAY, row.get("session"))
        calendar = calendars.get(str(row.get("instrument_id")), "")
        row.setdefault("event_time", closes.get((calendar, day)) if day else None)
    if table.name == "actions" and "known_at" not in row:
        day, _ = _value(DAY, row.get("ex_date"))
        row["known_at"] = listed_at(day) if day else None
    symbols = _symbols(row)
    if table.name == "headlines" and symbols and not calendars.keys() & set(symbols):
        row[FAULT] = "unknown symbol"
    text = row.get("text")
    if isinstance(text, str) and "text_hash" in table.names:
        if len(text) >= LONGEST_CELL:
            row[FAULT] = "text was cut when it was refused: load it from its source again"
        row["text_hash"] = text_hash(text)
    row.setdefault("known_at", row.get("event_time"))
    return row


def _typed(table: Table, row: Row) -> Row:
    typed: Row = {FAULT: row.get(FAULT)}
    for column in table.columns:
        value, wrong = _value(column.type, row.get(column.name))
        typed[column.name] = value
        if wrong:
            typed[FAULT] = typed[FAULT] or f"{column.name} is not {wrong}: {row[column.name]}"
    return typed


def _value(kind: pa.DataType, value: Any) -> tuple[Any, str]:
    """The cell in that type, or what it is not."""
    if value is None or kind == TEXT:
        return (None if value is None else str(value)), ""
    try:
        if kind == REAL:
            return float(value), ""
        if kind == DAY:
            return value if isinstance(value, date) else date.fromisoformat(value), ""
    except (TypeError, ValueError):
        return None, "a date" if kind == DAY else "a number"
    found = value if isinstance(value, datetime) else moment(value)
    return found, "" if found or kind != TIME else "a time with its zone"


def _unknown(store: Store, table: Table, good: pa.Table, now: datetime) -> pa.Table:
    """The rows whose key no stored fact has."""
    if not good.num_rows:
        return good
    name = "native_id" if "native_id" in table.key else table.key[0]
    where = {name: good[name].unique().to_pylist()}
    stored = pl.from_arrow(store.read(table, now, store.snapshot(), where, table.key))
    fresh = pl.from_arrow(good)
    assert isinstance(stored, pl.DataFrame) and isinstance(fresh, pl.DataFrame)
    kept = fresh.join(stored, on=list(table.key), how="anti", maintain_order="left")
    return table.check(kept.to_arrow())
