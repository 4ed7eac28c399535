"""Bounces at levels less those at placebos: above 0 where walls are planted, and only there."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

import walls
from levels_quality import Turns, _walk, bounces, compared, permuted, turns

from features.guards.trial import trial_panel


def drawn(rate: float, seed: int, n: int = 6000) -> Turns:
    random = np.random.default_rng(seed)
    days = np.sort(random.integers(0, 600, n)).astype("datetime64[D]")
    away, bounced = random.uniform(1, 3, n), random.random(n) < rate
    # Who does not bounce comes further: one range on average, against half a one.
    return Turns(days, away, bounced, random.exponential(np.where(bounced, 0.5, 1.0)))


def test_levels_hold_where_walls_are_planted_and_not_where_days_are_permuted() -> None:
    found = {name: rest for name, *rest in compared(walls.panel(0.99, 40, 800))}
    held, error = (one.gain.interval() for one in found["as they were"])
    assert held[0] > 0 and error[1] < 0, "more turn there, and less far beyond"
    for one in found["days permuted"]:
        low, high = one.gain.interval()
        assert low < 0 < high


def test_levels_hold_nothing_on_a_random_walk() -> None:
    made = walls.panel(0.0, 24, 600)
    low, high = bounces(turns(made, placebo=False), turns(made, placebo=True)).gain.interval()
    assert low < 0 < high


def test_a_gain_is_told_as_large_as_it_is() -> None:
    found = bounces(drawn(0.6, 1), drawn(0.5, 2))
    assert found.gain.value == pytest.approx(0.1, abs=0.03)
    low, high = found.gain.interval()
    assert 0 < low < 0.1 < high
    assert (found.levels, found.placebos) == pytest.approx((0.6, 0.5), abs=0.02)
    error = bounces(drawn(0.6, 1), drawn(0.5, 2), "beyond")
    assert (error.levels, error.placebos) == pytest.approx((0.7, 0.75), abs=0.02)
    low, high = error.gain.interval()
    assert low < -0.05 < high < 0.0


def test_distances_that_differ_feign_no_gain() -> None:
    # Far levels bounce more often, and levels lie further away than placebos.
    random, days = (
        np.random.default_rng(3),
        np.sort(np.arange(12_000) % 400).astype("datetime64[D]"),
    )
    parts = []
    for power in (0.5, 2.0):
        away = 1 + 2 * random.random(12_000) ** power
        bounced = random.random(12_000) < 0.3 + 0.2 * (away - 1)
        parts.append(Turns(days, away, bounced, np.zeros(12_000)))
    raw = parts[0].bounced.mean() - parts[1].bounced.mean()
    found = bounces(*parts)
    assert raw > 0.1 and abs(found.gain.value) < 0.03


def test_permuted_days_keep_their_moves() -> None:
    panel = trial_panel(2, 120, 3)
    other = permuted(panel)
    for columns in (panel.columns, other.columns):
        assert (columns["low"] <= columns["close"]).all()
    for first, end in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        moves = [np.sort(np.diff(np.log(p.columns["close"][first:end]))) for p in (panel, other)]
        assert moves[0] == pytest.approx(moves[1])
    assert other.columns["close"] != pytest.approx(panel.columns["close"])


def test_the_error_of_a_level_is_counted_by_hand() -> None:
    # Named at 100 with a range of 2: the second session comes to 97, the fifth to 96, the sixth
    # counts no more.
    low = np.array([105.0, 103, 97, 99, 101, 96, 80, 103])
    bars = np.stack([low + 4, low, low + 2])
    level = np.full(8, np.nan)
    level[0] = 100.0
    touched, bounced, beyond = np.full(8, -1), np.full(8, -1), np.zeros(8)
    named = (level, np.full(8, 2.0), 1.0)
    _walk(bars, np.full(8, 8), named, (touched, bounced), beyond)
    assert (touched[0], beyond[0]) == (2, 2.0) and (beyond[1:] == 0).all()
    mirrored = np.stack([200 - bars[1], 200 - bars[0], 200 - bars[2]])
    again = np.zeros(8)
    _walk(mirrored, np.full(8, 8), (200 - level, named[1], -1.0), (touched, bounced), again)
    assert (again == beyond).all()
