"""The 99 rolling features of the speed comparison as users of pandas and Polars write them.

Each takes bars sorted by symbol and date and gives 99 columns in the order of `NAMES`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

WINDOWS = (5, 10, 20, 30, 60)
TINY = 1e-12
_CANDLES = [
    "KMID",
    "KLEN",
    "KMID2",
    "KUP",
    "KUP2",
    "KLOW",
    "KLOW2",
    "KSFT",
    "KSFT2",
    "OPEN0",
    "HIGH0",
    "LOW0",
]
ROLLING = [
    "ROC",
    "MA",
    "STD",
    "BETA",
    "MAX",
    "MIN",
    "QTLU",
    "QTLD",
    "RSV",
    "CORR",
    "CNTP",
    "SUMP",
    "SUMN",
    "VMA",
    "VSTD",
]
LAGS = (1, 2, 3, 5, 10)
NAMES = (
    *_CANDLES,
    *(f"{name}{w}" for name in ROLLING for w in WINDOWS),
    *["RSI14", "MACD", "MACDS", "MACDH", "BBU", "BBL", "BBW"],
    *(f"RL{k}" for k in LAGS),
)


def candles(o: Any, h: Any, l: Any, c: Any, top: Any, bottom: Any) -> dict[str, Any]:  # noqa: E741
    """The columns of one bar, for any library's columns; top, bottom: max and min of o and c."""
    span, shift = h - l + TINY, 2 * c - h - l
    return {
        "KMID": (c - o) / o,
        "KLEN": (h - l) / o,
        "KMID2": (c - o) / span,
        "KUP": (h - top) / o,
        "KUP2": (h - top) / span,
        "KLOW": (bottom - l) / o,
        "KLOW2": (bottom - l) / span,
        "KSFT": shift / o,
        "KSFT2": shift / span,
        "OPEN0": o / c,
        "HIGH0": h / c,
        "LOW0": l / c,
    }


def by_pandas(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One symbol after the other."""
    import pandas as pd

    parts = [_one(part) for _, part in frame.groupby("symbol", sort=False, observed=True)]
    return pd.concat(parts)[list(NAMES)]


def _one(bars: "pd.DataFrame") -> "pd.DataFrame":
    import numpy as np
    import pandas as pd

    o, h, l, c, v = (bars[name] for name in ("open", "high", "low", "close", "volume"))  # noqa: E741
    edges = bars[["open", "close"]]
    out = candles(o, h, l, c, edges.max(axis=1), edges.min(axis=1))
    d = c.diff()
    up, down, log_volume = d.clip(lower=0), (-d).clip(lower=0), np.log(v + 1)
    rose = (d > 0).astype(float).where(d.notna())
    time = pd.Series(np.arange(len(c), dtype=float), index=c.index)
    for w in WINDOWS:
        rc, rv, high, low = c.rolling(w), v.rolling(w), h.rolling(w).max(), l.rolling(w).min()
        ups, downs = up.rolling(w).sum(), down.rolling(w).sum()
        out |= {
            f"ROC{w}": c.shift(w) / c,
            f"MA{w}": rc.mean() / c,
            f"STD{w}": rc.std() / c,
            f"BETA{w}": rc.cov(time) / (w * (w + 1) / 12) / c,
            f"MAX{w}": high / c,
            f"MIN{w}": low / c,
            f"QTLU{w}": rc.quantile(0.8) / c,
            f"QTLD{w}": rc.quantile(0.2) / c,
            f"RSV{w}": (c - low) / (high - low + TINY),
            f"CORR{w}": rc.corr(log_volume),
            f"CNTP{w}": rose.rolling(w).mean(),
            f"SUMP{w}": ups / (ups + downs + TINY),
            f"SUMN{w}": downs / (ups + downs + TINY),
            f"VMA{w}": rv.mean() / (v + TINY),
            f"VSTD{w}": rv.std() / (v + TINY),
        }
    ema = {span: c.ewm(span=span, adjust=False).mean() for span in (12, 26)}
    line = ema[12] - ema[26]
    signal = line.ewm(span=9, adjust=False).mean() / c
    up, down = up.rolling(14).mean(), down.rolling(14).mean()
    middle, spread, change = c.rolling(20).mean(), c.rolling(20).std(), c / c.shift() - 1
    out |= _rest(c, (up, down), (line, signal), (middle, spread))
    return pd.DataFrame(out | {f"RL{k}": change.shift(k) for k in LAGS})


def _rest(c: Any, moves: Any, macd: Any, band: Any) -> dict[str, Any]:
    (up, down), (line, signal), (middle, spread) = moves, macd, band
    return {
        "RSI14": 100 * up / (up + down + TINY),
        "MACD": line / c,
        "MACDS": signal,
        "MACDH": line / c - signal,
        "BBU": (middle + 2 * spread) / c,
        "BBL": (middle - 2 * spread) / c,
        "BBW": 4 * spread / middle,
    }


def by_polars(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Window expressions over the symbol, in one lazy query."""
    import polars as pl

    first = frame.lazy().with_columns(
        d=pl.col("close").diff().over("symbol"),
        log_volume=(pl.col("volume") + 1).log(),
        time=pl.int_range(pl.len(), dtype=pl.Int64).over("symbol").cast(pl.Float64),
    )
    moves = first.with_columns(
        up=pl.col("d").clip(lower_bound=0), down=(-pl.col("d")).clip(lower_bound=0)
    )
    columns = {name: rule.over("symbol") for name, rule in _expressions().items()}
    return moves.select(**columns).select(NAMES).collect()


def _expressions() -> dict[str, "pl.Expr"]:
    import polars as pl

    o, h, l, c, v = (pl.col(name) for name in ("open", "high", "low", "close", "volume"))  # noqa: E741
    out = candles(o, h, l, c, pl.max_horizontal(o, c), pl.min_horizontal(o, c))
    up, down, time = pl.col("up"), pl.col("down"), pl.col("time")
    rose = (pl.col("d") > 0).cast(pl.Float64)
    for w in WINDOWS:
        high, low = h.rolling_max(w), l.rolling_min(w)
        ups, downs = up.rolling_sum(w), down.rolling_sum(w)
        out |= {
            f"ROC{w}": c.shift(w) / c,
            f"MA{w}": c.rolling_mean(w) / c,
            f"STD{w}": c.rolling_std(w) / c,
            f"BETA{w}": pl.rolling_cov(c, time, window_size=w) / (w * (w + 1) / 12) / c,
            f"MAX{w}": high / c,
            f"MIN{w}": low / c,
            f"QTLU{w}": c.rolling_quantile(0.8, "linear", w) / c,
            f"QTLD{w}": c.rolling_quantile(0.2, "linear", w) / c,
            f"RSV{w}": (c - low) / (high - low + TINY),
            f"CORR{w}": pl.rolling_corr(c, pl.col("log_volume"), window_size=w),
            f"CNTP{w}": rose.rolling_mean(w),
            f"SUMP{w}": ups / (ups + downs + TINY),
            f"SUMN{w}": downs / (ups + downs + TINY),
            f"VMA{w}": v.rolling_mean(w) / (v + TINY),
            f"VSTD{w}": v.rolling_std(w) / (v + TINY),
        }
    line = c.ewm_mean(span=12, adjust=False) - c.ewm_mean(span=26, adjust=False)
    signal = line.ewm_mean(span=9, adjust=False) / c
    gains, losses = up.rolling_mean(14), down.rolling_mean(14)
    band, change = (c.rolling_mean(20), c.rolling_std(20)), c / c.shift() - 1
    out |= _rest(c, (gains, losses), (line, signal), band)
    return out | {f"RL{k}": change.shift(k) for k in LAGS}
