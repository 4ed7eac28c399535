"""Nasdaq's RSS feeds: the newest headlines of named symbols, whose instruments are known."""

import json
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from contracts.settings import Settings
from contracts.tables import TABLES
from contracts.time.calendar import last_session, last_sessions
from contracts.universe import Universe
from etl.parsing import cells
from etl.sessions import window
from etl.source import (
    FAULT,
    OUTSIDE,
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
from etl.web.patience import Failures, patiently
from etl.web.rss import Item
from etl.web.symbols import asked_symbols

NAME = "nasdaq"
_SESSIONS = 5  # a feed holds the newest items only
Rows = list[dict[str, Any]]


def extent(universe: Universe, _: Settings, now: datetime) -> Extent:
    """The newest five sessions that had closed by `now`."""
    days = last_sessions(universe.calendar, last_session(universe.calendar, now), _SESSIONS)
    return days[0], days[-1]


@source(NAME, origin="real", extent=extent, tables=("headlines", "headline_symbols"))
def nasdaq(request: Request) -> Frames:
    """Deliver the items that name a symbol asked for; an item of several symbols comes once, and
    of a symbol whose feed cannot be read nothing, which the account says."""
    asked = asked_symbols(request)
    owned = window(request.universe.calendar, request.first, request.last)
    told: dict[str, dict[str, Any]] = {}
    rows: Rows = []
    mentions: Rows = []
    failures = Failures(len(asked))
    for symbol in asked:
        try:
            items = patiently(partial(client.feed, symbol))
        except SourceError as error:
            failures.add(error)
            request.account.unread[f"feed of {symbol}"] = str(error)
            continue
        failures.passed()
        request.account.read["headlines"] += len(items)
        for item in items:
            row = _headline(item) | {OUTSIDE: None}
            at = row.get("event_time")
            if item.fault is None and symbol not in _tickers(item):
                row[OUTSIDE] = "not on the symbol asked for"  # feeds are padded with others
            elif at is not None and not owned.holds(at):
                row[OUTSIDE] = f"published outside {owned.after} to {owned.until}"
            elif told.setdefault(row.get("native_id") or row[RAW], row) is not row:
                row[OUTSIDE] = "told under another symbol, or twice"
            rows.append(row)
            again = row[OUTSIDE] is None or row[OUTSIDE].startswith("told")
            if again and at is not None and row.get(FAULT) is None:
                mentions.append(_mention(row, symbol))
    if not told:
        found = "".join(f"\n  {line}" for line in request.account.told())
        raise SourceError(
            Cause.EMPTY,
            f"Nasdaq's feeds of {', '.join(asked)} hold no item on them from {owned.after} to "
            f"{owned.until}{found}",
        )
    yield from _frames("headlines", rows)
    yield from _frames("headline_symbols", mentions)


def _tickers(item: Item) -> set[str]:
    named = (cells.symbol(ticker)[0] for ticker in item.others.get("tickers", "").split(","))
    return {ticker for ticker in named if ticker}


def _headline(item: Item) -> dict[str, Any]:
    # The same article is listed again with another `?time=`.
    native_id = (item.guid or item.link or "").split("?")[0]
    faults = {
        item.fault: item.fault is not None,
        "id is missing": not native_id,
        "text is missing": item.title is None,
        item.untimed: bool(item.untimed),
        "headline without time": item.published is None,
    }
    fault = next((name for name, found in faults.items() if found), None)
    if fault or item.title is None:
        return {"source": NAME, FAULT: fault, RAW: _raw(item, native_id)}
    row = {"source": NAME, "native_id": native_id, "event_time": item.published, FAULT: None}
    row |= {"known_at": item.published, "text": item.title, "text_hash": text_hash(item.title)}
    return row | {"url": item.link, RAW: None}


def _raw(item: Item, native_id: str) -> str:
    tickers = sorted(_tickers(item))
    text = item.title or item.raw
    shown = {"id": native_id or None, "text": text, "url": item.link, "symbols": tickers}
    return json.dumps(shown)


def _mention(row: dict[str, Any], symbol: str) -> dict[str, Any]:
    kept = {name: row[name] for name in ("source", "native_id", "event_time", "known_at")}
    return kept | {"instrument_id": symbol}


def _frames(table: str, rows: Rows) -> Frames:
    schema = raw_schema(TABLES[table])
    if table == "headlines":
        schema = schema.append(pa.field(OUTSIDE, pa.string()))
    yield table, pa.Table.from_pylist(rows, schema=schema)
