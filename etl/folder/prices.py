"""Bars, actions and instruments of a folder, typed and placed on their calendars."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
import pyarrow as pa

from etl.account import Account
from etl.folder.contents import Contents, Found
from etl.folder.layouts import BOARDS, NEEDED, Layout, layout_of
from etl.folder.tabular import LAYOUT, Delivered, cell_of, delivered, frame, stored
from etl.parsing import cells
from etl.parsing.columns import DAY, MOMENT, NUMBER, SYMBOL, TEXT
from etl.sessions import eve, sheet
from etl.source import FAULT, OUTSIDE, RAW, Cause, SourceError
from etl.splits import as_traded

_BARS = {"symbol": SYMBOL, "session": DAY, "event_time": MOMENT, "known_at": MOMENT}
_BARS |= dict.fromkeys(NEEDED, NUMBER) | {"interval": TEXT, "adjustment": TEXT}
_ACTIONS = {"symbol": SYMBOL, "ex_date": DAY, "kind": TEXT, "value": NUMBER, "known_at": MOMENT}
_ACTIONS |= dict.fromkeys(("id", "currency", "withdrawn", "adjustment"), TEXT)


@dataclass(frozen=True)
class Prices:
    """What one file says: its bars, and the actions that stand beside them."""

    file: str
    bars: pl.DataFrame
    actions: pl.DataFrame


def prices(
    held: Contents, calendar: str, listed: pl.DataFrame, account: Account
) -> Iterator[Prices]:
    """The bars of each file; `closes` is null where the date is no session.

    listed: the answer of `etl.folder.instruments.instruments`. calendar: that of all other
    symbols. A file of a folder of files that cannot be read is left, and the account says so.
    Raises SourceError.
    """
    closes = sheet([calendar, *listed["calendar"].drop_nulls()])
    for found in held.of("bars"):
        try:
            rows, layout = _read(found)
        except SourceError as error:
            if not found.alone:
                raise
            account.unread[found.name] = str(error).removeprefix("empty: ")
            continue
        account.read["bars"] += rows.height
        if layout.note:
            account.notes[found.name] = f"read as {layout.name}: {layout.note}"
        if layout.calendar and not (closes["calendar"] == layout.calendar).any():
            closes = pl.concat([closes, sheet([layout.calendar])])
        typed = _typed(found, rows, layout).join(
            listed.select("symbol", "calendar", pl.col(FAULT).alias("unlisted")),
            on="symbol",
            how="left",
            maintain_order="left",
        )
        filled = typed.with_columns(
            pl.col("calendar").fill_null(layout.calendar or calendar),
            pl.lit(layout.currency, pl.String).alias("currency"),
            pl.coalesce(FAULT, "unlisted").alias(FAULT),
        ).drop("unlisted")
        bars = _dated(_placed(filled, closes), closes)
        yield Prices(found.name, bars, _beside(rows, layout, bars))


def _read(found: Found) -> tuple[Delivered, Layout]:
    rows = delivered(found)
    layout = layout_of(rows.header)
    if layout is None:
        expected = f"a date (session) and {list(NEEDED)}"
    elif "symbol" in layout.called(rows.header) or found.alone:
        return rows, layout
    else:
        expected = "a symbol in each row, or files called by their symbol in the folder bars/"
    raise SourceError(
        Cause.EMPTY,
        f"{found.path} lacks the columns that make bars, found {rows.header[:20]}: expected "
        f"{expected}; {LAYOUT}",
    )


def _typed(found: Found, rows: Delivered, layout: Layout) -> pl.DataFrame:
    """The bars with everything said that the file or its layout says once for all."""
    called = layout.called(rows.header)
    kinds = _BARS | ({"series": TEXT} if layout.series else {})
    typed = frame(rows, called | ({"series": layout.series} if layout.series else {}), kinds)
    if "symbol" not in called:
        named, wrong = cells.symbol(found.symbol)
        typed = typed.with_columns(pl.lit(named, pl.String).alias("symbol"))
        if wrong:
            typed = typed.with_columns(pl.lit(f"symbol {wrong}: {found.name}").alias(FAULT))
    interval = pl.col("interval").replace({"D": "1d"}).fill_null("1d")
    boards = pl.col("series").is_in(BOARDS) if layout.series else pl.lit(True)
    elsewhere = pl.lit(f"series other than {', '.join(BOARDS)}")
    typed = typed.with_columns(
        interval.alias("interval"),
        pl.col("adjustment").fill_null(layout.adjustment),
        pl.when(~boards & pl.col(FAULT).is_null()).then(elsewhere).alias(OUTSIDE),
        pl.lit(found.name).alias("file"),
    )
    return _of_one_time(rows, called, typed)


def _of_one_time(rows: Delivered, called: dict[str, str], typed: pl.DataFrame) -> pl.DataFrame:
    """Rows of one symbol and day at several times are no daily bars: all of them get a fault."""
    name = called.get("session")
    if name is None or "interval" in called:
        return typed
    column = rows.columns[name]
    if len(column.unique()) == typed["session"].n_unique():
        return typed
    times = [cells.shown(cell_of(cell))[10:] for cell in column]
    placed = pl.DataFrame({"line": rows.line, "time": pl.Series(times, dtype=pl.String)})
    several = pl.col("time").n_unique().over("symbol", "session") > 1
    fault = pl.lit("several times of one day (minutes need the columns interval, event_time)")
    joined = typed.join(placed, on="line", how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce(FAULT, pl.when(several & pl.col("time").is_not_null()).then(fault)).alias(FAULT)
    ).drop("time")


def _placed(bars: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """Where only a time is given, the session is the first that closes at or after it."""
    if not bars["session"].null_count() or bars["event_time"].null_count() == bars.height:
        return bars
    found = (
        bars.drop("session")
        .with_row_index("place")
        .sort("event_time")
        .join_asof(
            closes.select("calendar", "session", "closes").sort("closes"),
            left_on="event_time",
            right_on="closes",
            by="calendar",
            strategy="forward",
            check_sortedness=False,
        )
        .sort("place")
    )
    return bars.with_columns(pl.coalesce(bars["session"], found["session"]).alias("session"))


def _dated(bars: pl.DataFrame, closes: pl.DataFrame) -> pl.DataFrame:
    """A bar without a time is a session's, and is known when its time has come."""
    dated = bars.join(closes, on=["calendar", "session"], how="left", maintain_order="left")
    minute = pl.col("interval") == "1m"
    undated = pl.col("session").is_null() & pl.col("event_time").is_null()
    dated = dated.with_columns(
        pl.when(minute).then("event_time").otherwise(pl.coalesce("event_time", "closes")),
        pl.coalesce(
            FAULT,
            pl.when(pl.col("symbol").is_null()).then(pl.lit("symbol is missing")),
            pl.when(undated).then(pl.lit("session is missing")),
        ).alias(FAULT),
    )
    return dated.with_columns(
        pl.col("symbol").alias("instrument_id"),
        pl.when(minute).then(pl.col("event_time") - timedelta(minutes=1)).alias("start_time"),
        pl.coalesce("known_at", "event_time"),
    )


def _beside(rows: Delivered, layout: Layout, bars: pl.DataFrame) -> pl.DataFrame:
    """Splits and dividends from columns beside the prices; 0, and a split of 1, are none."""
    parts = [_no_actions()]
    for kind, column in (("dividend", layout.dividend), ("split", layout.split)):
        if column not in rows.columns:
            continue
        values = frame(rows, {"value": column}, {"value": NUMBER})
        nothing = (0.0,) if kind == "dividend" else (0.0, 1.0)
        given = bars.select(
            "symbol", "line", "file", "adjustment", pl.col("session").alias("ex_date")
        )
        part = values.join(given, on="line", how="left", maintain_order="left").filter(
            ~pl.col("value").is_in(nothing) | pl.col(FAULT).str.contains("is not a number")
        )
        parts.append(_known(part.with_columns(pl.lit(kind).alias("kind"))))
    return pl.concat(parts, how="diagonal_relaxed")


def _no_actions() -> pl.DataFrame:
    kinds = {name: stored(kind) for name, kind in _ACTIONS.items()}
    return _known(pl.DataFrame(schema=kinds | dict.fromkeys((FAULT, RAW, "file"), pl.String())))


_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


def _known(actions: pl.DataFrame) -> pl.DataFrame:
    absent = [
        pl.lit(None, stored(kind)).alias(name)
        for name, kind in _ACTIONS.items()
        if name not in actions.columns
    ]
    said = pl.col("withdrawn").str.to_lowercase()
    unclear = pl.format("withdrawn is neither true nor false: {}", "withdrawn")
    return actions.with_columns(*absent).with_columns(
        pl.col("symbol").alias("instrument_id"),
        pl.coalesce("known_at", eve("ex_date")).alias("known_at"),
        said.is_in(_YES).fill_null(False).alias("withdrawn"),
        pl.coalesce(FAULT, pl.when(~said.is_in((*_YES, *_NO))).then(unclear)).alias(FAULT),
    )


def splits(stated: Iterable[pl.DataFrame], today: date) -> pl.DataFrame:
    """Columns symbol, ex_date, value of the splits up to `today` that stand.

    stated: frames of actions, as `actions` and `Prices` hold them.
    """
    key = ["symbol", "ex_date"]
    found = [pl.DataFrame(schema={"symbol": pl.String, "ex_date": pl.Date, "value": pl.Float64})]
    for each in stated:
        sound = each.filter(pl.col(FAULT).is_null(), pl.col("value") > 0, kind="split")
        gone = sound.filter("withdrawn")
        stands = sound.filter(~pl.col("withdrawn"), pl.col("ex_date") <= today)
        found.append(stands.join(gone, on=key, how="anti").select(found[0].columns))
    return pl.concat(found)


def as_paid(each: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """Actions as of their ex-dates: dividends beside adjusted prices have the splits `inside`
    undone, by which they were divided."""
    told = pl.when(pl.col("adjustment") != "none").then(pl.lit("split")).alias("adjustment")
    moved = as_traded(each.with_columns(told), "ex_date", inside, ("value",))
    paid = pl.when(kind="dividend").then(moved["value"]).otherwise("value")
    return each.with_columns(paid.alias("value"))


def actions(held: Contents, account: Account) -> Iterator[pl.DataFrame]:
    """The actions of each file of their own, known on their eve unless the file says when.

    Raises SourceError.
    """
    named: dict[str, tuple[str, ...]] = {name: (name,) for name in _ACTIONS}
    named |= {"symbol": ("symbol", "ticker"), "ex_date": ("ex_date", "ex-date", "date")}
    for found in held.of("actions"):
        rows = delivered(found)
        called = {
            ours: theirs[0]
            for ours, names in named.items()
            if (theirs := [name for name in names if name in rows.columns])
        }
        missing = [n for n in ("symbol", "ex_date", "kind", "value") if n not in called]
        if missing:
            message = (
                f"{found.path} lacks the columns {missing}, found {rows.header[:20]}; {LAYOUT}"
            )
            raise SourceError(Cause.EMPTY, message)
        account.read["actions"] += rows.height
        for name in ("id", "withdrawn"):
            if name in called:
                rows.columns[name] = rows.columns[name].cast(pa.large_string())
        typed = frame(rows, called, _ACTIONS).with_columns(pl.lit(found.name).alias("file"))
        yield _known(typed)
