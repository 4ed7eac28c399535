"""Prices that a provider has already divided by later splits, brought back to what was paid."""

from collections.abc import Mapping
from datetime import date
from functools import reduce

import polars as pl

_PRICES = ("open", "high", "low", "close")
# Providers deliver single precision, whose error is at most 2**-24 of a number.
_ERROR = 6.0e-8


def said(price: pl.Expr) -> pl.Expr:
    """The price that a single-precision answer meant, of any magnitude.

    That of six significant digits where it lies within single precision, else that of seven: a
    later split moves the answer by its rounding, and must not make a new price of it.
    """
    six = price.round_sig_figs(6)
    return (
        pl.when((six - price).abs() <= _ERROR * price.abs())
        .then(six)
        .otherwise(price.round_sig_figs(7))
    )


def later(day: str, splits: Mapping[date, float]) -> pl.Expr:
    """How many of today's shares one share of that day has become, by splits after it."""
    factors = (
        pl.when(pl.col(day) < ex_date).then(ratio).otherwise(1.0)
        for ex_date, ratio in splits.items()
    )
    return reduce(lambda left, right: left * right, factors, pl.lit(1.0))


def undone(bars: pl.DataFrame, splits: Mapping[date, float]) -> pl.DataFrame:
    """Bars (session, open, high, low, close, volume) as traded, from split-adjusted ones.

    splits: new shares per old one by ex-date (7.0 for 7:1), all up to the moment of fetching.
    """
    factor = later("session", splits)
    return bars.with_columns(
        *(said(pl.col(price) * factor) for price in _PRICES),
        (pl.col("volume") / factor).round(0),
    )


def paid(dividends: pl.DataFrame, splits: Mapping[date, float]) -> pl.DataFrame:
    """Dividends (ex_date, value) per share as paid, from split-adjusted ones."""
    return dividends.with_columns(said(pl.col("value") * later("ex_date", splits)))


def as_traded(
    frame: pl.DataFrame, day: str, splits: pl.DataFrame, names: tuple[str, ...] = _PRICES
) -> pl.DataFrame:
    """Rows of many symbols whose `adjustment` is `split` as they were on their `day`.

    Those of a symbol without a split have nothing to undo and keep their mark. splits: columns
    symbol, ex_date, value: all that the adjustment knew of. names: amounts per share; `volume`,
    where there is one, goes the other way. Rows keep their order.
    """
    each = splits.group_by("symbol", "ex_date").agg(pl.col("value").product()).sort("ex_date")
    ahead = each.with_columns(
        pl.col("value").cum_prod(reverse=True).over("symbol").alias("factor")
    ).drop("value")
    found = (
        frame.select("symbol", day)
        .with_row_index("row")
        .sort(day)
        .join_asof(
            ahead,
            left_on=day,
            right_on="ex_date",
            by="symbol",
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,  # it is sorted above
        )
        .sort("row")
    )
    factor = pl.lit(found["factor"].fill_null(1.0))
    known = pl.col("symbol").is_in(splits["symbol"].unique().to_list())
    adjusted = (known & (pl.col("adjustment") == "split")).fill_null(False)
    moved = {name: said(pl.col(name) * factor) for name in names}
    if "volume" in frame.columns:
        moved["volume"] = (pl.col("volume") / factor).round(0)
    touched = adjusted & (factor != 1.0)
    return frame.with_columns(
        *(
            pl.when(touched).then(value).otherwise(name).alias(name)
            for name, value in moved.items()
        ),
        pl.when(adjusted).then(pl.lit("none")).otherwise("adjustment").alias("adjustment"),
    )
