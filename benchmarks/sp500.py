"""Bars of real stocks for benchmarks: `sp500_daily`, its panel and its settled rows.

Members of the S&P 500 of April 2021, looked back upon from 2005 to 2019: survivors, whose storms
ended well. 347 of the 430 traded in all sessions; the others were listed later, and five of these
miss sessions within.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import settled
import typer

from contracts.time.calendar import session_close
from features.feature import FEATURES
from features.inputs.adjust import PRICES, Actions, adjusted
from features.panel.panel import Panel
from training.forecast import Floats

# Rows of a stock that are left to look back on: a year, and the row before.
BEHIND = 253

STOCKS = typer.Option(min=0, help="how many of those that missed nothing; 0: all 430, with gaps")


def bars_of(data: Path, stocks: int = 0) -> pl.DataFrame:
    """Bars as traded, with dividends and splits; of that many stocks that miss no session, evenly
    chosen by name, or of all where `stocks` is 0."""
    path = data / "sp500_daily" / "daily_adjusted_2005_2019.parquet"
    raw = pl.read_parquet(path).rename({"ticker": "symbol"})
    bars = raw.with_columns(session=pl.col("date").str.to_date()).sort("symbol", "session")
    if not stocks:
        return bars
    lengths = bars.group_by("symbol").len()
    whole = lengths.filter(pl.col("len") == lengths["len"].max())["symbol"].sort()
    places = np.unique(np.linspace(0, len(whole) - 1, min(stocks, len(whole))).astype(int))
    return bars.filter(pl.col("symbol").is_in(whole[places].to_list()))


def panel_of(bars: pl.DataFrame) -> Panel:
    """The panel of those bars; all decisions are taken at the closes of New York."""
    return settled.panel_of(bars, _columns, _closes)


def known_by(panel: Panel, features: Sequence[str]) -> tuple[str, ...]:
    """Those of the features that are made of the panel's columns alone."""
    return tuple(name for name in features if FEATURES.get(name).columns <= panel.columns.keys())


def _closes(days: settled.Times) -> settled.Times:
    return np.array([session_close("XNYS", day).replace(tzinfo=None) for day in days.tolist()])


def _columns(part: pl.DataFrame) -> dict[str, Floats]:
    raw = {name: part[name].cast(pl.Float64).to_numpy() for name in (*PRICES, "volume")}
    split = part.filter(pl.col("split_coefficient") != 1.0)
    paid = part.filter(pl.col("dividend_amount") > 0.0)
    return adjusted(
        raw,
        part["session"].to_numpy(),
        np.full(len(part), "none"),
        Actions(split["session"].to_numpy(), split["split_coefficient"].to_numpy()),
        Actions(paid["session"].to_numpy(), paid["dividend_amount"].to_numpy()),
    )
