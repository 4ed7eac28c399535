"""The label protocols of StockNet and Adv-ALSTM, recounted on their data.

    python benchmarks/label_protocols.py <folder of data sets>

StockNet (Xu & Cohen, ACL 2018) labels the movement of the adjusted close of day d against the
trading day before. Movements in [-0.005, 0.0055) are dropped, what lies above is up. Its released
code then drops each sample whose window holds a trading day without a tweet, and its published
table was scored on what is left. Adv-ALSTM (Feng et al., IJCAI 2019) labels the same movements
and drops what a window of T rows with a missing value precedes. These labels are measured from
close to close and are no label of ours (docs/labels.md): they serve comparison only.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.table import Table

DOWN_BELOW, UP_FROM = -0.005, 0.0055
# Half-open, by the day whose movement is to be told.
SPLITS = {
    "train": (date(2014, 1, 1), date(2015, 8, 1)),
    "dev": (date(2015, 8, 1), date(2015, 10, 1)),
    "test": (date(2015, 10, 1), date(2016, 1, 1)),
}
# StockNet looks back this many calendar days.
WINDOW_DAYS = 5
# Smaller values mark what is missing in the features of Adv-ALSTM.
MISSING = -123320.0
FEATURES, LABEL = 11, 11


@dataclass(frozen=True)
class Count:
    """Samples of one split and how many of them are up."""

    n: int
    up: int


def stocknet(prices: pl.DataFrame) -> pl.DataFrame:
    """Samples of StockNet: ticker, date, up, split.

    prices: ticker, date, movement_percent (a fraction, in spite of its name), of trading days.
    """
    moved = pl.col("movement_percent")
    kept = prices.filter((moved < DOWN_BELOW) | (moved >= UP_FROM))
    return _split(kept.with_columns(up=moved >= UP_FROM))


def _split(samples: pl.DataFrame) -> pl.DataFrame:
    date = pl.col("date")
    named = pl.coalesce(
        pl.when((date >= first) & (date < end)).then(pl.lit(name))
        for name, (first, end) in SPLITS.items()
    )
    return samples.select("ticker", "date", "up", split=named).drop_nulls("split")


def with_tweets(samples: pl.DataFrame, prices: pl.DataFrame, tweets: pl.DataFrame) -> pl.DataFrame:
    """The samples that the released code keeps: a tweet belongs to each day of the window.

    The window of day d is d and the trading days among the four calendar days before it, and one
    more trading day must lie before it. A tweet of one of the five calendar days before d belongs
    to the first trading day of the window that comes after its own day. tweets: ticker, file_date.
    """
    traded = _days_by_ticker(prices, "date")
    told = _days_by_ticker(tweets, "file_date")
    keys = samples.select("ticker", "date").iter_rows()
    kept = [_complete(day, traded[ticker], told.get(ticker, [])) for ticker, day in keys]
    return samples.filter(pl.Series(kept, dtype=pl.Boolean))


def _days_by_ticker(frame: pl.DataFrame, column: str) -> dict[str, list[date]]:
    groups = frame.group_by("ticker").agg(pl.col(column).unique().sort())
    return dict(groups.iter_rows())


def _complete(day: date, traded: list[date], told: list[date]) -> bool:
    oldest = day - timedelta(days=WINDOW_DAYS)
    first = bisect_left(traded, oldest + timedelta(days=1))
    window = traded[first : bisect_left(traded, day) + 1]
    between = zip([oldest, *window[:-1]], window, strict=True)
    tweeted = all(bisect_left(told, start) < bisect_left(told, end) for start, end in between)
    return first > 0 and tweeted


def adv_alstm(features: pl.DataFrame, days: list[date], window: int) -> pl.DataFrame:
    """Samples of Adv-ALSTM: ticker, date, up, split.

    features: ticker, row (place in `days`), "0" to "10" the features and "11" the label (1, -1,
    or 0 for dropped). A sample needs the `window` rows before it without a missing value.
    """
    parts = [
        _instances(str(ticker), rows, days, window)
        for (ticker,), rows in features.sort("ticker", "row").group_by("ticker")
    ]
    return pl.concat(parts)


def _instances(ticker: str, rows: pl.DataFrame, days: list[date], window: int) -> pl.DataFrame:
    values = rows.select(str(i) for i in range(FEATURES)).to_numpy()
    whole = (values > MISSING).all(axis=1)
    labels = rows[str(LABEL)].to_numpy()
    full = np.convolve(whole, np.ones(window), "valid") == window
    usable = np.zeros(len(rows), dtype=bool)
    usable[window:] = full[:-1]
    usable &= (labels != 0) & (labels > MISSING)
    dated = [days[place] for place in rows["row"].to_list()]
    labelled = pl.DataFrame({"date": dated, "up": labels > 0}).filter(pl.Series(usable))
    return _split(labelled.with_columns(ticker=pl.lit(ticker)))


def counts(samples: pl.DataFrame) -> dict[str, Count]:
    """How many samples each split holds."""
    grouped = samples.group_by("split").agg(pl.len().alias("n"), pl.col("up").sum())
    found = {split: Count(n, up) for split, n, up in grouped.iter_rows()}
    return {split: found.get(split, Count(0, 0)) for split in SPLITS}


def read_stocknet(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Prices and tweets of the folder, with dates."""
    prices = pl.read_parquet(folder / "prices_preprocessed.parquet")
    tweets = pl.read_parquet(folder / "tweets_preprocessed.parquet")
    return (
        prices.with_columns(pl.col("date").str.to_date()),
        tweets.with_columns(pl.col("file_date").str.to_date()),
    )


def read_adv_alstm(folder: Path) -> tuple[pl.DataFrame, list[date]]:
    """Features of the folder, and the trading days that their rows count."""
    lines = (folder / "trading_dates.csv").read_text().split()
    return pl.read_parquet(folder / "ourpped_features.parquet"), [*map(date.fromisoformat, lines)]


def main(data: Annotated[Path, typer.Argument(help="holds stocknet and acl18_features")]) -> None:
    """Print the samples of each protocol and split."""
    prices, tweets = read_stocknet(data / "stocknet")
    samples = stocknet(prices)
    features, days = read_adv_alstm(data / "acl18_features")
    table = Table("protocol", *(f"{split}: n, up" for split in SPLITS))
    for name, found in (
        ("StockNet, after the threshold", samples),
        ("StockNet, as its code keeps them", with_tweets(samples, prices, tweets)),
        ("Adv-ALSTM, T = 5", adv_alstm(features, days, window=5)),
    ):
        shares = (f"{c.n:,}, {c.up:,} ({c.up / c.n:.2%})" for c in counts(found).values())
        table.add_row(name, *shares)
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
