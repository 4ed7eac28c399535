"""Yahoo Finance: daily and minute bars as traded, splits, dividends and news of named symbols."""

import json
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.calendar import last_session, last_sessions
from contracts.settings import Settings
from contracts.tables import TABLES
from etl.sheet import Window, eve, listed_at, sheet, window
from etl.source import (
    FAULT,
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
from etl.web.patience import TEMPORARY, patiently
from etl.web.symbols import asked_symbols
from etl.web.yahoo import Answer

NAME = "yahoo"
_MINUTE = timedelta(minutes=1)
# Who does not say when it began counts from here on, whatever range is asked for.
_OLDEST = date(1990, 1, 1)
_SESSIONS = 750  # offered when nobody says which
_CLASSES = {"CRYPTOCURRENCY": "crypto", "CURRENCY": "currency", "MUTUALFUND": "fund", "ETF": "fund"}
Rows = list[dict[str, Any]]


def extent(settings: Settings, now: datetime) -> Extent:
    """The newest 750 sessions that had closed by `now`."""
    days = last_sessions(settings.calendar, last_session(settings.calendar, now), _SESSIONS)
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
    owned = window(request.settings.calendar, request.first, request.last)
    asked = asked_symbols(request.settings)
    client.configure(request.settings.home / "yfinance")
    failures: list[SourceError] = []
    items: dict[str, dict[str, Any]] = {}
    for symbol in asked:
        try:
            answer, minutes, told = patiently(partial(_ask, symbol, request, owned))
            about = answer.about
            calendar = calendar_of(symbol, about["exchangeName"], about["exchangeTimezoneName"])
        except SourceError as error:
            if error.cause in TEMPORARY:
                raise
            failures.append(error)
            yield _frame("symbols", [{"symbol": symbol, FAULT: str(error)}])
            continue
        yield from _listing(answer, calendar, request)
        yield from _facts(answer, minutes, calendar, owned)
        items |= {str(item.get("uuid")): item for item in told}
    if len(failures) == len(asked):
        raise failures[0]
    yield from _headlines(list(items.values()), set(asked), owned)


def _ask(symbol: str, request: Request, owned: Window) -> tuple[Answer, pl.DataFrame | None, Rows]:
    first = min(request.first, max(owned.after_day, _OLDEST))
    answer = client.history(symbol, first, request.collected_at)
    minutes = None
    if request.settings.yahoo_interval == "1m":
        minutes = client.minutes(symbol, first, request.last)
    return answer, minutes, client.news(symbol)


def _frame(table: str, rows: Rows) -> tuple[str, pa.Table]:
    return table, pa.Table.from_pylist(rows, schema=raw_schema(TABLES[table]))


def _facts(answer: Answer, minutes: pl.DataFrame | None, calendar: str, owned: Window) -> Frames:
    splits = dict(answer.days.filter(pl.col("split") > 0).select("session", "split").iter_rows())
    hours = sheet([calendar])
    days = undone(answer.days, splits).join(hours, on="session", how="left")
    # A row whose date is no session of its calendar has no time: it goes by its date.
    wanted = pl.coalesce(owned.at("closes"), owned.on("session"))
    days = days.filter(wanted).with_columns(event_time=pl.col("closes"))
    yield "bars", _bars(answer.symbol, "1d", days)
    if minutes is not None:
        formed = undone(minutes, splits).join(hours, on="session", how="left")
        # A minute without a trade has no prices, and the close comes once more as a minute.
        formed = formed.filter(
            pl.col("close").is_not_null() & (pl.col("starts") < pl.col("closes"))
        ).with_columns(start_time=pl.col("starts"), event_time=pl.col("starts") + _MINUTE)
        yield "bars", _bars(answer.symbol, "1m", formed.filter(owned.at("event_time")))
    yield "actions", _actions(answer, splits, owned)


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
    ).to_arrow()


def _actions(answer: Answer, splits: dict[Any, float], owned: Window) -> pa.Table:
    days = answer.days.filter(owned.on("session"))
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
    return found.with_columns(
        instrument_id=pl.lit(answer.symbol), source=pl.lit(NAME), known_at=eve("ex_date")
    ).to_arrow()


def _listing(answer: Answer, calendar: str, request: Request) -> Frames:
    symbol, about = answer.symbol, answer.about
    first = min(answer.days["session"][0], answer.began or _OLDEST)
    kind = str(about["instrumentType"] or "EQUITY")
    row = {
        "instrument_id": symbol,
        "symbol": symbol,
        "universe": request.universe,
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


def _headlines(items: Rows, asked: set[str], owned: Window) -> Frames:
    told: Rows = []
    mentions: Rows = []
    for item in items:
        row = _headline(item)
        at = row.get("event_time")
        if at is None or owned.holds(at):
            told.append(row)
            about = asked.intersection(item.get("relatedTickers", ())) if at else set()
            kept = {name: row.get(name) for name in ("source", "native_id", "event_time")}
            mentions += [
                kept | {"known_at": at, "instrument_id": symbol} for symbol in sorted(about)
            ]
    yield _frame("headlines", told)
    yield _frame("headline_symbols", mentions)


def _headline(item: dict[str, Any]) -> dict[str, Any]:
    text, seconds = item.get("title"), item.get("providerPublishTime")
    if not isinstance(text, str) or not isinstance(seconds, int | float) or "uuid" not in item:
        fault = "headline without time" if text else "text is missing"
        return {"source": NAME, FAULT: fault, RAW: json.dumps(item, default=str)}
    at = datetime.fromtimestamp(seconds, UTC)
    row = {"source": NAME, "native_id": str(item["uuid"]), "event_time": at, "known_at": at}
    return row | {"text": text, "text_hash": text_hash(text), "url": item.get("link")}
