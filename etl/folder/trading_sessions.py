"""The sessions that a folder's `sessions.csv` adds to calendars, or takes from them."""

from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
import pyarrow as pa

from contracts.tables import TRADING_SESSIONS
from contracts.time.amendments import Amendment, amendments_of
from contracts.time.exchange import Exchange, canonical, library_exchange
from etl.folder.contents import Contents, Found, parted
from etl.folder.tabular import LAYOUT, delivered, frame
from etl.parsing import cells
from etl.parsing.columns import DAY, MOMENT, TEXT
from etl.rules import PLACE, Context, apply
from etl.sessions import sheet, spans
from etl.source import FAULT, RAW, Cause, Frames, SourceError, raw_schema

_SESSIONS = {"calendar": TEXT, "session": DAY, "status": TEXT, "opens": TEXT}
_SESSIONS |= {"closes": TEXT, "timezone": TEXT, "known_at": MOMENT}
Row = dict[str, Any]


@dataclass(frozen=True)
class Stated:
    """What a file says: the statements that can be read, and all its rows as raw frames."""

    told: tuple[Amendment, ...]
    rows: list[Row]

    @property
    def frames(self) -> Frames:
        """The raw frame."""
        schema = raw_schema(TRADING_SESSIONS)
        yield TRADING_SESSIONS.name, pa.Table.from_pylist(self.rows, schema=schema)


def read(held: Contents, calendar: str) -> Stated:
    """What the folder states of sessions; empty where it states nothing.

    calendar: that of rows which name none. Raises SourceError when a file cannot be read.
    """
    return _stated(held.of("sessions"), calendar)


def judged(file: Path, calendar: str, now: datetime) -> tuple[pa.Table, pa.Table]:
    """The statements of one file that may be facts, and the refused ones with reason; as `read`."""
    stem, kind = parted(file)
    rows = _stated([Found(file, file.name, kind, stem, False)], calendar).rows
    if not rows:
        raise SourceError(Cause.EMPTY, f"{file} holds no row; see docs/files_layout.md")
    schema = raw_schema(TRADING_SESSIONS).append(pa.field(PLACE, pa.int64()))
    placed = [row | {PLACE: place} for place, row in enumerate(rows)]
    nothing = Context(now, pl.DataFrame(), sheet(()), spans(()))
    return apply(TRADING_SESSIONS.name, pa.Table.from_pylist(placed, schema=schema), nothing)


def _stated(files: list[Found], calendar: str) -> Stated:
    rows = [_row(row, calendar) for found in files for row in _cells(found)]
    return Stated(amendments_of(row for row in rows if row[FAULT] is None).rows, rows)


def _cells(found: Found) -> list[Row]:
    rows = delivered(found)
    if "session" not in rows.columns:
        raise SourceError(
            Cause.EMPTY,
            f"{found.path} lacks the column session, found {rows.header[:20]}; {LAYOUT}",
        )
    return frame(
        rows, {name: name for name in _SESSIONS if name in rows.columns}, _SESSIONS
    ).to_dicts()


def _row(row: Row, calendar: str) -> Row:
    """The statement of one row, or what is wrong with it."""
    name = row["calendar"] or calendar
    kept = {"calendar": name, "session": row["session"], FAULT: row[FAULT], RAW: row[RAW]}
    empty = dict.fromkeys(("opens", "closes", "timezone", "known_at"))
    if kept[FAULT] is None:
        try:
            return kept | _statement(row, library_exchange(canonical(name)), name)
        except ValueError as error:
            shown = {key: str(row[key]) for key in _SESSIONS if row[key] is not None}
            kept |= {FAULT: str(error), RAW: pl.Series([shown]).struct.json_encode()[0]}
    return kept | empty


def _statement(row: Row, exchange: Exchange | None, name: str) -> Row:
    day, status = row["session"], (row["status"] or "open").lower()
    if day is None:
        raise ValueError("session is missing")
    if status not in ("open", "closed"):
        raise ValueError(f"status is neither open nor closed: {status}")
    zone = _zone(row["timezone"], exchange, name)
    usual = exchange.usual_hours(day) if exchange else None
    opens = _moment(row["opens"], day, zone) or (usual and usual[0])
    closes = _moment(row["closes"], day, zone) or (usual and usual[1])
    if opens is None or (closes is None and status == "open"):
        raise ValueError(f"opens and closes are needed: no library knows the hours of {name}")
    # Whoever does not say when it was announced knows it when the session would begin.
    told = {"timezone": str(zone), "known_at": row["known_at"] or opens}
    trades = status == "open"
    return told | {"opens": opens if trades else None, "closes": closes if trades else None}


def _zone(given: str | None, exchange: Exchange | None, name: str) -> ZoneInfo:
    if exchange and given and given != exchange.zone:
        raise ValueError(f"timezone of {name} is {exchange.zone}, found {given}")
    if not exchange and not given:
        raise ValueError(f"timezone is needed: no library knows the calendar {name}")
    try:
        return ZoneInfo(exchange.zone if exchange else str(given))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"timezone is none: {given}") from None


def _moment(text: str | None, day: date, zone: ZoneInfo) -> datetime | None:
    """A time of the clock on that day in the exchange's zone, or a moment with its zone."""
    if text is None:
        return None
    try:
        clock = time.fromisoformat(text)
    except ValueError:
        clock = None
    at, _ = cells.moment(text if clock is None else datetime.combine(day, clock, zone))
    if at is None:
        raise ValueError(f"neither a time of day as 18:15 nor a moment with its zone: {text}")
    return at
