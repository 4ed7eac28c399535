"""The simulated market: made, not measured; every row of it says so in its source column."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.settings import Settings
from contracts.tables import SECTOR, TABLES
from contracts.time.calendar import session_close, timezone
from contracts.universe import Universe
from etl.sessions import days_asked, listed_at
from etl.simulation import events
from etl.simulation import market as simulation
from etl.simulation import news as headlines
from etl.simulation.listing import Listing, exchange, listings, since
from etl.simulation.market import Market, Path, sector_of
from etl.simulation.news import News
from etl.source import Cause, Extent, Frames, Request, SourceError, raw_schema, source, text_hash

NAME = "simulated"
_MISPRINTS_PER_SESSION = 1 / 2500
_RESTATED_AFTER = 2  # sessions
_DECLARED_BEFORE = 10  # sessions
_RESTS_KNOWN_AT = datetime(2010, 1, 1, tzinfo=UTC)
Rows = list[dict[str, Any]]


def opening(settings: Settings) -> date:
    """When the market opens: `sim_sessions` sessions of the main calendar before `sim_end`."""
    days = exchange(settings, settings.calendar).days
    if len(days) < settings.sim_sessions:
        raise SourceError(
            Cause.EMPTY,
            f"the simulated market opens on {simulation.EPOCH} and has {len(days)} sessions up "
            f"to {settings.sim_end}: lower FINPULSE_SIM_SESSIONS ({settings.sim_sessions})",
        )
    return days[-settings.sim_sessions]


def extent(universe: Universe, settings: Settings, _: datetime) -> Extent:
    """The universe's sessions from the market's opening up to `sim_end`."""
    own = exchange(settings, universe.calendar)
    return own.session_from(opening(settings)), own.days[-1]


def market_of(settings: Settings) -> str:
    """What decides every value; how many sessions are asked for changes none."""
    return (
        f"seed {settings.sim_seed}, noise {str(settings.sim_noise).lower()}, "
        f"{settings.sim_instruments} instruments, calendar {settings.calendar}"
    )


@source(
    NAME,
    origin="simulated",
    vintages=True,
    extent=extent,
    made=market_of,
    tables=(
        "trading_sessions",
        "instruments",
        "symbols",
        "memberships",
        "bars",
        "actions",
        "headlines",
        "headline_symbols",
        "documents",
        "observations",
    ),
)
def simulated(request: Request) -> Frames:
    """Deliver instrument after instrument; docs/simulated_market.md says what is planted.

    Asked for sessions after `sim_end`, the market goes on as if it had always been longer. A
    session of the second exchange on which the main one rests comes with the main one's next.
    """
    settings = request.settings
    begin, universe = opening(settings), request.universe
    first, last = max(request.first, begin), request.last
    if first > last:
        raise SourceError(
            Cause.EMPTY,
            f"the simulated market opens on {begin} (FINPULSE_SIM_END, FINPULSE_SIM_SESSIONS), "
            f"asked for {request.first} to {request.last}",
        )
    days_asked(universe.calendar, first, last)
    after = since(universe.calendar, first, begin)
    named = list(listings(settings, universe, last))
    yield from _frames("trading_sessions", _rests([settings.calendar, *map(_calendar, named)]))
    yield from listed(universe, settings, last)
    for listing in named:
        yield from _told(listing, listing.days(after, last))
    main = exchange(settings, settings.calendar, last)
    yield from _frames("observations", _observations(main, after, last))


def _calendar(listing: Listing) -> str:
    return listing.market.calendar


def _told(listing: Listing, window: range) -> Frames:
    """All that a request's sessions bring of one instrument."""
    market, instrument = listing.market, listing.instrument
    drawn = headlines.news(market, instrument)
    path = simulation.path(market, instrument, drawn.sentiment)
    if window:
        traded = [listing.trades(market.days[i]) for i in window]
        yield "bars", bars(market, instrument, path, window, traded)
    yield from _frames("actions", _actions(market, instrument, path, window))
    told = list(_headlines(market, instrument, listing.name, drawn, window))
    yield from _frames("headlines", told)
    yield from _frames("headline_symbols", [_mention(row, instrument) for row in told])
    yield from _frames("documents", _documents(listing, window))


def _frames(table: str, rows: Rows) -> Frames:
    yield table, pa.Table.from_pylist(rows, schema=raw_schema(TABLES[table]))


def _rests(calendars: list[str]) -> Rows:
    """The days on which a simulated exchange rests though the real one traded."""
    return [
        {
            "calendar": calendar,
            "session": day,
            "timezone": timezone(calendar),
            "known_at": _RESTS_KNOWN_AT,
        }
        for calendar in dict.fromkeys(calendars)
        for day in simulation.RESTS.get(calendar, ())
    ]


def listed(universe: Universe, settings: Settings, last: date) -> Frames:
    """Instruments, symbols and memberships as known by the end of the session `last`."""
    begin = opening(settings)
    instruments: Rows = []
    spans: Rows = []
    sectors: dict[str, str] = {}
    for listing in listings(settings, universe):
        known = {"instrument_id": listing.instrument, "known_at": listed_at(begin)}
        traded = {"calendar": listing.market.calendar, "currency": listing.currency}
        instruments.append({"name": listing.name, "asset_class": "equity"} | traded | known)
        sectors[listing.instrument] = SECTOR + sector_of(listing.market, listing.instrument)
        spans.append(known | {"valid_from": begin, "valid_to": None})
        announced = listing.announced
        if announced and begin <= announced <= last:
            told_at = session_close(listing.market.calendar, announced)
            spans.append(spans[-1] | {"valid_to": listing.last, "known_at": told_at})
    yield from _frames("instruments", instruments)
    yield from _frames("symbols", [{"symbol": row["instrument_id"]} | row for row in spans])
    members = [{"universe": universe.name} | row for row in spans]
    members += [{"universe": sectors[row["instrument_id"]]} | row for row in spans]
    yield from _frames("memberships", members)


def bars(
    market: Market, instrument: str, path: Path, window: range, traded: list[bool]
) -> pa.Table:
    """Daily bars of the places in `window` that `traded` marks, misprints and restatements."""
    closes = [
        session_close(market.calendar, day) for day in market.days[window.start : window.stop]
    ]
    true = _printed(market, instrument, path, window, closes)
    wrong = market.uniforms(instrument, "misprint") < _MISPRINTS_PER_SESSION
    places = [i for i in window if wrong[i] and traded[i - window.start]]
    if not places:
        return true.filter(pa.array(traded))
    # The first print of these bars is one per cent too high; the true one is known later.
    close = np.where(wrong, np.round(path.close * 1.01, 4), path.close)
    misprint = replace(path, close=close, high=np.maximum(path.high, close))
    restated_at = [
        session_close(market.calendar, market.shift(market.days[i], _RESTATED_AFTER))
        for i in places
    ]
    restated = true.take(pa.array([i - window.start for i in places]))
    known_at = pa.array(restated_at, restated.schema.field("known_at").type)
    restated = restated.drop_columns("known_at").append_column("known_at", known_at)
    first = _printed(market, instrument, misprint, window, closes).filter(pa.array(traded))
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
                market.calendar, market.shift(market.days[i], -_DECLARED_BEFORE)
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


def _documents(listing: Listing, window: range) -> Rows:
    if not window:
        return []
    market, instrument = listing.market, listing.instrument
    first, last = market.days[window.start], market.days[window.stop - 1]
    return [
        {
            "source": NAME,
            "native_id": f"{instrument}-{filing.period_end:%Y%m%d}-{filing.form}",
            "instrument_id": instrument,
            "form": filing.form,
            "period_end": filing.period_end,
            "event_time": filing.filed_at,
            "text": filing.text,
            "text_hash": text_hash(filing.text),
            "known_at": filing.filed_at,
        }
        for filing in events.filings(market, instrument, listing.name, first, last)
    ]


def _observations(market: Market, first: date, last: date) -> Rows:
    return [asdict(value) | {"source": NAME} for value in events.values(market, first, last)]


def _mention(row: dict[str, Any], instrument: str) -> dict[str, Any]:
    kept = {name: row[name] for name in ("source", "native_id", "event_time", "known_at")}
    return kept | {"instrument_id": instrument}
