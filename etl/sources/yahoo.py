"""Yahoo Finance: daily and minute bars as traded, splits, dividends and news of named symbols."""

import json
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.settings import Settings
from contracts.tables import TABLES
from contracts.time.calendar import last_session, last_sessions
from contracts.universe import Universe
from etl.parsing import cells
from etl.sessions import Window, eve, listed_at, sheet, window
from etl.source import (
    FAULT,
    OUTSIDE,
    RAW,
    Extent,
    Frames,
    Request,
    SourceError,
    raw_schema,
    source,
    text_hash,
)
from etl.splits import paid, undone
from etl.web import yahoo as client
from etl.web.exchanges import calendar_of
from etl.web.patience import Failures, patiently
from etl.web.symbols import asked_symbols
from etl.web.yahoo import Answer

NAME = "yahoo"
_MINUTE = timedelta(minutes=1)
# Who does not say when it began counts from here on, whatever range is asked for.
_OLDEST = date(1990, 1, 1)
_SESSIONS = 1000  # offered when nobody says which: a contest takes 440 of them
_CLASSES = {"CRYPTOCURRENCY": "crypto", "CURRENCY": "currency", "MUTUALFUND": "fund", "ETF": "fund"}
Rows = list[dict[str, Any]]


def extent(universe: Universe, _: Settings, now: datetime) -> Extent:
    """The newest 1,000 sessions that had closed by `now`."""
    days = last_sessions(universe.calendar, last_session(universe.calendar, now), _SESSIONS)
    return days[0], days[-1]


@source(
    NAME,
    origin="real",
    extent=extent,
    tables=(
        "instruments",
        "symbols",
        "memberships",
        "bars",
        "actions",
        "headlines",
        "headline_symbols",
    ),
)
def yahoo(request: Request) -> Frames:
    """Deliver symbol after symbol; one that Yahoo does not know is refused, the rest load."""
    owned = window(request.universe.calendar, request.first, request.last)
    asked = asked_symbols(request)
    client.configure(request.settings.home / "yfinance")
    failures = Failures(len(asked))
    items: list[object] = []
    for symbol in asked:
        try:
            answer, minutes, told = patiently(partial(_ask, symbol, request, owned))
            about = answer.about
            calendar = calendar_of(symbol, about["exchangeName"], about["exchangeTimezoneName"])
        except SourceError as error:
            failures.add(error)
            yield _frame("symbols", [{"symbol": symbol, FAULT: str(error)}])
            continue
        failures.passed()
        yield from _listing(answer, calendar, request)
        yield from _facts(answer, minutes, calendar, request, owned)
        items += told
    yield from _headlines(items, set(asked), request, owned)


def _ask(
    symbol: str, request: Request, owned: Window
) -> tuple[Answer, pl.DataFrame | None, list[object]]:
    first = min(request.first, max(owned.after_day, _OLDEST))
    answer = client.history(symbol, first, request.collected_at)
    minutes = None
    if request.settings.yahoo_interval == "1m":
        minutes = client.minutes(symbol, first, request.last)
    return answer, minutes, client.news(symbol)


def _frame(table: str, rows: Rows) -> tuple[str, pa.Table]:
    schema = raw_schema(TABLES[table]).append(pa.field(OUTSIDE, pa.string()))
    return table, pa.Table.from_pylist(rows, schema=schema)


def _facts(
    answer: Answer,
    minutes: pl.DataFrame | None,
    calendar: str,
    request: Request,
    owned: Window,
) -> Frames:
    splits = dict(answer.days.filter(pl.col("split") > 0).select("session", "split").iter_rows())
    hours = sheet([calendar])
    request.account.read["bars"] += answer.days.height
    days = undone(answer.days, splits).join(hours, on="session", how="left", maintain_order="left")
    # A row whose date is no session of its calendar has no time: it goes by its date.
    mine = pl.coalesce(owned.at("closes"), owned.on("session"))
    daily = days.with_columns(event_time=pl.col("closes"), **{OUTSIDE: _elsewhere(mine, request)})
    yield "bars", _bars(answer.symbol, "1d", daily)
    if minutes is not None:
        request.account.read["bars"] += minutes.height
        formed = undone(minutes, splits).join(
            hours, on="session", how="left", maintain_order="left"
        )
        idle = pl.when(pl.col("close").is_null() & pl.col(FAULT).is_null()).then(
            pl.lit("a minute without a trade")
        )
        # The close comes once more as a minute.
        after = pl.when(pl.col("starts") >= pl.col("closes")).then(pl.lit("after the close"))
        timed = formed.with_columns(
            start_time=pl.col("starts"), event_time=pl.col("starts") + _MINUTE
        )
        mine = pl.coalesce(owned.at("event_time"), owned.on("session"))
        left = pl.coalesce(_elsewhere(mine, request), idle, after)
        yield "bars", _bars(answer.symbol, "1m", timed.with_columns(**{OUTSIDE: left}))
    yield "actions", _actions(answer, splits, request, owned)


def _elsewhere(mine: pl.Expr, request: Request, day: str = "session") -> pl.Expr:
    """Why the row is none of those asked for; null where it is."""
    other = pl.lit(f"{day} outside {request.first} to {request.last}")
    return pl.when(~mine).then(other)


def _bars(symbol: str, interval: str, rows: pl.DataFrame) -> pa.Table:
    times = [name for name in ("start_time", "event_time") if name in rows.columns]
    return rows.select(
        pl.lit(symbol).alias("instrument_id"),
        pl.lit(interval).alias("interval"),
        pl.lit(NAME).alias("source"),
        pl.lit("none").alias("adjustment"),
        pl.col("event_time").alias("known_at"),
        *times,
        *("session", "open", "high", "low", "close", "volume"),
        *(FAULT, OUTSIDE),
    ).to_arrow()


def _actions(answer: Answer, splits: dict[Any, float], request: Request, owned: Window) -> pa.Table:
    days = answer.days
    dividends = days.filter(pl.col("dividend") > 0).select(
        pl.col("session").alias("ex_date"), pl.col("dividend").alias("value")
    )
    found = pl.concat(
        [
            paid(dividends, splits).with_columns(kind=pl.lit("dividend")),
            days.filter(pl.col("split") > 0).select(
                pl.col("session").alias("ex_date"),
                pl.col("split").alias("value"),
                pl.lit("split").alias("kind"),
            ),
        ]
    )
    request.account.read["actions"] += found.height
    return found.with_columns(
        _elsewhere(owned.on("ex_date"), request, "ex_date").alias(OUTSIDE),
        instrument_id=pl.lit(answer.symbol),
        source=pl.lit(NAME),
        known_at=eve("ex_date"),
    ).to_arrow()


def _listing(answer: Answer, calendar: str, request: Request) -> Frames:
    symbol, about = answer.symbol, answer.about
    first = min(answer.days["session"][0], answer.began or _OLDEST)
    kind = str(about["instrumentType"] or "EQUITY")
    row = {
        "instrument_id": symbol,
        "symbol": symbol,
        "universe": request.universe.name,
        "name": about["longName"] or about["shortName"] or symbol,
        "calendar": calendar,
        "currency": about["currency"] or "USD",
        "asset_class": _CLASSES.get(kind, kind.lower()),
        "valid_from": first,
        "valid_to": None,
        "known_at": listed_at(first),
    }
    for table in ("instruments", "symbols", "memberships"):
        yield _frame(table, [{name: row[name] for name in TABLES[table].names}])


def _headlines(items: list[object], asked: set[str], request: Request, owned: Window) -> Frames:
    request.account.read["headlines"] += len(items)
    seen: set[str] = set()
    told: Rows = []
    mentions: Rows = []
    for item in items:
        row, symbols = _headline(item)
        told.append(row)
        at, name = row.get("event_time"), str(row.get("native_id"))
        if at is None:
            continue
        if not owned.holds(at):
            row[OUTSIDE] = f"published outside {owned.after} to {owned.until}"
        elif name in seen:
            row[OUTSIDE] = "told under another symbol, or twice"
        else:
            seen.add(name)
            kept = {key: row[key] for key in ("source", "native_id", "event_time", "known_at")}
            about = sorted(asked.intersection(symbols))
            mentions += [kept | {"instrument_id": symbol} for symbol in about]
    yield _frame("headlines", told)
    yield _frame("headline_symbols", mentions)


def _headline(item: object) -> tuple[dict[str, Any], list[str]]:
    """The item as a row, and the symbols that it names."""
    told = item if isinstance(item, dict) else {"title": item}
    text, wrong = cells.text(told.get("title"))
    name, strange = cells.identity(told.get("uuid"))
    at, untimed = cells.since_1970(told.get("providerPublishTime"))
    related = told.get("relatedTickers")
    read = [cells.symbol(each)[0] for each in related] if isinstance(related, list) else []
    symbols = [symbol for symbol in read if symbol]
    faults = (
        (not isinstance(item, dict), "item is no JSON object"),
        (wrong and told.get("title") is not None, f"text {wrong}"),
        (text is None, "text is missing"),
        (strange, f"id {strange}"),
        (name is None, "id is missing"),
        (untimed, f"time {untimed}: {cells.shown(told.get('providerPublishTime'))}"),
        (at is None, "headline without time"),
    )
    fault = next((said for found, said in faults if found), None)
    url = cells.name(told.get("link"))[0]
    if fault or text is None:
        shown = {"id": name, "text": told.get("title"), "url": url, "published_at": at}
        kept = {key: cells.shown(value, 500) for key, value in shown.items() if value is not None}
        return {"source": NAME, FAULT: fault, RAW: json.dumps(kept | {"symbols": symbols})}, []
    row = {"source": NAME, "native_id": name, "event_time": at, "known_at": at, "text": text}
    return row | {"text_hash": text_hash(text), "url": url}, symbols
