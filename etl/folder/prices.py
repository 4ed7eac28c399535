"""Bars, actions and instruments of a folder, typed and placed on their calendars."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl

from etl.folder.tabular import MOMENT, parts, tables
from etl.sheet import eve, sheet
from etl.source import Cause, SourceError

_TEXT, _REAL, _DAY = pl.String(), pl.Float64(), pl.Date()
_BARS = {"symbol": _TEXT, "session": _DAY, "event_time": MOMENT, "known_at": MOMENT}
_BARS |= dict.fromkeys(("open", "high", "low", "close", "volume"), _REAL)
_BARS |= {"interval": _TEXT, "adjustment": _TEXT}
_ACTIONS = {"symbol": _TEXT, "ex_date": _DAY, "kind": _TEXT, "value": _REAL, "known_at": MOMENT}
_LISTED = ("symbol", "name", "calendar", "currency", "asset_class", "sector")
_INSTRUMENTS = dict.fromkeys(_LISTED, _TEXT)


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
        closes = sheet([calendar, *listed["calendar"]])
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


def actions(folder: Path) -> Iterator[pl.DataFrame]:
    """The actions of each file, known on their eve unless the file says when. Raises
    SourceError."""
    needed = ("symbol", "ex_date", "kind", "value")
    for frame in tables(parts(folder, "actions"), _ACTIONS, needed):
        yield frame.with_columns(
            pl.col("symbol").str.to_uppercase().alias("instrument_id"),
            pl.coalesce("known_at", eve("ex_date")),
        )
