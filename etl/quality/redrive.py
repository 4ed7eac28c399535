"""Refused rows once more: what may be a fact after a mend is appended."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.expected import Expected
from contracts.settings import settings
from contracts.store import Store
from contracts.table import DAY, REAL, TEXT, TIME, Table
from contracts.tables import ACTIONS, BARS, INSTRUMENTS, TABLES
from etl.batch.staging import LONGEST_CELL, ORDER
from etl.parsing import cells as untrusted
from etl.plausible.plausible import PLAUSIBLE
from etl.rules import PLACE, Context, apply
from etl.sessions import listed_at, sheet, spans
from etl.source import FAULT, SAID, SOURCES, raw_schema, text_hash

# What delivered rows call the columns of a table.
_CALLED = {"symbol": "instrument_id", "published_at": "event_time"}
# Another row of the same key was taken: there is nothing to mend.
_SETTLED = ("repeats an earlier row", "differs from an earlier row of the same key")
Row = dict[str, Any]


class MendError(Expected, ValueError):
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

    A row that was implausible is tried only where its reason is chosen: then a person vouches.

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
    left = [*_SETTLED, *(() if choice.reason else PLAUSIBLE)]
    found = store.query(
        "SELECT table_name, source, reason, row::text AS row FROM rejected "
        "WHERE (%s = '' OR table_name = %s) AND (%s = '' OR source = %s) "
        "AND starts_with(reason, %s) AND NOT reason = ANY(%s) ORDER BY rejected_at, row_hash",
        [choice.table] * 2 + [choice.source] * 2 + [choice.reason, left],
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
    read = [untrusted.symbol(symbol)[0] for symbol in named]
    return [symbol for symbol in read if symbol]


def _again(store: Store, table: Table, source: str, cells: list[Row], now: datetime) -> Redriven:
    context = _context(store, now)
    closes = {(c, day): close for c, day, _, close in context.sheet.iter_rows()}
    calendars = dict(context.instruments.select("instrument_id", "calendar").iter_rows())
    rows = [_typed(table, _filled(table, source, row, calendars, closes)) for row in cells]
    schema = raw_schema(table).append(pa.field(PLACE, pa.int64()))
    if table is BARS:
        _refuse_moved(store, source, rows, now)
    numbered = [row | {PLACE: place} for place, row in enumerate(rows)]
    good, bad = apply(table.name, pa.Table.from_pylist(numbered, schema=schema), context)
    fresh = _unknown(store, table, good, now)
    origin = SOURCES.get(source).provenance("redrive", settings())
    added = store.append(table, fresh, origin, now).added if fresh.num_rows else 0
    reasons: dict[str, int] = {}
    for reason in bad["reason"].to_pylist():
        reasons[reason] = reasons.get(reason, 0) + 1
    return Redriven(added, good.num_rows - fresh.num_rows, reasons)


def _refuse_moved(store: Store, source: str, rows: list[Row], now: datetime) -> None:
    """A source undoes splits of what it delivers; of a refused row nobody knows which."""
    where = {"kind": "split", "source": source}
    moved = store.read(ACTIONS, now, store.snapshot(), where, ("instrument_id",))
    names = set(moved["instrument_id"].to_pylist())
    for row in rows:
        if row["adjustment"] == "split" and row["instrument_id"] in names:
            row[FAULT] = "split-adjusted: mend it where it came from and load it again"


def _context(store: Store, now: datetime) -> Context:
    names = ("instrument_id", "calendar", "currency")
    listed = store.read(INSTRUMENTS, now, store.snapshot(), {}, names)
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
    called = _CALLED if "id" in SAID.get(table.name, {}) else _CALLED | {"id": "native_id"}
    row = {called.get(name, name): value for name, value in cells.items()}
    row |= {"source": source}
    symbol = row.get("instrument_id")
    # A source may write symbols in capitals before it looks for them.
    if isinstance(symbol, str) and symbol not in calendars and symbol.upper() in calendars:
        row["instrument_id"] = symbol.upper()
    if table.name == "bars":
        row = {"interval": "1d", "adjustment": "none"} | row
        row |= _placed(row, calendars.get(str(row.get("instrument_id")), ""), closes)
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


def _placed(row: Row, calendar: str, closes: Mapping[tuple[str, date], datetime]) -> dict[str, Any]:
    """Session, close and start of a bar, as far as its cells leave them open."""
    day, _ = _value(DAY, row.get("session"))
    at, _ = _value(TIME, row.get("event_time"))
    if at and not day:
        later = ((close, day) for (name, day), close in closes.items() if name == calendar)
        day = min(((close, day) for close, day in later if close >= at), default=(at, None))[1]
    placed: Row = {"session": day} if day and not row.get("session") else {}
    if day and not row.get("event_time") and row["interval"] == "1d":
        placed["event_time"] = closes.get((calendar, day))
    if at and row["interval"] == "1m" and not row.get("start_time"):
        placed["start_time"] = at - timedelta(minutes=1)
    return placed


def _typed(table: Table, row: Row) -> Row:
    typed: Row = {FAULT: row.get(FAULT)}
    for column in table.columns:
        value, wrong = _value(column.type, row.get(column.name))
        typed[column.name] = value
        if wrong:
            typed[FAULT] = typed[FAULT] or f"{column.name} {wrong}: {row[column.name]}"
    said = {name: row[name] for name in SAID.get(table.name, {}) if row.get(name)}
    if "withdrawn" in said:
        said["withdrawn"] = str(said["withdrawn"]).lower() == "true"
    return typed | said


def _value(kind: pa.DataType, value: Any) -> tuple[Any, str]:
    """The cell in that type, or what is wrong with it."""
    if value is None or kind == TEXT:
        return (None if value is None else str(value)), ""
    return _CELLS[kind](value)


_CELLS: dict[pa.DataType, Callable[[object], tuple[Any, str]]] = {
    REAL: untrusted.number,
    DAY: untrusted.day,
    TIME: untrusted.moment,
}


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
