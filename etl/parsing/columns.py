"""Columns of untrusted cells become typed series, each with what is wrong in it.

The many sound cells are converted as one; those left over by `etl.parsing.cells`, each value once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from etl.parsing import cells

MOMENT = pl.Datetime("us", "UTC")
NUMBER, DAY, TEXT, SYMBOL = pl.Float64(), pl.Date(), pl.String(), pl.Categorical()
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of a second
_LOWEST, _HIGHEST = date(2, 1, 1), date(9998, 12, 31)


@dataclass(frozen=True)
class Typed:
    """A column's values and, per row, what is wrong with the cell: null where nothing is.

    wrong: None where nothing is wrong with any cell.
    """

    values: pl.Series
    wrong: pl.Series | None = None


def typed(column: pa.ChunkedArray, kind: pl.DataType) -> Typed:
    """The cells as numbers, dates, moments (UTC), texts or symbols (`SYMBOL`).

    Nulls, and texts without anything in them, are null.
    """
    given = column.type
    if pa.types.is_dictionary(given):
        column = column.cast(given.value_type)
        given = column.type
    if pa.types.is_null(given):
        return Typed(pl.repeat(None, len(column), dtype=_stored(kind), eager=True))
    if _is_text(given):
        return _from_text(_polars(column.cast(pa.large_string())), kind)
    if kind == NUMBER and (pa.types.is_integer(given) or pa.types.is_floating(given)):
        reals = _polars(column.cast(pa.float64(), safe=False))
        return Typed(reals.fill_nan(None))
    if kind == DAY and pa.types.is_date32(given):
        return _bounded(_polars(column))
    if kind == DAY and pa.types.is_timestamp(given):
        return _local_days(column, given)
    if kind == MOMENT and pa.types.is_timestamp(given) and given.tz:
        return _moments(column, given)
    return _one_by_one(_scalars(column), kind)


def _is_text(given: pa.DataType) -> bool:
    views = (pa.types.is_string_view(given), pa.types.is_large_string(given))
    return any(views) or bool(pa.types.is_string(given))


def _stored(kind: pl.DataType) -> pl.DataType:
    return TEXT if kind == SYMBOL else kind


def _polars(column: pa.ChunkedArray) -> pl.Series:
    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)
    return series


_CELL: dict[pl.DataType, Callable[[object], tuple[Any, str]]] = {
    NUMBER: cells.number,
    DAY: cells.day,
    MOMENT: cells.moment,
    TEXT: cells.name,
    SYMBOL: cells.symbol,
}


def _from_text(column: pl.Series, kind: pl.DataType) -> Typed:
    if kind in (TEXT, SYMBOL):
        return _by_value(column, pl.repeat(None, len(column), dtype=TEXT, eager=True), kind)
    if kind == NUMBER:
        found = column.cast(NUMBER, strict=False).fill_nan(None)
    elif kind == DAY:
        found = column.str.to_date("%Y-%m-%d", strict=False)
    else:
        # A strict pattern: what it does not know is looked at one by one.
        found = column.str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%#z", time_unit="us", time_zone="UTC", strict=False
        )
    if kind in (DAY, MOMENT):
        inside = found.dt.year().is_between(_LOWEST.year, _HIGHEST.year)
        found = pl.select(pl.when(inside).then(found)).to_series()
    return _by_value(column, found, kind)


def _by_value(column: pl.Series, found: pl.Series, kind: pl.DataType) -> Typed:
    """`found`, and where it is null what the cell says when it is looked at alone."""
    left = (column.is_not_null() & found.is_null()).alias("left")
    if not left.any():
        return Typed(found)
    distinct = column.filter(left).unique().to_list()
    answers = [_CELL[kind](value) for value in distinct]
    if kind == NUMBER:
        answers = _with_thousands(distinct, answers)
    values = pl.Series([value for value, _ in answers], dtype=_stored(kind))
    wrong = pl.Series([said or None for _, said in answers], dtype=TEXT)
    keys = pl.DataFrame({"cell": distinct, "value": values, "wrong": wrong})
    rows = pl.DataFrame({"cell": column, "found": found, "left": left})
    joined = rows.join(keys, on="cell", how="left", maintain_order="left").select(
        pl.when("left").then("value").otherwise("found").alias("value"),
        pl.when("left").then("wrong").alias("wrong"),
    )
    said = joined["wrong"]
    return Typed(joined["value"], None if said.null_count() == len(said) else said)


def _with_thousands(distinct: list[str], answers: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """Where one cell of a column shows that commas part thousands, they do in all its cells."""
    shows = any(
        "," in cell and value is not None
        for cell, (value, _) in zip(distinct, answers, strict=True)
    )
    if not shows:
        return answers
    return [
        (float(cell.replace(",", "")), "") if wrong == cells.UNSURE else (value, wrong)
        for cell, (value, wrong) in zip(distinct, answers, strict=True)
    ]


def _scalars(column: pa.ChunkedArray) -> list[object]:
    """The cells as Python has them; one that it has no value for is its text."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError, KeyError, pa.ArrowException):
        return [_scalar(cell) for cell in column]


def _scalar(cell: pa.Scalar) -> object:
    try:
        return cell.as_py()
    except (ValueError, OverflowError, KeyError, pa.ArrowException):
        return _Unreadable(cell)


class _Unreadable:
    """A cell whose value Python cannot hold."""

    def __init__(self, cell: pa.Scalar) -> None:
        self._said = f"a value of type {cell.type}"

    def __str__(self) -> str:
        return self._said


def _one_by_one(column: list[object], kind: pl.DataType) -> Typed:
    answers = [_CELL[kind](value) for value in column]
    values = pl.Series([value for value, _ in answers], dtype=_stored(kind))
    wrong = pl.Series([said or None for _, said in answers], dtype=TEXT)
    return Typed(values, None if wrong.null_count() == len(wrong) else wrong)


def _bounded(days: pl.Series) -> Typed:
    """Dates of four-digit years; others cannot be told to the database or in Python."""
    inside = days.is_between(_LOWEST, _HIGHEST)
    outside = (days.is_not_null() & ~inside).fill_null(False)
    if not outside.any():
        return Typed(days)
    wrong = pl.select(pl.when(outside).then(pl.lit(cells.DAY))).to_series()
    return Typed(pl.select(pl.when(~outside).then(days)).to_series(), wrong)


def _ticks(column: pa.ChunkedArray, given: pa.DataType) -> tuple[pl.Series, pl.Series]:
    """Microseconds since 1970, null where a year has not four digits; and where that is so."""
    whole = _polars(column.cast(pa.int64(), safe=False))
    unit = _UNITS[given.unit]
    low, high = (
        int((datetime(day.year, 1, 1, tzinfo=UTC) - _EPOCH) / timedelta(seconds=1)) * unit
        for day in (_LOWEST, _HIGHEST)
    )
    low, high = max(low, -(2**63) + 1), min(high, 2**63 - 1)
    inside = whole.is_between(low, high)
    kept = pl.select(pl.when(inside).then(whole)).to_series()
    micros = kept // (unit // 10**6) if unit > 10**6 else kept * (10**6 // unit)
    return micros, (whole.is_not_null() & ~inside).fill_null(False)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moments(column: pa.ChunkedArray, given: pa.DataType) -> Typed:
    micros, outside = _ticks(column, given)
    found = micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if not outside.any():
        return Typed(found)
    return Typed(found, pl.select(pl.when(outside).then(pl.lit(cells.MOMENT))).to_series())


def _local_days(column: pa.ChunkedArray, given: pa.DataType) -> Typed:
    """Of zoned times the date in their zone, of times at midnight without a zone their date."""
    micros, outside = _ticks(column, given)
    zone = _zone(given.tz) if given.tz else None
    distinct = micros.drop_nulls().unique()
    days = [_local_day(_EPOCH + timedelta(microseconds=at), given.tz, zone) for at in distinct]
    keys = pl.DataFrame({"at": distinct, "day": pl.Series(days, dtype=DAY)})
    found = pl.DataFrame({"at": micros}).join(keys, on="at", how="left", maintain_order="left")
    bad = outside | (found["at"].is_not_null() & found["day"].is_null())
    wrong = pl.select(pl.when(bad).then(pl.lit(cells.DAY))).to_series() if bad.any() else None
    return Typed(found["day"], wrong)


def _local_day(at: datetime, named: str | None, zone: ZoneInfo | None) -> date | None:
    if named is None:
        return cells.day(at.replace(tzinfo=None))[0]
    if zone is not None:
        return at.astimezone(zone).date()
    # A fixed offset such as +05:30, or a zone that nobody here knows.
    found, _ = cells.moment(f"1970-01-01T00:00:00{named}")
    return (at - (found - _EPOCH)).date() if found else None


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return None
