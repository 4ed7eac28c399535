"""Minute bars of a simulated session, appended at the pace at which they would have formed."""

import time
from collections.abc import Callable, Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from contracts.settings import Settings
from contracts.store import Store
from contracts.tables import BARS, TABLES
from contracts.universe import Universe
from etl.simulation import market as simulation
from etl.simulation import minutes
from etl.simulation.listing import Listing, listings
from etl.simulation.minutes import Day
from etl.simulation.news import news
from etl.source import SOURCES, Cause, SourceError
from etl.sources import simulated

_AT_ONCE = 30  # minutes of one append when no time is to pass
_PAUSE = 1.0  # seconds between appends, at least


def session_minutes(settings: Settings, universe: Universe, session: date) -> pa.Table:
    """All minute bars of the universe's session, in time; the same at every call.

    They add up to the daily bars as these are in the end, misprints corrected. Raises
    SourceError (closed) when no instrument trades that day.
    """
    frames = [
        _minutes_of(listing, place, session)
        for listing in listings(settings, universe, session)
        for place in listing.days(session, session)
        if listing.trades(session)
    ]
    if not frames:
        raise SourceError(Cause.CLOSED, f"no simulated instrument trades on {session}")
    order = [("event_time", "ascending"), ("instrument_id", "ascending")]
    return pa.concat_tables(frames).sort_by(order)


def _minutes_of(listing: Listing, place: int, session: date) -> pa.Table:
    market, instrument = listing.market, listing.instrument
    path = simulation.path(market, instrument, news(market, instrument).sentiment)
    draw = market.stream(instrument, "minutes", str(session))
    day = Day.of(path, place)
    return minutes.bars(instrument, simulated.NAME, market.calendar, session, day, draw)


def replay(
    store: Store,
    settings: Settings,
    universe: Universe,
    session: date,
    speed: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[int, int]]:
    """Append the session's minutes at `speed` times real time (0: without waiting).

    Yields (rows added, rows there already) of each append, and appends the universe's listing
    first, so that the minutes belong to known instruments. A repeat adds nothing.
    """
    frame = session_minutes(settings, universe, session)
    origin = SOURCES.get(simulated.NAME).provenance("replay", settings)
    begin = simulated.opening(settings)
    if session < begin:
        raise SourceError(Cause.EMPTY, f"the simulated market opens on {begin}")
    for name, listed in simulated.listed(universe, settings, session):
        store.append(TABLES[name], listed.select(TABLES[name].names), origin)
    started = time.monotonic()
    for due, part in _paced(frame, speed):
        sleep(max(0.0, started + due - time.monotonic()))
        load = store.append(BARS, part, origin)
        yield load.added, load.dropped


def _paced(frame: pa.Table, speed: float) -> Iterator[tuple[float, pa.Table]]:
    """Parts of the frame in time, each with the seconds after which it has formed."""
    ends = frame["event_time"].unique().to_pylist()
    start = frame["start_time"][0].as_py()
    step = max(1, round(_PAUSE * speed / 60)) if speed else _AT_ONCE
    for i in range(0, len(ends), step):
        part = frame.filter(pc.is_in(frame["event_time"], pa.array(ends[i : i + step])))
        last = part["event_time"][-1].as_py()
        yield (last - start).total_seconds() / speed if speed else 0.0, part
