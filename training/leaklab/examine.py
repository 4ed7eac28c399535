"""The leak lab: every planted leak is to be caught, and every clean twin to be let through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.forecast import Floats
from training.leaklab.leak import LEAKS, Plant
from training.leaklab.market import Lab

if TYPE_CHECKING:
    from rich.table import Table

SMOOTHING, LAGS, TRAINING = 5, 20, 0.8
_SERIES = 50


@dataclass(frozen=True)
class Finding:
    """What the guard said of the planted leak, and of the clean twin (which should be nothing)."""

    leak: Plant
    evidence: str
    false_alarm: str

    @property
    def detected(self) -> bool:
        """Whether it was caught, and nothing else."""
        return bool(self.evidence) and not self.false_alarm


def examine(lab: Lab) -> Iterator[Finding]:
    """Plant each leak and try its clean twin."""
    for plant in LEAKS:
        yield Finding(plant, plant.alarm(lab, True), plant.alarm(lab, False))


def verdict(findings: Sequence[Finding]) -> str:
    """How many leaks were detected, and how many clean pipelines were accused."""
    detected = sum(bool(f.evidence) for f in findings)
    alarms = sum(bool(f.false_alarm) for f in findings)
    return f"detected {detected} of {len(findings)}, false alarms {alarms} of {len(findings)}"


def table(findings: Sequence[Finding]) -> "Table":
    """One row per leak."""
    from rich.table import Table

    shown = Table("leak", "planted in", "caught by", "evidence")
    for found in findings:
        said = found.evidence or "NOT DETECTED"
        if found.false_alarm:
            said = f"FALSE ALARM: {found.false_alarm}"
        shown.add_row(found.leak.name, found.leak.planted, found.leak.caught_by, said)
    return shown


@dataclass(frozen=True)
class Artefact:
    """Out-of-sample R2 of the same autoregression on smoothed and on raw returns: medians."""

    source: str
    series: int
    smoothed: float
    raw: float

    def __str__(self) -> str:
        return (
            f"the smoothed-target artefact on {self.source} ({self.series} series): AR({LAGS}) "
            f"reaches R2 {self.smoothed:.2f} on {SMOOTHING}-day means of daily returns, "
            f"{self.raw:.2f} on raw next-day returns"
        )


def artefact(data: str) -> Artefact:
    """On the returns below the folder `data`, or on white noise when it is empty."""
    source, series = _real(Path(data)) if data else _noise()
    kernel = np.ones(SMOOTHING) / SMOOTHING
    smoothed = [r_squared(np.convolve(returns, kernel, "valid")) for returns in series]
    raw = [r_squared(returns) for returns in series]
    return Artefact(source, len(series), float(np.median(smoothed)), float(np.median(raw)))


def r_squared(series: Floats) -> float:
    """R2 on the last fifth of an autoregression that least squares fitted on what came before."""
    rows = np.lib.stride_tricks.sliding_window_view(series, LAGS + 1)
    inputs, target = np.column_stack([np.ones(len(rows)), rows[:, :-1]]), rows[:, -1]
    cut = int(len(rows) * TRAINING)
    weights = np.linalg.lstsq(inputs[:cut], target[:cut], rcond=None)[0]
    errors = target[cut:] - inputs[cut:] @ weights
    return float(1 - np.sum(errors**2) / np.sum((target[cut:] - target[cut:].mean()) ** 2))


def _noise() -> tuple[str, list[Floats]]:
    random = np.random.default_rng(7)
    return "white noise", [random.normal(0, 0.02, 2_500) for _ in range(_SERIES)]


def _real(folder: Path) -> tuple[str, list[Floats]]:
    import polars as pl

    path = folder / "sp500_daily" / "daily_adjusted_2005_2019.parquet"
    prices = pl.read_parquet(path, columns=["ticker", "date", "adjusted_close"])
    whole = prices.group_by("ticker").len().sort(["len", "ticker"], descending=[True, False])
    chosen = whole["ticker"].head(_SERIES).to_list()
    parts = prices.filter(pl.col("ticker").is_in(chosen)).sort("ticker", "date")
    return "sp500_daily", [
        closes[1:] / closes[:-1] - 1.0
        for closes in (part["adjusted_close"].to_numpy() for part in parts.partition_by("ticker"))
    ]
