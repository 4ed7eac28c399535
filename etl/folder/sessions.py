"""The sessions that a folder's `sessions.csv` adds to calendars, or takes from them."""

from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
import pyarrow as pa

from contracts.amendments import Amendment, amendments_of
from contracts.exchange import Exchange, canonical, library_exchange
from contracts.tables import TRADING_SESSIONS
from etl.folder.tabular import MOMENT, moment, parts, tables
from etl.rules import PLACE, Context, apply
from etl.sheet import sheet, spans
from etl.source import FAULT, RAW, Cause, Frames, SourceError, raw_schema

_TEXT = pl.String()
_SESSIONS = {"calendar": _TEXT, "session": pl.Date(), "status": _TEXT, "opens": _TEXT}
_SESSIONS |= {"closes": _TEXT, "timezone": _TEXT, "known_at": MOMENT}
Row = dict[str, Any]


@dataclass(frozen=True)
class Stated:
    """What a file says: the statements that can be read, and all its rows as raw frames."""

    told: tuple[Amendment, ...]
    rows: list[Row]

    @property
    def frames(self) -> Frames:
        """The raw frame; none where there are no rows."""
        if self.rows:
            schema = raw_schema(TRADING_SESSIONS)
            yield TRADING_SESSIONS.name, pa.Table.from_pylist(self.rows, schema=schema)


def read(folder: Path, calendar: str) -> Stated:
    """What the folder states of sessions; empty where it states nothing.

    calendar: that of rows which name none. Raises SourceError when a file cannot be read.
    """
    return _stated(parts(folder, "sessions"), calendar)


def judged(file: Path, calendar: str, now: datetime) -> tuple[pa.Table, pa.Table]:
    """The statements of one file that may be facts, and the refused ones with reason; as `read`."""
    rows = _stated([file], calendar).rows
    if not rows:
        raise SourceError(Cause.EMPTY, f"{file} holds no row; see docs/files_layout.md")
    schema = raw_schema(TRADING_SESSIONS).append(pa.field(PLACE, pa.int64()))
    placed = [row | {PLACE: place} for place, row in enumerate(rows)]
    nothing = Context(now, pl.DataFrame(), sheet(()), spans(()))
    return apply(TRADING_SESSIONS.name, pa.Table.from_pylist(placed, schema=schema), nothing)


def _stated(paths: list[Path], calendar: str) -> Stated:
    rows = [
        _row(cells, calendar)
        for frame in tables(paths, _SESSIONS, ("session",), quoted=True)
        for cells in frame.to_dicts()
    ]
    return Stated(amendments_of(row for row in rows if row[FAULT] is None).rows, rows)


def _row(cells: Row, calendar: str) -> Row:
    """The statement of one row, or what is wrong with it."""
    name = cells["calendar"] or calendar
    kept = {"calendar": name, "session": cells["session"], FAULT: cells[FAULT], RAW: cells[RAW]}
    empty = dict.fromkeys(("opens", "closes", "timezone", "known_at"))
    if kept[FAULT] is None:
        try:
            return kept | _statement(cells, library_exchange(canonical(name)), name)
        except ValueError as error:
            shown = {key: str(cells[key]) for key in _SESSIONS if cells[key] is not None}
            kept |= {FAULT: str(error), RAW: pl.Series([shown]).struct.json_encode()[0]}
    return kept | empty


def _statement(cells: Row, exchange: Exchange | None, name: str) -> Row:
    day, status = cells["session"], (cells["status"] or "open").lower()
    if day is None:
        raise ValueError("session is missing")
    if status not in ("open", "closed"):
        raise ValueError(f"status is neither open nor closed: {status}")
    zone = _zone(cells["timezone"], exchange, name)
    usual = exchange.usual_hours(day) if exchange else None
    opens = _moment(cells["opens"], day, zone) or (usual and usual[0])
    closes = _moment(cells["closes"], day, zone) or (usual and usual[1])
    if opens is None or (closes is None and status == "open"):
        raise ValueError(f"opens and closes are needed: no library knows the hours of {name}")
    # Whoever does not say when it was announced knows it when the session would begin.
    told = {"timezone": str(zone), "known_at": cells["known_at"] or opens}
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
    at = moment(text) if clock is None else moment(datetime.combine(day, clock, zone))
    if at is None:
        raise ValueError(f"neither a time of day as 18:15 nor a moment with its zone: {text}")
    return at
