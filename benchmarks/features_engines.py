"""One engine in one process: what `benchmarks/features_speed.py` starts, again and again.

    python benchmarks/features_engines.py once|speed|memory|newest|save ENGINE BARS [FILE]

The last line is JSON. The clock runs from the Parquet file to the finished table in memory; the
first run's includes importing the engine and loading (not compiling) its machine code.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from features_peers import LAGS, NAMES, WINDOWS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from features.panel.panel import Panel

BARS = ("open", "high", "low", "close", "volume")
_PRODUCT = (
    *["candle_body", "candle_range", "candle_body_share", "upper_shadow", "upper_shadow_share"],
    *["lower_shadow", "lower_shadow_share", "close_shift", "close_shift_share"],
    *["open_ratio", "high_ratio", "low_ratio"],
    *(
        f"{name}_{w}"
        for name in [
            "past_close",
            "mean",
            "deviation",
            "trend",
            "highest",
            "lowest",
            "upper_quantile",
            "lower_quantile",
            "range_position",
            "volume_correlation",
            "rising_share",
            "gain_share",
            "loss_share",
            "volume_mean",
            "volume_deviation",
        ]
        for w in WINDOWS
    ),
    *["simple_rsi_14", "macd", "macd_signal", "macd_histogram"],
    *["bollinger_upper_20", "bollinger_lower_20", "bollinger_width_20"],
    *(f"past_return_{k}" for k in LAGS),
)


def read(path: Path) -> "pa.Table":
    """The bars, sorted by symbol and date."""
    import pyarrow.parquet as pq

    return pq.read_table(path, read_dictionary=["symbol"]).combine_chunks()


def borders(table: "pa.Table") -> Any:
    """Where each symbol's rows begin, and the number of rows."""
    codes = table["symbol"].chunk(0).indices.to_numpy()
    return np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1, [len(codes)]])


def panel_of(table: "pa.Table") -> "Panel":
    """The bars as a panel in which every row is decided."""
    from features.panel.panel import Panel

    offsets, days = borders(table), table["date"].to_numpy().astype("datetime64[D]")
    count = len(offsets) - 1
    return Panel(
        columns={name: table[name].to_numpy() for name in BARS},
        offsets=offsets,
        instruments=tuple(map(str, range(count))),
        ended=np.full(count, np.datetime64("NaT", "us")),
        session=days,
        as_of=days.astype("datetime64[us]"),
        decided=np.ones(len(days), bool),
    )


@cache
def members() -> list[Any]:
    """Our 99 features. Log volumes are taken of v + 1 as the comparison demands; the product's
    are taken of v, which is free of scale."""
    from features.feature import FEATURES, Feature
    from features.panel import roll

    def one_more(x: Any) -> Any:
        return np.log1p(x.volume)

    FEATURES.names()
    FEATURES.add("log_1", Feature("log_1", one_more, 1, ("volume",), "volume"))
    for w in WINDOWS:
        rule = partial(lambda x, w: roll.corr(x.close, x.log_1, w), w=w)
        name = f"volume_correlation_1_{w}"
        FEATURES.add(name, Feature(name, rule, w, ("close", "log_1"), "volume"))
    wanted = (n.replace("volume_correlation_", "volume_correlation_1_") for n in _PRODUCT)
    return [FEATURES.get(name) for name in wanted]


def ours(table: "pa.Table", dtype: Any = np.float32, **options: Any) -> "pa.Table":
    """The product's features, NaN for null."""
    import pyarrow as pa

    from features.engine import evaluate

    values = evaluate(panel_of(table), members(), dtype=dtype, **options)
    return pa.table(dict(zip(NAMES, map(pa.array, values.values()), strict=True)))


def by_hand(table: "pa.Table", dtype: Any = np.float32) -> "pa.Table":
    """The kernel written by hand."""
    import pyarrow as pa
    from features_numba import by_numba

    bars = np.stack([table[name].to_numpy() for name in BARS])
    out = np.empty((len(NAMES), bars.shape[1]), dtype)
    by_numba(bars, borders(table), out)
    return pa.table(dict(zip(NAMES, map(pa.array, out), strict=True)))


def polars(path: Path) -> "pl.DataFrame":
    """Window expressions."""
    import polars as pl
    from features_peers import by_polars

    return by_polars(pl.read_parquet(path))


def pandas(path: Path) -> Any:
    """Symbol by symbol."""
    import pandas as pd
    from features_peers import by_pandas

    return by_pandas(pd.read_parquet(path))


def engine(name: str) -> Callable[[Path], Any]:
    """The engine of that name: a function from the file of bars to the finished table."""
    plain: dict[str, Callable[[Path], Any]] = {
        "ours": lambda path: ours(read(path)),
        "ours-one-thread": lambda path: ours(read(path), threads=1),
        "numba": lambda path: by_hand(read(path)),
        "polars": polars,
        "pandas": pandas,
    }
    if name.startswith("spark-"):
        from features_spark import spark_engine

        return spark_engine(name.removeprefix("spark-"))
    return plain[name]


def saved(name: str, path: Path) -> dict[str, Any]:
    """The engine's columns in float64."""
    if name == "ours":
        table = ours(read(path), np.float64)
    elif name == "numba":
        table = by_hand(read(path), np.float64)
    else:
        table = engine(name)(path)
    frame = table if name == "pandas" else table.to_pandas()
    return {column: frame[column].to_numpy(np.float64, na_value=np.nan) for column in NAMES}


def speed(name: str, path: Path, runs: int = 2) -> dict[str, float]:
    """Seconds of the first run, import included, and of the one after it."""
    taken, run = [], None
    for _ in range(runs):
        start = time.perf_counter()
        run = run or engine(name)
        table = run(path)
        taken.append(time.perf_counter() - start)
        del table
    return {"fresh": taken[0], "hot": taken[-1]}


def memory(name: str, path: Path) -> dict[str, float]:
    """Peak of the process above what it holds after a small run, over the output's size."""
    run, small = engine(name), path.with_name("small.parquet")
    run(small)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    table = run(path)
    size = table.memory_usage().sum() if name == "pandas" else getattr(table, "nbytes", 0)
    size = size or table.estimated_size()
    return {"above": (_status("VmHWM") - before) / size, "output": float(size)}


def newest(_: str, path: Path) -> dict[str, float]:
    """Milliseconds for the last rows of all instruments and of one, columns in memory."""
    import polars as pl
    from features_peers import by_polars

    from features.engine import evaluate

    panel, frame = panel_of(read(path)), pl.read_parquet(path)
    one = panel.where(panel.segment == 0)
    one = replace(one, offsets=one.offsets[:2], instruments=one.instruments[:1])
    work: dict[str, Callable[[], Any]] = {
        "all instruments": lambda: evaluate(panel, members(), dtype=np.float32),
        "Polars": lambda: by_polars(frame),
        "one instrument": lambda: evaluate(one, members(), dtype=np.float32),
    }
    return {about: 1000 * _median(run) for about, run in work.items()}


def _median(run: Callable[[], Any], repeats: int = 9) -> float:
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def main() -> None:
    """Print the answer; leave without ending what Spark still holds."""
    verb, name, path = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if verb == "save":
        np.savez(sys.argv[4], **saved(name, path))
        answer: dict[str, float] = {}
    else:
        once = partial(speed, runs=1)
        verbs = {"once": once, "speed": speed, "memory": memory, "newest": newest}
        answer = verbs[verb](name, path)
    print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
