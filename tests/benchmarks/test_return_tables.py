"""What the tables of returns rest on: ranks, and splits that bars as traded tell."""

import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from return_contests import market, won
from return_quality import follows, rank_information
from return_table import MCX, NSE, panel_of
from tune_speed import made

from training.objectives.return_ import SCALE


def test_ranks_are_compared_within_sessions() -> None:
    samples = made(stocks=8, sessions=60, features=6)
    truth = np.random.default_rng(0).normal(size=len(samples))
    rows = replace(samples, truth=truth)
    assert rank_information(np.exp(truth), rows, 1).value == pytest.approx(1.0)
    assert rank_information(-truth, rows, 1).value == pytest.approx(-1.0)
    # What tells sessions apart and no stocks is no information about ranks.
    level = samples.sessions.astype(np.int64).astype(float)
    assert rank_information(level, rows, 1).value == 0.0
    noise = rank_information(np.random.default_rng(1).normal(size=len(rows)), rows, 1)
    assert noise.low < 0.0 < noise.high


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_how_far_returns_follow_volatility_is_found(power: float) -> None:
    rows = market(2, 0.0)
    scale = rows.column(SCALE).astype(float)
    draws = np.random.default_rng(3).normal(size=len(rows))
    found = follows(rows.with_truth(0.02 * (scale / 0.015) ** power * draws))
    assert found == pytest.approx(power, abs=0.06)


def bars(symbol: str, opens: list[float], first: date = date(2016, 1, 4)) -> pl.DataFrame:
    days = [first + timedelta(days=i) for i in range(len(opens))]
    prices = {name: opens for name in ("open", "high", "low", "close")}
    return pl.DataFrame({"symbol": symbol, "session": days, **prices, "volume": 1.0})


def test_a_night_that_took_a_third_is_a_split_and_a_quarter_is_not() -> None:
    both = pl.concat([bars("A", [100.0, 102.0, 51.5, 52.0]), bars("B", [100.0, 98.0, 75.0, 76.0])])
    close = panel_of(both, NSE).columns["close"]
    assert close == pytest.approx([50.0, 51.0, 51.5, 52.0, 100.0, 98.0, 75.0, 76.0])


def test_each_exchange_has_its_own_sessions_and_closes() -> None:
    stocks, metals = bars("A", [1.0, 2.0, 2.0]), bars("G", [1.0, 1.0], date(2016, 1, 5))
    here, there = panel_of(stocks, NSE), panel_of(metals, MCX)
    assert (len(here.session), len(there.session)) == (3, 2), "nothing is filled in"
    assert here.as_of[1] < there.as_of[0], "gold closes after the stocks of its day"
    assert str(here.as_of[0]) == "2016-01-04T10:00:00.000000"


def test_noise_has_nothing_to_find_and_a_planted_effect_has() -> None:
    noise, planted = market(1, 0.0), market(1, 0.5)
    for rows, correlated in ((noise, False), (planted, True)):
        own = np.corrcoef(rows.column("noise_1"), rows.truth)[0, 1]
        assert (abs(own) > 0.2) == correlated
        assert np.corrcoef(rows.column(SCALE), np.abs(rows.truth))[0, 1] > 0.2
    assert not won(1, 0.0) and won(1, 0.5)
