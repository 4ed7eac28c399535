"""What a folder says of its instruments, one row per symbol, and the rows that say nothing."""

from dataclasses import dataclass

import polars as pl

from contracts.time.calendar import known
from etl.account import Account
from etl.folder.contents import Contents
from etl.folder.tabular import LAYOUT, delivered, frame, stored
from etl.parsing.columns import SYMBOL, TEXT
from etl.source import FAULT, RAW, Cause, SourceError

_KINDS: dict[str, pl.DataType] = {"symbol": SYMBOL}
_KINDS |= dict.fromkeys(("name", "calendar", "currency", "asset_class", "sector"), TEXT)


@dataclass(frozen=True)
class Listed:
    """The listed symbols, and the refused rows.

    symbols: one row per symbol; `fault` where its only rows are refused, so that nobody knows its
    calendar. refused: rows with `fault` and `raw`.
    """

    symbols: pl.DataFrame
    refused: pl.DataFrame


def instruments(held: Contents, account: Account) -> Listed:
    """What the files on instruments say; raises SourceError when one cannot be read."""
    kinds = {name: stored(kind) for name, kind in _KINDS.items()}
    empty = pl.DataFrame(schema=kinds | {"line": pl.Int64(), FAULT: pl.String(), RAW: pl.String()})
    frames = [empty]
    for found in held.of("instruments"):
        rows = delivered(found)
        if "symbol" not in rows.columns:
            message = (
                f"{found.path} lacks the columns ['symbol'], found {rows.header[:20]}; {LAYOUT}"
            )
            raise SourceError(Cause.EMPTY, message)
        account.read["instruments"] += rows.height
        called = {name: name for name in _KINDS if name in rows.columns}
        told = frame(rows, called, _KINDS)
        frames.append(_named(told))
        if unnamed := frames[-1][FAULT].null_count() - told[FAULT].null_count():
            note = f"{unnamed} names are not UTF-8: the symbols stand for them"
            account.notes[found.name] = note
    return _told_apart(_checked(pl.concat(frames, how="diagonal_relaxed")))


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """A name in another encoding is lost; what else its row says holds where it is plain."""
    plain = [
        pl.col(name).is_not_null() | ~pl.col(RAW).str.contains(f'"{name}":"', literal=True)
        for name in _KINDS
        if name not in ("symbol", "name")
    ]
    only = pl.all_horizontal(pl.col("symbol").is_not_null(), pl.col("name").is_null(), *plain)
    unnamed = only & pl.col(FAULT).str.contains("is not UTF-8", literal=True)
    return rows.with_columns(pl.when(~unnamed.fill_null(False)).then(FAULT).alias(FAULT))


def _checked(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose calendar nobody knows get a fault, which names it."""
    faults = {name: _unknown(name) for name in rows["calendar"].drop_nulls().unique()}
    said = pl.col("calendar").replace_strict(faults, default=None, return_dtype=pl.String)
    missing = pl.when(pl.col("symbol").is_null()).then(pl.lit("symbol is missing"))
    return rows.with_columns(pl.coalesce(FAULT, said, missing).alias(FAULT))


def _unknown(calendar: str) -> str | None:
    try:
        known(calendar)
    except ValueError as error:
        return str(error)
    return None


def _told_apart(rows: pl.DataFrame) -> Listed:
    good = rows.filter(pl.col(FAULT).is_null()).with_columns(
        pl.struct("symbol").is_first_distinct().alias("kept")
    )
    bad = rows.filter(pl.col(FAULT).is_not_null())
    kept = good.filter("kept")
    lost = bad.drop_nulls("symbol").unique("symbol", keep="first", maintain_order=True)
    lost = lost.join(kept, on="symbol", how="anti").with_columns(
        pl.format("its row among the instruments is refused ({})", FAULT).alias(FAULT),
        pl.lit(None, pl.String).alias("calendar"),
    )
    columns = [*_KINDS, FAULT]
    symbols = pl.concat([kept.select(columns), lost.select(columns)])
    repeated = good.filter(~pl.col("kept")).with_columns(
        pl.lit("repeats the symbol of an earlier row").alias(FAULT)
    )
    told = pl.coalesce(RAW, pl.struct(*_KINDS).struct.json_encode()).alias(RAW)
    refused = pl.concat([repeated.drop("kept"), bad]).select(FAULT, told)
    return Listed(symbols, refused)
