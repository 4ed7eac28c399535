"""Nasdaq's RSS feeds: the newest headlines of named symbols, whose instruments are known."""

import json
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from contracts.calendar import last_session, last_sessions
from contracts.settings import Settings
from contracts.tables import TABLES
from etl.sheet import window
from etl.source import (
    FAULT,
    RAW,
    Cause,
    Extent,
    Frames,
    Request,
    SourceError,
    raw_schema,
    source,
    text_hash,
)
from etl.web import nasdaq as client
from etl.web.patience import patiently
from etl.web.rss import Item
from etl.web.symbols import asked_symbols

NAME = "nasdaq"
_SESSIONS = 5  # a feed holds the newest items only
Rows = list[dict[str, Any]]


def extent(settings: Settings, now: datetime) -> Extent:
    """The newest five sessions that had closed by `now`."""
    days = last_sessions(settings.calendar, last_session(settings.calendar, now), _SESSIONS)
    return days[0], days[-1]


@source(NAME, origin="real", extent=extent, tables=("headlines", "headline_symbols"))
def nasdaq(request: Request) -> Frames:
    """Deliver the items that name a symbol asked for; an item of several symbols comes once."""
    asked = asked_symbols(request.settings)
    owned = window(request.settings.calendar, request.first, request.last)
    told: dict[str, dict[str, Any]] = {}
    mentions: Rows = []
    for symbol in asked:
        for item in patiently(partial(client.feed, symbol)):
            # Feeds are padded with items on others.
            if symbol not in _tickers(item):
                continue
            row = _headline(item)
            at = row.get("event_time")
            if at is not None and not owned.holds(at):
                continue
            told.setdefault(row.get("native_id") or row[RAW], row)
            if at is not None:
                mentions.append(_mention(row, symbol))
    if not told:
        raise SourceError(
            Cause.EMPTY,
            f"Nasdaq's feeds of {', '.join(asked)} hold no item on them from {owned.after} to "
            f"{owned.until}",
        )
    yield from _frames("headlines", list(told.values()))
    yield from _frames("headline_symbols", mentions)


def _tickers(item: Item) -> set[str]:
    return {ticker.strip().upper() for ticker in item.others.get("tickers", "").split(",")}


def _headline(item: Item) -> dict[str, Any]:
    # The same article is listed again with another `?time=`.
    native_id = (item.guid or item.link or "").split("?")[0]
    faults = {
        "id is missing": not native_id,
        "text is missing": item.title is None,
        "headline without time": item.published is None,
    }
    fault = next((name for name, found in faults.items() if found), None)
    if fault or item.title is None:
        return {"source": NAME, FAULT: fault, RAW: _raw(item, native_id)}
    row = {"source": NAME, "native_id": native_id, "event_time": item.published}
    row |= {"known_at": item.published, "text": item.title, "text_hash": text_hash(item.title)}
    return row | {"url": item.link}


def _raw(item: Item, native_id: str) -> str:
    tickers = sorted(_tickers(item))
    shown = {"id": native_id or None, "text": item.title, "url": item.link, "symbols": tickers}
    return json.dumps(shown)


def _mention(row: dict[str, Any], symbol: str) -> dict[str, Any]:
    kept = {name: row[name] for name in ("source", "native_id", "event_time", "known_at")}
    return kept | {"instrument_id": symbol}


def _frames(table: str, rows: Rows) -> Frames:
    yield table, pa.Table.from_pylist(rows, schema=raw_schema(TABLES[table]))
