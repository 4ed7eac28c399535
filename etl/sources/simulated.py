"""The simulated market: made, not measured; every row of it says so in its source column."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.calendar import session_close, shift
from contracts.settings import Settings
from contracts.tables import TABLES
from etl.sheet import days_asked, listed_at
from etl.simulation import market as simulation
from etl.simulation import news as headlines
from etl.simulation.market import Market, Path
from etl.simulation.news import News
from etl.source import Cause, Extent, Frames, Request, SourceError, raw_schema, source, text_hash

NAME = "simulated"
_MISPRINTS_PER_SESSION = 1 / 2500
_RESTATED_AFTER = 2  # sessions
_DECLARED_BEFORE = 10  # sessions
Rows = list[dict[str, Any]]


def market_of(settings: Settings) -> Market:
    """The market that the settings describe."""
    end = date.fromisoformat(settings.sim_end)
    return Market(settings.sim_seed, settings.calendar, end, settings.sim_noise)


def extent(settings: Settings, _now: datetime) -> Extent:
    """The newest `sim_sessions` sessions up to `sim_end`."""
    days = market_of(settings).days
    if len(days) < settings.sim_sessions:
        raise SourceError(
            Cause.EMPTY,
            f"the simulated market opens on {simulation.EPOCH} and has {len(days)} sessions up "
            f"to {settings.sim_end}: lower FINPULSE_SIM_SESSIONS ({settings.sim_sessions})",
        )
    return days[-settings.sim_sessions], days[-1]


def names(settings: Settings) -> dict[str, str]:
    """Company names by instrument id, SIM001 onwards."""
    numbers = range(1, settings.sim_instruments + 1)
    return {f"SIM{number:03}": headlines.company(number) for number in numbers}


@source(
    NAME,
    origin="simulated",
    vintages=True,
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
def simulated(request: Request) -> Frames:
    """Deliver instrument after instrument; see etl/simulation/market.py for what is planted."""
    settings = request.settings
    market = market_of(settings)
    begin, end = extent(settings, request.collected_at)
    first, last = max(request.first, begin), min(request.last, end)
    if first > last:
        raise SourceError(
            Cause.EMPTY,
            f"the simulated market trades from {begin} to {end} (FINPULSE_SIM_END, "
            f"FINPULSE_SIM_SESSIONS), asked for {request.first} to {request.last}",
        )
    days_asked(settings.calendar, first, last)
    window = range(bisect_left(market.days, first), bisect_right(market.days, last))
    yield from _listings(request.universe, settings, begin)
    for instrument, name in names(settings).items():
        drawn = headlines.news(market, instrument)
        path = simulation.path(market, instrument, drawn.sentiment)
        yield "bars", _bars(market, instrument, path, window)
        yield from _frames("actions", _actions(market, instrument, path, window))
        told = list(_headlines(market, instrument, name, drawn, window))
        yield from _frames("headlines", told)
        yield from _frames("headline_symbols", [_mention(row, instrument) for row in told])


def _frames(table: str, rows: Rows) -> Frames:
    yield table, pa.Table.from_pylist(rows, schema=raw_schema(TABLES[table]))


def _listings(universe: str, settings: Settings, begin: date) -> Frames:
    known: dict[str, Any] = {"known_at": listed_at(begin)}
    traded = {"calendar": settings.calendar, "currency": "USD", "asset_class": "equity"}
    span: dict[str, Any] = {"valid_from": begin, "valid_to": None}
    listed = names(settings).items()
    rows = [{"instrument_id": i, "name": name} | traded | known for i, name in listed]
    yield from _frames("instruments", rows)
    rows = [{"symbol": i, "instrument_id": i} | span | known for i, _ in listed]
    yield from _frames("symbols", rows)
    rows = [{"universe": universe, "instrument_id": i} | span | known for i, _ in listed]
    yield from _frames("memberships", rows)


def _bars(market: Market, instrument: str, path: Path, window: range) -> pa.Table:
    closes = [
        session_close(market.calendar, day) for day in market.days[window.start : window.stop]
    ]
    true = _printed(market, instrument, path, window, closes)
    wrong = market.uniforms(instrument, "misprint") < _MISPRINTS_PER_SESSION
    places = [i for i in window if wrong[i]]
    if not places:
        return true
    # The first print of these bars is one per cent too high; the true one is known later.
    close = np.where(wrong, np.round(path.close * 1.01, 4), path.close)
    misprint = replace(path, close=close, high=np.maximum(path.high, close))
    restated_at = [
        session_close(market.calendar, shift(market.calendar, market.days[i], _RESTATED_AFTER))
        for i in places
    ]
    restated = true.take(pa.array([i - window.start for i in places]))
    known_at = pa.array(restated_at, restated.schema.field("known_at").type)
    restated = restated.drop_columns("known_at").append_column("known_at", known_at)
    first = _printed(market, instrument, misprint, window, closes)
    return pa.concat_tables([first, restated.select(first.column_names)])


def _printed(
    market: Market, instrument: str, path: Path, window: range, closes: list[datetime]
) -> pa.Table:
    size, part = len(window), slice(window.start, window.stop)
    constant = {"instrument_id": instrument, "interval": "1d", "source": NAME, "adjustment": "none"}
    columns: dict[str, Any] = {name: [text] * size for name, text in constant.items()}
    columns |= {"session": market.days[part], "event_time": closes, "known_at": closes}
    columns |= {n: getattr(path, n)[part] for n in ("open", "high", "low", "close", "volume")}
    fields = [field for field in raw_schema(TABLES["bars"]) if field.name in columns]
    return pa.table({f.name: pa.array(columns[f.name], f.type) for f in fields})


def _actions(market: Market, instrument: str, path: Path, window: range) -> Rows:
    rows = [
        (i, kind, float(values[i]))
        for kind, values, ordinary in (("split", path.split, 1.0), ("dividend", path.dividend, 0.0))
        for i in window
        if values[i] != ordinary
    ]
    return [
        {
            "instrument_id": instrument,
            "ex_date": market.days[i],
            "kind": kind,
            "source": NAME,
            "value": value,
            "known_at": session_close(
                market.calendar, shift(market.calendar, market.days[i], -_DECLARED_BEFORE)
            ),
        }
        for i, kind, value in sorted(rows)
    ]


def _headlines(
    market: Market, instrument: str, name: str, drawn: News, window: range
) -> Iterator[dict[str, Any]]:
    for i in window:
        for place, text, moment in headlines.texts(drawn, name, i):
            at = headlines.published(market, i, moment)
            yield {
                "source": NAME,
                "native_id": f"{instrument}-{market.days[i]:%Y%m%d}-{place}",
                "event_time": at,
                "text": text,
                "text_hash": text_hash(text),
                "known_at": at,
            }


def _mention(row: dict[str, Any], instrument: str) -> dict[str, Any]:
    kept = {name: row[name] for name in ("source", "native_id", "event_time", "known_at")}
    return kept | {"instrument_id": instrument}
