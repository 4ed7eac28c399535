"""A folder of bars, actions and headlines; docs/files_layout.md describes the layout."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.settings import Settings
from contracts.tables import SECTOR, TABLES
from contracts.time.amendments import stating
from contracts.time.calendar import last_session
from contracts.universe import Universe
from etl.account import Account
from etl.folder import headlines, prices
from etl.folder import trading_sessions as folder_sessions
from etl.folder.contents import Contents, contents
from etl.folder.headlines import Headline
from etl.folder.instruments import Listed, instruments
from etl.sessions import Window, eve, owner, spans, window
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
from etl.splits import as_traded

NAME = "files"
_CHUNK = 20_000  # headlines held at a time


_FORM = "symbol,session,open,high,low,close,volume (docs/files_layout.md)"


def folder_of(settings: Settings) -> tuple[Path, Contents]:
    """The folder to read and its files; raises SourceError when it is unset, absent or holds no
    bars."""
    expected = (
        "expected a folder with bars.csv, bars.parquet, bars/, or a CSV per symbol "
        "(docs/files_layout.md)"
    )
    folder = settings.data
    if folder is None:
        raise SourceError(Cause.EMPTY, f"FINPULSE_DATA is unset: {expected}")
    if not folder.is_dir():
        raise SourceError(Cause.UNREACHABLE, f"{folder} is no folder: {expected}")
    held = contents(folder)
    if not held.of("bars"):
        found = sorted(path.name for path in folder.iterdir())[:10]
        raise SourceError(Cause.EMPTY, f"{folder} holds no bars, found {found}: {expected}")
    return folder, held


def extent(universe: Universe, settings: Settings, now: datetime) -> Extent:
    """The sessions that own the folder's first and last bar of those closed by `now`.

    The last is the newest session closed by `now` where that bar belongs to the next.
    """
    folder, held = folder_of(settings)
    with stating(folder_sessions.read(held, universe.calendar).told):
        return _extent(folder, held, universe.calendar, now)


def _extent(folder: Path, held: Contents, calendar: str, now: datetime) -> Extent:
    account = Account()
    listed = instruments(held, account).symbols
    moments: list[datetime] = []
    refused = ""
    for each in prices.prices(held, calendar, listed, account):
        sound = _sound(each.bars, now)["event_time"].drop_nulls()
        if len(sound):
            moments += [sound.min(), sound.max()]  # type: ignore[list-item]
        refused = refused or _first_refused(each, now)
    if not moments:
        why = refused or next((f"{k}: {v}" for k, v in account.unread.items()), "it holds none")
        raise SourceError(
            Cause.EMPTY, f"no row of the bars in {folder} can be read: {why}; expected {_FORM}"
        )
    newest = last_session(calendar, now)
    first, last = (min(owner(calendar, end(moments)), newest) for end in (min, max))
    return first, last


def _first_refused(each: prices.Prices, now: datetime) -> str:
    lost = each.bars.filter(
        pl.col(FAULT).is_not_null() | ~(pl.col("closes") <= now).fill_null(False)
    )
    if not lost.height:
        return ""
    row = lost.row(0, named=True)
    early = "bar is still forming" if row["closes"] else "date is no session of the calendar"
    shown = row[RAW] or ", ".join(str(row[name]) for name in ("symbol", "session", "close"))
    return f"{each.file} line {row['line']}: {row[FAULT] or early} ({shown[:200]})"


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
    _, held = folder_of(request.settings)
    calendar = request.universe.calendar
    sessions = folder_sessions.read(held, calendar)
    request.account.unread.update(held.unread)
    with stating(sessions.told):
        if sessions.rows:
            request.account.read["trading_sessions"] += len(sessions.rows)
            yield from sessions.frames
        yield from _facts(request, held, window(calendar, request.first, request.last))


def _facts(request: Request, held: Contents, owned: Window) -> Frames:
    calendar, account = request.universe.calendar, request.account
    listed = instruments(held, account)
    today = request.collected_at.date()
    told = list(prices.actions(held, account))
    stated = prices.splits(told, today)
    seen, beside = [], []
    for each in prices.prices(held, calendar, listed.symbols, account):
        sound = _sound(each.bars, request.collected_at)
        seen.append(
            sound.group_by("symbol").agg(
                pl.min("session").alias("valid_from"), pl.first("calendar", "currency")
            )
        )
        inside = pl.concat([stated, prices.splits([each.actions], today)])
        account.read["actions"] += each.actions.height
        paid = prices.as_paid(each.actions, inside)
        beside.append(_cut(paid, "actions", owned.on("ex_date"), "ex_date", request))
        traded = as_traded(each.bars, "session", inside)
        yield "bars", _bars(traded, owned, request)
    if not seen:
        raise SourceError(Cause.EMPTY, f"no file of bars can be read: {account.unread}")
    # A symbol is known by its bars, wherever in time they lie.
    first = (
        pl.concat(seen)
        .group_by("symbol", maintain_order=True)
        .agg(pl.min("valid_from"), pl.first("calendar", "currency"))
    )
    known = first.sort("symbol").join(
        listed.symbols.drop(FAULT, "calendar"),
        on="symbol",
        how="left",
        maintain_order="left",
        suffix="_listed",
    )
    yield from _instruments(listed, known, request)
    yield from _listings(known, request)
    for frame in beside:
        yield "actions", frame
    for found in told:
        paid = prices.as_paid(found, stated)
        yield "actions", _cut(paid, "actions", owned.on("ex_date"), "ex_date", request)
    yield from _headlines(held, request, owned, set(known["symbol"]))


def _bars(bars: pl.DataFrame, owned: Window, request: Request) -> pa.Table:
    reach = spans(bars["calendar"].drop_nulls().unique())
    frame = bars.join(reach, on="calendar", how="left", maintain_order="left")
    # A row whose date is no session of its calendar has no time: it goes by its date. One beyond
    # what the calendar knows belongs to no session, and is told as one without a date is.
    within = pl.col("session").is_between("known_from", "known_until")
    mine = pl.when(within).then(pl.coalesce(owned.at("event_time"), owned.on("session")))
    return _cut(_without_future(frame, request), "bars", mine, "session", request)


def _sound(frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    named = pl.col(FAULT).is_null() & pl.col("symbol").is_not_null() & pl.col(OUTSIDE).is_null()
    return frame.filter(named & (pl.col("closes") <= now))


def _without_future(bars: pl.DataFrame, request: Request) -> pl.DataFrame:
    """A session that lies days ahead is a mistyped one, whatever is asked for."""
    late = pl.col("session") > request.collected_at.date() + timedelta(days=1)
    fault = pl.format("session lies in the future: {}", "session")
    return bars.with_columns(pl.coalesce(FAULT, pl.when(late).then(fault)).alias(FAULT))


def _cut(frame: pl.DataFrame, table: str, owned: pl.Expr, day: str, request: Request) -> pa.Table:
    """The rows under the table's names; those that the range does not own are outside."""
    other = pl.lit(f"{day} outside {request.first} to {request.last}")
    before = pl.col(OUTSIDE) if OUTSIDE in frame.columns else pl.lit(None, pl.String)
    outside = pl.when(pl.col(FAULT).is_null()).then(
        pl.coalesce(before, pl.when(~owned).then(other))
    )
    named = frame.with_columns(pl.lit(NAME).alias("source"), outside.alias(OUTSIDE))
    names = [*raw_schema(TABLES[table]).names, OUTSIDE]
    return named.select([n for n in names if n in named.columns]).to_arrow()


def _instruments(listed: Listed, known: pl.DataFrame, request: Request) -> Frames:
    """What is not taken of the list; symbols that it lacks count as read where their bars are."""
    listed_ = listed.symbols.filter(pl.col(FAULT).is_null())
    idle = listed_.join(known, on="symbol", how="anti").select(
        pl.col("symbol").alias("instrument_id"),
        pl.lit("listed, but has no bars").alias(OUTSIDE),
    )
    unlisted = known.join(listed_, on="symbol", how="anti").height
    request.account.read["instruments"] += unlisted
    for frame in (listed.refused, idle):
        if frame.height:
            yield "instruments", frame.to_arrow()


def _listings(known: pl.DataFrame, request: Request) -> Frames:
    universe = request.universe
    rows = known.select(
        "symbol",
        "valid_from",
        pl.col("symbol").alias("instrument_id"),
        pl.lit(universe.name).alias("universe"),
        pl.coalesce("name", "symbol").alias("name"),
        "calendar",
        pl.coalesce("currency_listed", "currency", pl.lit("USD")).alias("currency"),
        pl.col("asset_class").fill_null("equity"),
        eve("valid_from").alias("known_at"),
        (SECTOR + pl.col("sector")).alias("sector"),
    )
    sectors = rows.with_columns(universe="sector").drop_nulls("universe")
    named = universe.symbols or rows["symbol"].to_list()
    if absent := sorted(set(named) - set(rows["symbol"])):
        request.account.notes[universe.name] = f"no bars of {', '.join(absent)}, which belong to it"
    members = rows.filter(pl.col("symbol").is_in(named))
    told = {"instruments": rows, "symbols": rows, "memberships": pl.concat([members, sectors])}
    for table, frame in told.items():
        names = [n for n in TABLES[table].names if n in frame.columns]
        yield table, frame.select(names).to_arrow()


def _headlines(held: Contents, request: Request, owned: Window, known: set[str]) -> Frames:
    now = request.collected_at
    for found in held.of("headlines"):
        chunk: list[Headline] = []
        try:
            for headline in headlines.read(found, known):
                request.account.read["headlines"] += 1
                chunk.append(headline)
                if len(chunk) >= _CHUNK:
                    yield from _told(chunk, known, owned, now)
                    chunk = []
        except SourceError as error:
            if not found.alone:
                raise
            request.account.unread[found.name] = str(error).removeprefix("empty: ")
        yield from _told(chunk, known, owned, now)


def _told(chunk: list[Headline], known: set[str], owned: Window, now: datetime) -> Frames:
    rows: dict[str, list[dict[str, Any]]] = {"headlines": [], "headline_symbols": []}
    for item in chunk:
        lost = bool(item.symbols) and not known.intersection(item.symbols)
        # What lies in the future is refused, whatever is asked for.
        there = item.at is None or owned.holds(item.at) or item.at > now
        fault = item.fault or ("unknown symbol" if lost and there else None)
        row: dict[str, Any] = {"source": NAME, FAULT: fault, RAW: item.raw if fault else None}
        row[OUTSIDE] = None if there else f"published outside {owned.after} to {owned.until}"
        if item.fault is None:
            row |= {"native_id": item.native_id, "event_time": item.at, "known_at": item.known_at}
            row |= {"text": item.text, "text_hash": text_hash(item.text), "url": item.url}
        rows["headlines"].append(row)
        if fault is None and there:
            rows["headline_symbols"] += [_mention(row, symbol, known) for symbol in item.symbols]
    for table, found in rows.items():
        schema = raw_schema(TABLES[table])
        if table == "headlines":
            schema = schema.append(pa.field(OUTSIDE, pa.string()))
        yield table, pa.Table.from_pylist(found, schema=schema)


def _mention(row: dict[str, Any], symbol: str, known: set[str]) -> dict[str, Any]:
    fault = None if symbol in known else "unknown symbol"
    kept = {name: row[name] for name in ("source", "native_id", "event_time", "known_at")}
    return kept | {"instrument_id": symbol, "fault": fault}
