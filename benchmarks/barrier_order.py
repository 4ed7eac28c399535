"""What came first in a bar that touched both barriers: rules for the day against the finer bars.

    python benchmarks/barrier_order.py FOLDER [--horizon 1] [--width 0.5]

FOLDER holds `intraday_minute` with hour and minute bars of US equities. Hours are made into the
bars of sessions, and the few days of minutes into hours; the triple barrier's labels that leave the
order open are settled by the finer bars, and each rule is asked what it would have said. Labels are
the product's own, the finer bars are given to them as minutes are.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from features.label import NEUTRAL, Outcomes
from features.labels.triple_barrier import TripleBarrier
from features.panel.panel import Inside, Panel

PRICES = ("open", "high", "low", "close")
FILES = {"hours": "us_equity_hourly_trades.parquet", "minutes": "us_equity_minute_trades.parquet"}
BARS = {"hours": "sessions", "minutes": "hours"}  # that are made of them
OPEN, CLOSE = pl.time(9, 30), pl.time(16, 0)


@dataclass(frozen=True)
class Tried:
    """Labels of one file: by the finer bars, by version 2's rule, by version 1's."""

    truth: Outcomes
    candle: Outcomes
    nearer: Outcomes

    @property
    def decided(self) -> np.ndarray:
        """Labels that the daily bar leaves open and the finer ones settle."""
        return self.candle.ambiguous & ~self.truth.ambiguous

    def hit(self, rule: Outcomes) -> float:
        """The share of those in which the rule says what became of the position."""
        return float((rule.value == self.truth.value)[self.decided].mean())


def finer_bars(folder: Path, kind: str) -> pl.DataFrame:
    """Regular hours in the shares of the newest row, with `ticker` and the `bar` they lie in."""
    bars = pl.read_parquet(folder / "intraday_minute" / FILES[kind])
    clock = pl.col("ts").dt.time()
    # Hour bars begin at 9:00 and hold regular trades only.
    inside = clock.is_between(pl.time(9, 0) if kind == "hours" else OPEN, CLOSE, closed="left")
    bars = bars.filter(inside).with_columns(session=pl.col("ts").dt.date()).sort("ticker", "ts")
    factors = pl.concat(list(_factors(folder, bars["ticker"].unique().to_list())))
    joined = bars.sort("session").join_asof(
        factors.sort("until"),
        left_on="session",
        right_on="until",
        by="ticker",
        strategy="forward",
        check_sortedness=False,
    )
    factor = pl.col("factor").fill_null(1.0)
    bar = pl.col("ts").dt.truncate("1d" if kind == "hours" else "1h")
    return joined.with_columns(pl.col(PRICES) * factor, bar=bar).sort("ticker", "ts")


def _factors(folder: Path, tickers: list[str]) -> Iterator[pl.DataFrame]:
    yield pl.DataFrame(schema={"ticker": pl.String, "until": pl.Date, "factor": pl.Float64})
    for ticker in tickers:
        path = folder / "intraday_minute" / "lean_factor_files" / f"{ticker.lower()}.csv"
        if path.exists():
            names = ["until", "price", "factor", "reference"]
            rows = pl.read_csv(path, has_header=False, new_columns=names, infer_schema=False)
            until, factor = pl.col("until").str.to_date("%Y%m%d"), pl.col("factor").cast(pl.Float64)
            yield rows.select(ticker=pl.lit(ticker), until=until, factor=factor)


def coarse_panel(bars: pl.DataFrame) -> Panel:
    """One segment per ticker, the finer bars inside of each row."""
    firsts = {"open": pl.col("open").first(), "close": pl.col("close").last()}
    extremes = {"high": pl.col("high").max(), "low": pl.col("low").min()}
    coarse = bars.group_by("ticker", "bar", maintain_order=True).agg(
        **firsts, **extremes, count=pl.len()
    )
    lengths = coarse.group_by("ticker", maintain_order=True).len()
    columns = {name: coarse[name].to_numpy() for name in PRICES}
    finer = np.ascontiguousarray(bars.select(PRICES).to_numpy().T)
    closed = coarse["bar"].to_numpy().astype("datetime64[us]")
    return Panel(
        columns=columns | {"dividend": np.zeros(len(coarse)), "total": columns["close"]},
        offsets=np.append(0, np.cumsum(lengths["len"].to_numpy())).astype(np.int64),
        instruments=tuple(lengths["ticker"]),
        ended=np.full(len(lengths), np.datetime64("NaT", "us")),
        session=closed.astype("datetime64[D]"),
        as_of=closed,
        decided=np.ones(len(coarse), bool),
        inside=Inside(np.append(0, np.cumsum(coarse["count"].to_numpy())).astype(np.int64), finer),
    )


def tried(panel: Panel, label: TripleBarrier) -> Tried:
    """The label settled in three ways."""
    plain, basis = replace(panel, inside=None), label.basis(panel)
    before = replace(label, version=1)
    return Tried(
        label.settle(panel, basis), label.settle(plain, basis), before.settle(plain, basis)
    )


def main() -> None:
    """Measure and print a table per file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--horizon", type=int, default=1)
    parser.add_argument("--width", type=float, default=0.5)
    asked = parser.parse_args()
    label = TripleBarrier(asked.horizon, asked.width)
    print(
        "| bars | labels | left open | settled by | nearer extreme right | candle right | dojis |\n"
        "|---|---|---|---|---|---|---|"
    )
    for kind in FILES:
        found = tried(coarse_panel(finer_bars(asked.folder, kind)), label)
        count, left = int(found.candle.settled.sum()), int(found.candle.ambiguous.sum())
        doji = (found.candle.value == NEUTRAL)[found.decided].mean()
        shown = (f"{left} ({left / count:.1%})", f"{kind}: {found.decided.sum()}")
        rates = (f"{found.hit(rule):.1%}" for rule in (found.nearer, found.candle))
        print("|", " | ".join((BARS[kind], str(count), *shown, *rates, f"{doji:.1%}")), "|")


if __name__ == "__main__":
    main()
