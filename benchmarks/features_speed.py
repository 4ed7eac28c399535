"""The feature engine against Polars: the price and volume features of `daily_0`, side by side.

    python benchmarks/features_speed.py [--instruments 500] [--sessions 2500] [--repeats 5]

Both start from sorted columns in memory and end with float64 columns in memory; runs alternate.
Prints medians, their ratio, and how far apart the values are at most. Polars uses all cores, the
engine one. The first call compiles, or loads what was compiled before, and is shown apart.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from features.engine import evaluate
from features.feature import FEATURES
from features.panel import Panel
from features.series import Values

NAMES = (
    "return_1",
    "momentum_5",
    "momentum_20",
    "mean_20",
    "volatility_20",
    "range_10",
    "volume_ratio_20",
    "momentum_rank",
)


def synthetic(instruments: int, sessions: int) -> Panel:
    """Random walks: every instrument trades in every session."""
    draw = np.random.default_rng(0)
    size = instruments * sessions
    steps = draw.normal(0.0002, 0.02, (instruments, sessions))
    close = 100 * np.exp(steps.cumsum(axis=1)).ravel()
    days = np.datetime64("2015-01-01") + np.arange(sessions)
    columns = {
        "open": close * np.exp(draw.normal(0, 0.005, size)),
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": draw.integers(1_000, 1_000_000, size).astype(float),
        "total": close,
    }
    return Panel(
        columns=columns,
        offsets=np.arange(instruments + 1) * sessions,
        instruments=tuple(f"SIM{i:04}" for i in range(instruments)),
        ended=np.full(instruments, np.datetime64("NaT", "us")),
        session=np.tile(days, instruments),
        as_of=np.tile(days.astype("datetime64[us]"), instruments),
        decided=np.ones(size, bool),
    )


def framed(panel: Panel) -> pl.DataFrame:
    """The panel as a sorted frame."""
    names = np.array(panel.instruments)[panel.segment]
    keys = {"instrument": pl.Series(names).cast(pl.Categorical), "as_of": panel.as_of}
    return pl.DataFrame(keys | dict(panel.columns))


def by_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """The same features as window expressions."""
    total, close = pl.col("total"), pl.col("close")
    own = {
        "return_1": total / total.shift(1) - 1,
        "momentum_5": total / total.shift(5) - 1,
        "momentum_20": total / total.shift(20) - 1,
        "mean_20": close.rolling_mean(20) / close,
        "volatility_20": (total / total.shift(1) - 1).rolling_std(20),
        "range_10": (pl.col("high").rolling_max(10) - pl.col("low").rolling_min(10)) / close,
        "volume_ratio_20": pl.col("volume") / pl.col("volume").rolling_mean(20),
    }
    windows = {name: rule.over("instrument") for name, rule in own.items()}
    momentum = pl.col("momentum_20")
    rank = ((momentum.rank("average") - 0.5) / momentum.count()).over("as_of")
    lazy = frame.lazy().with_columns(**windows).with_columns(momentum_rank=rank)
    return lazy.select(NAMES).collect()


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def apart(found: dict[str, Values], frame: pl.DataFrame) -> float:
    """The largest difference relative to max(1, |value|); fails when nulls differ."""
    worst = 0.0
    for name in NAMES:
        other = frame[name].fill_null(np.nan).to_numpy()
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(other))
        gap = np.abs(found[name] - other) / np.maximum(1.0, np.abs(other))
        worst = max(worst, float(np.nanmax(gap)))
    return worst


def main() -> None:
    """Print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instruments", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=2500)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    members = [FEATURES.get(name) for name in NAMES]
    first = seconds(lambda: evaluate(synthetic(2, 60), members))
    panel = synthetic(chosen.instruments, chosen.sessions)
    frame, newest = framed(panel), panel.tail(max(member.lookback for member in members))
    print(f"{chosen.instruments} instruments x {chosen.sessions} sessions x {len(NAMES)} features")
    print(f"first call of the engine (compiling, or loading machine code): {first:.2f} s")
    print(f"largest difference: {apart(evaluate(panel, members), by_polars(frame)):.1e}")
    taken: dict[str, list[float]] = {"engine": [], "polars": [], "newest": []}
    for _ in range(chosen.repeats):
        taken["engine"].append(seconds(lambda: evaluate(panel, members)))
        taken["polars"].append(seconds(lambda: by_polars(frame)))
        taken["newest"].append(seconds(lambda: evaluate(newest, members)))
    engine, polars, online = (statistics.median(times) for times in taken.values())
    print(f"engine {engine:.2f} s, Polars {polars:.2f} s: Polars takes {polars / engine:.1f} times")
    print(f"newest session from the last rows: {1000 * online:.1f} ms")


if __name__ == "__main__":
    main()
