"""Comparisons that are looked at again and again: how often equals are told apart, and power."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.release.peeking import DECAY, FEWEST, LEVEL, WARM_UP, compared, standardised
from training.forecast import Floats

Draw = Callable[[np.random.Generator, int], Floats]


def normal(random: np.random.Generator, n: int) -> Floats:
    return random.normal(size=n)


def heavy(random: np.random.Generator, n: int) -> Floats:
    return random.standard_t(3, size=n)


def skewed(random: np.random.Generator, n: int) -> Floats:
    return random.exponential(size=n) - 1.0


def stormy(random: np.random.Generator, n: int) -> Floats:
    """A GARCH(1, 1) with heavy tails: storms last."""
    variance, found = 1.0, np.empty(n)
    for k in range(n):
        found[k] = np.sqrt(variance * 3 / 5) * random.standard_t(5)
        variance = 0.05 + 0.1 * found[k] ** 2 + 0.85 * variance
    return found


def ever(values: Floats, horizon: int = 1) -> int:
    """1 when some day says that the first loses more, -1 when one says less, 0 when none does."""
    sessions = np.arange(len(values)).astype("datetime64[D]")
    for day in range(FEWEST, len(values), 3):
        found = compared(values[: day + 1], sessions[: day + 1], horizon)
        if found.larger or found.smaller:
            return 1 if found.larger else -1
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("draw", [normal, heavy, skewed, stormy])
def test_equals_looked_at_for_a_year_are_seldom_told_apart(draw: Draw) -> None:
    random, runs = np.random.default_rng(5), 200
    wrong = sum(ever(draw(random, 250)) != 0 for _ in range(runs))
    # Two standard deviations of a binomial count at the level.
    assert wrong / runs < LEVEL + 2 * (LEVEL * (1 - LEVEL) / runs) ** 0.5


@pytest.mark.slow
def test_a_t_test_looked_at_daily_would_tell_many_equals_apart() -> None:
    random, runs = np.random.default_rng(6), 300
    values = random.normal(size=(runs, 250))
    n = np.arange(1, 251)
    means = values.cumsum(axis=1) / n
    far = np.abs(means * np.sqrt(n))[:, FEWEST:] > 1.96
    assert far.any(axis=1).mean() > 0.2


@pytest.mark.slow
def test_what_is_worse_by_a_third_of_its_noise_is_found_within_a_year() -> None:
    random, runs = np.random.default_rng(7), 100
    found = [ever(stormy(random, 250) + 0.35) for _ in range(runs)]
    assert found.count(1) > 0.9 * runs and -1 not in found


def test_the_scale_is_that_of_the_past_alone() -> None:
    values = np.random.default_rng(1).normal(size=60)
    whole = standardised(values)
    assert np.array_equal(standardised(values[:40]), whole[: 40 - WARM_UP])
    square = float(np.mean(values[:WARM_UP] ** 2))
    assert whole[0] == values[WARM_UP] / np.sqrt(square)
    square = DECAY * square + (1 - DECAY) * values[WARM_UP] ** 2
    assert whole[1] == pytest.approx(values[WARM_UP + 1] / np.sqrt(square))


def test_a_constant_bias_is_told_as_soon_as_anything_is() -> None:
    few, enough = WARM_UP + FEWEST - 1, WARM_UP + FEWEST
    sessions = np.arange(enough).astype("datetime64[D]")
    assert not compared(np.full(few, 0.1), sessions[:few], 1).larger
    assert compared(np.full(enough, 0.1), sessions, 1).larger
    assert compared(np.full(enough, -0.1), sessions, 1).smaller
    nothing = compared(np.zeros(enough), sessions, 1)
    assert not nothing.larger and not nothing.smaller


def test_labels_that_overlap_are_told_by_blocks() -> None:
    sessions = np.repeat(np.arange(200).astype("datetime64[D]"), 3)
    found = compared(np.random.default_rng(2).normal(size=600), sessions, 5)
    assert found.n == 200 // 5 - WARM_UP


@given(st.lists(st.floats(-10, 10), max_size=80), st.integers(1, 30))
def test_any_history_is_borne(values: list[float], horizon: int) -> None:
    sessions = np.arange(len(values)).astype("datetime64[D]")
    found = compared(np.array(values), sessions, horizon)
    assert found.low <= found.high and not np.isnan(found.low)
