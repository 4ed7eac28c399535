"""How often drift alarms on a market that does not drift, and on one that does."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest

from etl.simulation.market import Market, path
from etl.simulation.news import news
from monitoring.drift_test import DRIFT_TESTS, DriftTest
from monitoring.feature_drift import FALSE_ALARMS, threshold

pytestmark = pytest.mark.slow

SEEDS = range(1, 13)
LEARNT, WATCHED, LENGTH = 500, 190, 40
INSTRUMENTS = 14
Columns = dict[str, np.ndarray]


def columns(seed: int) -> Columns:
    """Features (sessions, instruments) from fast to slow: the slower, the more a window wanders."""
    market = Market(seed, "XNYS", date(2025, 6, 30), noise=False)
    kept = slice(-(LEARNT + WATCHED), None)
    rows: dict[str, list[Any]] = {"return": [], "volatility": [], "momentum": [], "sentiment": []}
    for number in range(1, INSTRUMENTS + 1):
        told = news(market, f"SIM{number:03}")
        prices = path(market, f"SIM{number:03}", told.sentiment)
        close = np.log(prices.close * np.cumprod(prices.split))
        moved = np.diff(close, prepend=close[0])
        windows = np.lib.stride_tricks.sliding_window_view(moved, 20)
        rows["return"].append(moved[kept])
        rows["volatility"].append(windows.std(axis=1)[kept])
        rows["momentum"].append((close - np.roll(close, 5))[kept])
        rows["sentiment"].append(told.sentiment[kept])
    return {name: np.array(values).T for name, values in rows.items()}


def windows(test: DriftTest, values: np.ndarray, shift: float) -> Iterator[bool]:
    """Whether each later window alarms, its values moved by so many deviations."""
    learnt = values[:LEARNT]
    days = np.repeat(np.arange(LEARNT).astype("datetime64[D]"), values.shape[1])
    limit = threshold(test, learnt.ravel(), days, LENGTH)
    for start in range(LEARNT, len(values) - LENGTH + 1, 10):
        now = values[start : start + LENGTH] + shift * learnt.std()
        yield test.score(learnt.ravel(), now.ravel()) > limit


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", DRIFT_TESTS.names())
def test_the_rate_of_false_alarms_is_about_the_one_stated(name: str) -> None:
    alarms: dict[str, list[bool]] = {}
    found: dict[str, list[bool]] = {}
    for seed in SEEDS:
        for feature, values in columns(seed).items():
            alarms.setdefault(feature, []).extend(windows(DRIFT_TESTS.get(name), values, 0.0))
            found.setdefault(feature, []).extend(windows(DRIFT_TESTS.get(name), values, 1.5))
    rates = {feature: float(np.mean(each)) for feature, each in alarms.items()}
    power = {feature: float(np.mean(each)) for feature, each in found.items()}
    print(name, "false alarms", rates, "power", power)
    overall = float(np.mean(list(rates.values())))
    # Windows overlap and features move together: a few seeds may hold most of the alarms.
    assert overall <= 3 * FALSE_ALARMS and max(rates.values()) <= 0.08, rates
    assert min(power.values()) > 0.8, power
