"""A folder of bars, actions and headlines; docs/files_layout.md describes the layout."""

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.amendments import stating
from contracts.calendar import last_session
from contracts.settings import Settings
from contracts.tables import SECTOR, TABLES
from etl.folder import headlines, prices
from etl.folder import sessions as stated
from etl.folder.headlines import Headline
from etl.folder.tabular import parts
from etl.sheet import Window, eve, owner, spans, window
from etl.source import (
    FAULT,
    Cause,
    Extent,
    Frames,
    Request,
    SourceError,
    raw_schema,
    source,
    text_hash,
)

NAME = "files"
_CHUNK = 20_000  # headlines held at a time


def folder_of(settings: Settings) -> Path:
    """The folder to read; raises SourceError when it is unset, absent or holds no bars."""
    expected = "expected a folder with bars.csv, bars.parquet or bars/ (docs/files_layout.md)"
    folder = settings.data
    if folder is None:
        raise SourceError(Cause.EMPTY, f"FINPULSE_DATA is unset: {expected}")
    if not folder.is_dir():
        raise SourceError(Cause.UNREACHABLE, f"{folder} is no folder: {expected}")
    if not parts(folder, "bars"):
        found = sorted(path.name for path in folder.iterdir())[:10]
        raise SourceError(Cause.EMPTY, f"{folder} holds no bars, found {found}: {expected}")
    return folder


def extent(settings: Settings, now: datetime) -> Extent:
    """The sessions that own the folder's first and last bar of those closed by `now`.

    The last is the newest session closed by `now` where that bar belongs to the next.
    """
    folder, calendar = folder_of(settings), settings.calendar
    with stating(stated.read(folder, calendar).told):
        listed = prices.instruments(folder, calendar)
        spans = [
            _sound(frame, now).select(begins=pl.min("event_time"), ends=pl.max("event_time"))
            for frame in prices.bars(folder, calendar, listed)
        ]
        begins, ends = pl.concat(spans).select(pl.min("begins"), pl.max("ends")).row(0)
        if begins is None:
            raise SourceError(Cause.EMPTY, f"no row of the bars in {folder} can be read")
        newest = last_session(calendar, now)
        return min(owner(calendar, begins), newest), min(owner(calendar, ends), newest)


@source(
    NAME,
    origin="real",
    extent=extent,
    tables=(
        "trading_sessions",
        "instruments",
        "symbols",
        "memberships",
        "bars",
        "actions",
        "headlines",
        "headline_symbols",
    ),
)
def files(request: Request) -> Frames:
    """Deliver the folder's rows of the sessions asked for, and all that cannot be read."""
    calendar = request.settings.calendar
    folder = folder_of(request.settings)
    sessions = stated.read(folder, calendar)
    with stating(sessions.told):
        yield from sessions.frames
        yield from _facts(request, folder, window(calendar, request.first, request.last))


def _facts(request: Request, folder: Path, owned: Window) -> Frames:
    calendar = request.settings.calendar
    listed = prices.instruments(folder, calendar)
    seen = []
    # A row whose date is no session of its calendar has no time: it goes by its date. One beyond
    # what the calendar knows belongs to no session, and is told as one without a date is.
    within = pl.col("session").is_between("known_from", "known_until")
    of_bars = pl.when(within).then(pl.coalesce(owned.at("event_time"), owned.on("session")))
    reach = spans([calendar, *listed["calendar"]])
    for bars in prices.bars(folder, calendar, listed):
        frame = bars.join(reach, on="calendar", how="left", maintain_order="left")
        sound = _sound(frame, request.collected_at)
        seen.append(sound.group_by("symbol").agg(valid_from=pl.min("session")))
        yield "bars", _cut(frame, "bars", of_bars)
    # A symbol is known by its bars, wherever in time they lie.
    first = pl.concat(seen).group_by("symbol").agg(pl.min("valid_from")).sort("symbol")
    known = first.join(listed, on="symbol", how="left", maintain_order="left")
    yield from _listings(known, request.universe, calendar)
    for frame in prices.actions(folder):
        yield "actions", _cut(frame, "actions", owned.on("ex_date"))
    yield from _headlines(folder, owned, set(known["symbol"]))


def _sound(frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    named = pl.col(FAULT).is_null() & pl.col("symbol").is_not_null()
    return frame.filter(named & (pl.col("closes") <= now))


def _cut(frame: pl.DataFrame, table: str, owned: pl.Expr) -> pa.Table:
    lost = owned.is_null() | pl.col(FAULT).is_not_null()
    named = frame.filter(owned | lost).with_columns(pl.lit(NAME).alias("source"))
    return named.select(
        [n for n in raw_schema(TABLES[table]).names if n in named.columns]
    ).to_arrow()


def _listings(known: pl.DataFrame, universe: str, calendar: str) -> Frames:
    rows = known.select(
        "symbol",
        "valid_from",
        pl.col("symbol").alias("instrument_id"),
        pl.lit(universe).alias("universe"),
        pl.coalesce("name", "symbol").alias("name"),
        pl.col("calendar").fill_null(calendar),
        pl.col("currency").fill_null("USD"),
        pl.col("asset_class").fill_null("equity"),
        eve("valid_from").alias("known_at"),
        (SECTOR + pl.col("sector")).alias("sector"),
    )
    sectors = rows.with_columns(universe="sector").drop_nulls("universe")
    told = {"instruments": rows, "symbols": rows, "memberships": pl.concat([rows, sectors])}
    for table, frame in told.items():
        names = [n for n in TABLES[table].names if n in frame.columns]
        yield table, frame.select(names).to_arrow()


def _headlines(folder: Path, owned: Window, known: set[str]) -> Frames:
    chunk: list[Headline] = []
    for path in parts(folder, "headlines", ("jsonl", "parquet")):
        for headline in headlines.read(path):
            if headline.at is None or owned.holds(headline.at):
                chunk.append(headline)
            if len(chunk) >= _CHUNK:
                yield from _told(chunk, known)
                chunk = []
    yield from _told(chunk, known)


def _told(chunk: list[Headline], known: set[str]) -> Frames:
    rows: dict[str, list[dict[str, Any]]] = {"headlines": [], "headline_symbols": []}
    for item in chunk:
        lost = bool(item.symbols) and not known.intersection(item.symbols)
        fault = item.fault or ("unknown symbol" if lost else None)
        row: dict[str, Any] = {"source": NAME, "fault": fault, "raw": item.raw if fault else None}
        if item.fault is None:
            row |= {"native_id": item.native_id, "event_time": item.at, "known_at": item.known_at}
            row |= {"text": item.text, "text_hash": text_hash(item.text), "url": item.url}
        rows["headlines"].append(row)
        if fault is None:
            rows["headline_symbols"] += [_mention(row, symbol, known) for symbol in item.symbols]
    for table, found in rows.items():
        yield table, pa.Table.from_pylist(found, schema=raw_schema(TABLES[table]))


def _mention(row: dict[str, Any], symbol: str, known: set[str]) -> dict[str, Any]:
    fault = None if symbol in known else "unknown symbol"
    kept = {name: row[name] for name in ("source", "native_id", "event_time", "known_at")}
    return kept | {"instrument_id": symbol, "fault": fault}
