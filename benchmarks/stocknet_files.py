"""Convert the StockNet data set to the layout of the source `files` (docs/files_layout.md).

    python benchmarks/stocknet_files.py <stocknet folder> <target folder> [--symbols N] [--tweets N]

The folder holds prices_raw.parquet (ticker, date, open, high, low, close, adj_close, volume),
tweets_raw.parquet (ticker, tweet_id, created_at, text, ...) and StockTable.tsv (Sector, Symbol,
Company). The prices are Yahoo's: divided by later splits, which the data set does not name, so
the bars stay marked `split`. Dividends are derived from the ratio of adj_close to close, which
moves on ex-dates only. A tweet is a headline known at its creation; one that was filed under
several tickers becomes one headline that names them all. Scoring all tweets takes long on a laptop:
`--tweets 1` keeps the newest of each ticker and day (UTC).
"""

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

# The ratio moves by at most 1e-6 on other days, and by at least 1e-4 on ex-dates.
_SMALLEST_DIVIDEND = 1e-5


def dividends(prices: pl.DataFrame) -> pl.DataFrame:
    """Cash per share by ex-date: the part of the close before that the adjustment takes away.

    prices: columns ticker, date, close, adj_close, sorted by both of the first.
    """
    ratio = pl.col("adj_close") / pl.col("close")
    taken = 1 - (ratio.shift(1) / ratio)
    paid = (taken * pl.col("close").shift(1)).over("ticker")
    return (
        prices.with_columns(taken.over("ticker").alias("taken"), paid.alias("value"))
        .filter(pl.col("taken") > _SMALLEST_DIVIDEND)
        .select(
            pl.col("ticker").alias("symbol"),
            pl.col("date").alias("ex_date"),
            pl.lit("dividend").alias("kind"),
            pl.col("value").round(4),
        )
    )


def headlines(tweets: pl.DataFrame) -> pl.DataFrame:
    """One row per tweet (id, published_at, known_at, text, symbols)."""
    return (
        tweets.group_by("tweet_id", maintain_order=True)
        .agg(
            pl.col("created_at", "text").first(),
            pl.col("ticker").unique().sort().alias("symbols"),
        )
        .select(
            pl.col("tweet_id").cast(pl.String).alias("id"),
            pl.col("created_at").alias("published_at"),
            pl.col("created_at").alias("known_at"),
            "text",
            "symbols",
        )
    )


def newest(tweets: pl.DataFrame, count: int) -> pl.DataFrame:
    """The last `count` tweets of each ticker and day (UTC)."""
    day = pl.col("created_at").dt.date()
    return tweets.sort("created_at", "tweet_id").group_by("ticker", day.alias("day")).tail(count)


def most_told(prices: pl.DataFrame, tweets: pl.DataFrame, count: int) -> list[str]:
    """The tickers with prices of which most is told, in alphabetical order."""
    counted = tweets.join(prices.select("ticker").unique(), on="ticker").group_by("ticker").len()
    ranked = counted.sort("len", "ticker", descending=[True, False])
    return sorted(ranked["ticker"].head(count).to_list())


def convert(
    stocknet: Path,
    target: Path,
    symbols: Annotated[int, typer.Option(help="0: all")] = 0,
    tweets_a_day: Annotated[int, typer.Option("--tweets", help="per symbol and day; 0: all")] = 0,
) -> None:
    """Write bars, actions, headlines and instruments of the most told of symbols."""
    prices = pl.read_parquet(stocknet / "prices_raw.parquet").sort("ticker", "date")
    tweets = pl.read_parquet(stocknet / "tweets_raw.parquet")
    table = pl.read_csv(stocknet / "StockTable.tsv", separator="\t")
    chosen = most_told(prices, tweets, symbols) if symbols else sorted(set(prices["ticker"]))
    prices = prices.filter(pl.col("ticker").is_in(chosen))
    bars = prices.select(
        pl.col("ticker").alias("symbol"),
        pl.col("date").alias("session"),
        *("open", "high", "low", "close", "volume"),
        pl.lit("split").alias("adjustment"),
    )
    tweets = tweets.filter(pl.col("ticker").is_in(chosen))
    told = headlines(newest(tweets, tweets_a_day) if tweets_a_day else tweets)
    paid = dividends(prices)
    listed = table.select(
        pl.col("Symbol").str.strip_chars("$ ").alias("symbol"),
        pl.col("Company").alias("name"),
        pl.col("Sector").str.replace("Matierials", "Materials").alias("sector"),
    ).filter(pl.col("symbol").is_in(chosen))
    target.mkdir(parents=True, exist_ok=True)
    bars.write_parquet(target / "bars.parquet")
    paid.write_parquet(target / "actions.parquet")
    told.write_parquet(target / "headlines.parquet")
    listed.write_csv(target / "instruments.csv")
    typer.echo(
        f"{target}: {len(chosen)} symbols, {bars.height} bars, {paid.height} dividends, "
        f"{told.height} headlines"
    )


if __name__ == "__main__":
    typer.run(convert)
