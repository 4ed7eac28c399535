"""The block bootstrap against plain loops and scipy."""

import numpy as np
import pytest
from scipy import stats

from training.bootstrap import Blocks, interval


def test_each_draw_is_made_of_whole_blocks() -> None:
    weights = Blocks(draws=50, length=7, seed=1).weights(30)
    assert (weights.sum(axis=1) == 30).all()
    # The same draws, by loops: 5 blocks of 7, cut to 30 sessions.
    starts = np.random.default_rng(1).integers(0, 24, (50, 5))
    for row, begins in zip(weights, starts, strict=True):
        drawn = [begin + step for begin in begins for step in range(7)][:30]
        assert row.tolist() == np.bincount(drawn, minlength=30).tolist()


def test_blocks_of_one_session_agree_with_scipy() -> None:
    values = np.random.default_rng(5).normal(size=200)
    drawn = Blocks(draws=20_000, length=1).weights(200) @ values / 200
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=0
    ).confidence_interval
    assert interval(drawn) == pytest.approx(tuple(expected), abs=0.01)


def test_blocks_see_dependence_that_single_sessions_miss() -> None:
    random = np.random.default_rng(8)
    values = np.convolve(random.normal(size=1019), np.ones(20) / 20, mode="valid")

    def spread(length: int) -> float:
        weights = Blocks(draws=2000, length=length).weights(len(values))
        return float((weights @ values / len(values)).std())

    assert spread(50) > 2.5 * spread(1)


def test_fewer_sessions_than_a_block_are_taken_whole() -> None:
    assert (Blocks(draws=3, length=10).weights(4) == 1).all()
