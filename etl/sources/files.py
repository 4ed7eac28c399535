"""A folder of bars, actions and headlines; docs/files_layout.md describes the layout."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.settings import Settings
from contracts.tables import SECTOR, TABLES
from etl.account import Account
from etl.folder import headlines, prices
from etl.folder.contents import Contents, contents
from etl.folder.headlines import Headline
from etl.folder.instruments import Listed, instruments
from etl.sheet import days_asked, eve, news_window
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


def extent(settings: Settings, now: datetime) -> Extent:
    """The first and last session of the folder's bars that had closed by `now`."""
    folder, held = folder_of(settings)
    account = Account()
    listed = instruments(held, account).symbols
    first = last = None
    refused = ""
    for each in prices.prices(held, settings.calendar, listed, account):
        low, high = _sound(each.bars, now).select(a=pl.min("session"), b=pl.max("session")).row(0)
        first = min(first or low, low or first) if low or first else None
        last = max(last or high, high or last) if high or last else None
        refused = refused or _first_refused(each, now)
    if first is None or last is None:
        why = refused or next((f"{k}: {v}" for k, v in account.unread.items()), "it holds none")
        raise SourceError(
            Cause.EMPTY, f"no row of the bars in {folder} can be read: {why}; expected {_FORM}"
        )
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
    calendar, account = request.settings.calendar, request.account
    _, held = folder_of(request.settings)
    account.unread.update(held.unread)
    days_asked(calendar, request.first, request.last)
    listed = instruments(held, account)
    today = request.collected_at.date()
    stated = list(prices.actions(held, account))
    seen, beside = [], []
    for each in prices.prices(held, calendar, listed.symbols, account):
        sound = _sound(each.bars, request.collected_at)
        seen.append(
            sound.group_by("symbol").agg(
                pl.min("session").alias("valid_from"), pl.first("calendar", "currency")
            )
        )
        inside = prices.splits([*stated, each.actions], today)
        account.read["actions"] += each.actions.height
        paid = prices.as_paid(each.actions, inside)
        beside.append(_cut(paid, "actions", "ex_date", request))
        # Where nobody states splits, split-adjusted prices stay as they were delivered.
        known_splits = each.splits or bool(held.of("actions"))
        traded = as_traded(each.bars, "session", inside) if known_splits else each.bars
        yield "bars", _cut(_without_future(traded, request), "bars", "session", request)
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
    yield from _listings(known, request.universe)
    for frame in beside:
        yield "actions", frame
    inside = prices.splits(stated, today)
    for found in stated:
        yield "actions", _cut(prices.as_paid(found, inside), "actions", "ex_date", request)
    yield from _headlines(held, request, set(known["symbol"]))


def _sound(frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    named = pl.col(FAULT).is_null() & pl.col("symbol").is_not_null() & pl.col(OUTSIDE).is_null()
    return frame.filter(named & (pl.col("closes") <= now))


def _without_future(bars: pl.DataFrame, request: Request) -> pl.DataFrame:
    """A session that lies days ahead is a mistyped one, whatever is asked for."""
    late = pl.col("session") > request.collected_at.date() + timedelta(days=1)
    fault = pl.format("session lies in the future: {}", "session")
    return bars.with_columns(pl.coalesce(FAULT, pl.when(late).then(fault)).alias(FAULT))


def _cut(frame: pl.DataFrame, table: str, day: str, request: Request) -> pa.Table:
    """The rows under the table's names; those of other days are marked as outside."""
    other = pl.lit(f"{day} outside {request.first} to {request.last}")
    elsewhere = (~pl.col(day).is_between(request.first, request.last)).fill_null(False)
    before = pl.col(OUTSIDE) if OUTSIDE in frame.columns else pl.lit(None, pl.String)
    outside = pl.when(pl.col(FAULT).is_null()).then(
        pl.coalesce(before, pl.when(elsewhere).then(other))
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


def _listings(known: pl.DataFrame, universe: str) -> Frames:
    rows = known.select(
        "symbol",
        "valid_from",
        pl.col("symbol").alias("instrument_id"),
        pl.lit(universe).alias("universe"),
        pl.coalesce("name", "symbol").alias("name"),
        "calendar",
        pl.coalesce("currency_listed", "currency", pl.lit("USD")).alias("currency"),
        pl.col("asset_class").fill_null("equity"),
        eve("valid_from").alias("known_at"),
        (SECTOR + pl.col("sector")).alias("sector"),
    )
    sectors = rows.with_columns(universe="sector").drop_nulls("universe")
    told = {"instruments": rows, "symbols": rows, "memberships": pl.concat([rows, sectors])}
    for table, frame in told.items():
        names = [n for n in TABLES[table].names if n in frame.columns]
        yield table, frame.select(names).to_arrow()


def _headlines(held: Contents, request: Request, known: set[str]) -> Frames:
    window = news_window(request.settings.calendar, request.first, request.last)
    for found in held.of("headlines"):
        chunk: list[Headline] = []
        try:
            for headline in headlines.read(found, known):
                request.account.read["headlines"] += 1
                chunk.append(headline)
                if len(chunk) >= _CHUNK:
                    yield from _told(chunk, known, window, request.collected_at)
                    chunk = []
        except SourceError as error:
            if not found.alone:
                raise
            request.account.unread[found.name] = str(error).removeprefix("empty: ")
        yield from _told(chunk, known, window, request.collected_at)


def _told(
    chunk: list[Headline], known: set[str], window: tuple[datetime, datetime], now: datetime
) -> Frames:
    after, until = window
    rows: dict[str, list[dict[str, Any]]] = {"headlines": [], "headline_symbols": []}
    for item in chunk:
        lost = bool(item.symbols) and not known.intersection(item.symbols)
        # What lies in the future is refused, whatever is asked for.
        there = item.at is None or after < item.at <= until or item.at > now
        fault = item.fault or ("unknown symbol" if lost and there else None)
        row: dict[str, Any] = {"source": NAME, FAULT: fault, RAW: item.raw if fault else None}
        row[OUTSIDE] = None if there else f"published outside {after} to {until}"
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
