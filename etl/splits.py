"""Prices that a provider has already divided by later splits, brought back to what was paid."""

from collections.abc import Mapping
from datetime import date
from functools import reduce

import polars as pl

_PRICES = ("open", "high", "low", "close")
# Providers deliver single precision: more decimals would be rounding, and would make a new
# version of every bar each time a later split moves them.
_DECIMALS = 4


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
        *((pl.col(price) * factor).round(_DECIMALS) for price in _PRICES),
        (pl.col("volume") / factor).round(0),
    )


def paid(dividends: pl.DataFrame, splits: Mapping[date, float]) -> pl.DataFrame:
    """Dividends (ex_date, value) per share as paid, from split-adjusted ones."""
    value = (pl.col("value") * later("ex_date", splits)).round(6)
    return dividends.with_columns(value)
