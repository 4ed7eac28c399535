"""Bars, actions and instruments of a folder, typed and placed on their calendars."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from etl.folder.tabular import MOMENT, parts, tables
from etl.sheet import eve, sheet
from etl.source import FAULT, Cause, SourceError
from etl.splits import as_traded

_TEXT, _REAL, _DAY = pl.String(), pl.Float64(), pl.Date()
_BARS = {"symbol": _TEXT, "session": _DAY, "event_time": MOMENT, "known_at": MOMENT}
_BARS |= dict.fromkeys(("open", "high", "low", "close", "volume"), _REAL)
_BARS |= {"interval": _TEXT, "adjustment": _TEXT}
_ACTIONS = {"symbol": _TEXT, "ex_date": _DAY, "kind": _TEXT, "value": _REAL, "known_at": MOMENT}
_ACTIONS |= dict.fromkeys(("id", "currency", "withdrawn", "adjustment"), _TEXT)
_LISTED = ("symbol", "name", "calendar", "currency", "asset_class", "sector")
_INSTRUMENTS = dict.fromkeys(_LISTED, _TEXT)
# Every session that a calendar knows: a row's date may be anything.
_EARLIEST, _LATEST = date(1990, 1, 1), date(2100, 1, 1)


def instruments(folder: Path, calendar: str) -> pl.DataFrame:
    """What instruments.csv says, one row per symbol; empty when there is none."""
    frames = list(tables(parts(folder, "instruments"), _INSTRUMENTS, ("symbol",), quoted=True))
    empty = pl.DataFrame(schema=_INSTRUMENTS)
    listed = pl.concat([empty, *(frame.select(list(_INSTRUMENTS)) for frame in frames)])
    return listed.with_columns(
        pl.col("symbol").str.to_uppercase(), pl.col("calendar").fill_null(calendar)
    ).unique("symbol", keep="first", maintain_order=True)


def bars(folder: Path, calendar: str, listed: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The bars of each file; `closes` is null where the date is no session.

    listed: the answer of `instruments`. calendar: that of all other symbols. Raises SourceError.
    """
    try:
        closes = sheet([calendar, *listed["calendar"]], _EARLIEST, _LATEST)
    except ValueError as error:
        raise SourceError(Cause.UNKNOWN, f"instruments of {folder}: {error}") from error
    needed = ("symbol", "open", "high", "low", "close", "volume")
    for frame in tables(parts(folder, "bars"), _BARS, needed):
        named = frame.with_columns(pl.col("symbol").str.to_uppercase()).join(
            listed.select("symbol", "calendar"), on="symbol", how="left", maintain_order="left"
        )
        filled = named.with_columns(
            pl.col("calendar").fill_null(calendar),
            pl.col("interval").fill_null("1d"),
            pl.col("adjustment").fill_null("none"),
        )
        yield _dated(_placed(filled, closes), closes)


def _placed(frame: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Where only a time is given, the session is the first that closes at or after it."""
    if not frame["session"].null_count() or frame["event_time"].null_count() == frame.height:
        return frame
    found = (
        frame.drop("session")
        .with_row_index("place")
        .sort("event_time")
        .join_asof(
            closes.select("calendar", "session", "closes").sort("closes"),
            left_on="event_time",
            right_on="closes",
            by="calendar",
            strategy="forward",
        )
        .sort("place")
    )
    return frame.with_columns(pl.coalesce(frame["session"], found["session"]).alias("session"))


def _dated(frame: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """A bar without a time is a session's, and is known when its time has come."""
    dated = frame.join(closes, on=["calendar", "session"], how="left", maintain_order="left")
    minute = pl.col("interval") == "1m"
    dated = dated.with_columns(
        pl.when(minute).then("event_time").otherwise(pl.coalesce("event_time", "closes"))
    )
    return dated.with_columns(
        pl.col("symbol").alias("instrument_id"),
        pl.when(minute).then(pl.col("event_time") - timedelta(minutes=1)).alias("start_time"),
        pl.coalesce("known_at", "event_time"),
    )


def actions(folder: Path, today: date) -> Iterator[pl.DataFrame]:
    """The actions of each file as of their ex-dates, known on their eve unless the file says when.

    today: up to which the splits are inside of what is split-adjusted. Raises SourceError.
    """
    inside = splits(folder, today)
    for frame in _actions(folder):
        moved = as_traded(frame, "ex_date", inside, ("value",))
        paid = pl.when(kind="dividend").then(moved["value"]).otherwise("value")
        yield frame.with_columns(paid.alias("value"))


def splits(folder: Path, today: date) -> pl.DataFrame:
    """Columns symbol, ex_date, value of the splits up to `today` that stand."""
    found = [_SPLITS.clear()]
    key = ["symbol", "ex_date"]
    for frame in _actions(folder):
        sound = frame.filter(pl.col(FAULT).is_null(), pl.col("value") > 0, kind="split")
        gone = sound.filter("withdrawn")
        stands = sound.filter(~pl.col("withdrawn"), pl.col("ex_date") <= today)
        found.append(stands.join(gone, on=key, how="anti").select(_SPLITS.columns))
    return pl.concat(found)


_SPLITS = pl.DataFrame(schema={"symbol": _TEXT, "ex_date": _DAY, "value": _REAL})
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


def _actions(folder: Path) -> Iterator[pl.DataFrame]:
    needed = ("symbol", "ex_date", "kind", "value")
    told = pl.col("withdrawn").str.to_lowercase()
    unclear = pl.format("withdrawn is neither true nor false: {}", "withdrawn")
    for frame in tables(parts(folder, "actions"), _ACTIONS, needed):
        yield frame.with_columns(
            pl.col("symbol").str.to_uppercase(),
            pl.col("symbol").str.to_uppercase().alias("instrument_id"),
            pl.coalesce("known_at", eve("ex_date")),
            told.is_in(_YES).fill_null(False).alias("withdrawn"),
            pl.coalesce(FAULT, pl.when(~told.is_in((*_YES, *_NO))).then(unclear)).alias(FAULT),
        )
