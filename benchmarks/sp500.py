"""Samples of real stocks for benchmarks: daily bars of `sp500_daily`.

Members of the S&P 500 of April 2021, looked back upon from 2005 to 2019: survivors, whose storms
ended well. Of those that traded in all sessions, evenly chosen by name.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.time.calendar import session_close
from features.inputs.adjust import PRICES, Actions, adjusted
from features.inputs.index import level_of
from features.label import Label
from features.panel.panel import Panel
from training.forecast import Floats
from training.samples.samples import Samples, from_matrix

# Rows of a stock that are left to look back on: a year, and the row before.
BEHIND = 253


def bars_of(data: Path, stocks: int) -> pl.DataFrame:
    """Bars as traded, with dividends and splits, of stocks that miss no session."""
    path = data / "sp500_daily" / "daily_adjusted_2005_2019.parquet"
    bars = pl.read_parquet(path).with_columns(pl.col("date").str.to_date())
    lengths = bars.group_by("ticker").len()
    whole = lengths.filter(pl.col("len") == lengths["len"].max())["ticker"].sort()
    places = np.unique(np.linspace(0, len(whole) - 1, min(stocks, len(whole))).astype(int))
    return bars.filter(pl.col("ticker").is_in(whole[places].to_list())).sort("ticker", "date")


def panel_of(bars: pl.DataFrame) -> Panel:
    """The panel of those bars; all decisions are taken at the closes of New York."""
    parts = bars.partition_by("ticker", maintain_order=True)
    columns = [_columns(part) for part in parts]
    joined = {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
    session = bars["date"].to_numpy()
    days, place = np.unique(session, return_inverse=True)
    closes = [session_close("XNYS", day).replace(tzinfo=None) for day in days.tolist()]
    total, first = joined["total"], bars["ticker"] != bars["ticker"].shift()
    grown = np.append(np.nan, total[1:] / total[:-1] - 1.0)
    grown[first.fill_null(True).to_numpy()] = np.nan
    level = level_of(place, grown, len(days))
    joined["index_return"] = np.append(np.nan, level[1:] / level[:-1] - 1.0)[place]
    return Panel(
        columns=joined,
        offsets=np.cumsum([0, *map(len, parts)]),
        instruments=tuple(part["ticker"][0] for part in parts),
        ended=np.full(len(parts), np.datetime64("NaT", "us")),
        session=session,
        as_of=np.array(closes, dtype="datetime64[us]")[place],
        decided=np.ones(len(session), bool),
    )


def samples_of(panel: Panel, features: Mapping[str, np.ndarray], label: Label) -> Samples:
    """The settled rows, once a year of history is behind each."""
    outcome = label.settle(panel, label.basis(panel))
    stocks = np.array(panel.instruments)[panel.segment]
    unknown = ~outcome.settled | (panel.place < BEHIND)

    def told(values: np.ndarray) -> pa.Array:
        return pa.array(values, from_pandas=True, mask=unknown)

    moment = pa.timestamp("us", "UTC")
    table = pa.table(
        {
            "instrument_id": stocks,
            "symbol": stocks,
            "session": pa.array(panel.session, pa.date32()),
            "as_of": pa.array(panel.as_of).cast(moment),
            **{name: pa.array(values, from_pandas=True) for name, values in features.items()},
            "label": told(outcome.value),
            "settled_at": told(outcome.settled_at).cast(moment),
            "total_return": told(outcome.total_return),
            "delisted": told(outcome.delisted),
            "ambiguous": told(outcome.ambiguous),
        }
    )
    return from_matrix(table, tuple(features))


def _columns(part: pl.DataFrame) -> dict[str, Floats]:
    raw = {name: part[name].cast(pl.Float64).to_numpy() for name in (*PRICES, "volume")}
    split = part.filter(pl.col("split_coefficient") != 1.0)
    paid = part.filter(pl.col("dividend_amount") > 0.0)
    return adjusted(
        raw,
        part["date"].to_numpy(),
        np.full(len(part), "none"),
        Actions(split["date"].to_numpy(), split["split_coefficient"].to_numpy()),
        Actions(paid["date"].to_numpy(), paid["dividend_amount"].to_numpy()),
    )
