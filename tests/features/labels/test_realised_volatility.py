"""Realised volatility against sums written out by hand."""

from math import log, sqrt

import numpy as np
import pytest
from handmade import FLAT, NEVER, path

from features.labels.realised_volatility import RealisedVolatility

PATH = ((110.0, 112.0, 104.0, 105.0), (104.0, 120.0, 103.0, 115.5), (116.0, 117.0, 100.0, 101.2))


def first(rule: RealisedVolatility, paid: tuple[float, ...] = (), ended: np.datetime64 = NEVER):  # type: ignore[no-untyped-def]
    return rule.settle(path((FLAT, *PATH), paid, ended), np.empty((0, 4)))


def test_close_to_close_begins_at_the_entrys_open() -> None:
    returns = [log(105 / 110), log(115.5 / 105), log(101.2 / 115.5)]
    for horizon in (1, 2, 3):
        wanted = sqrt(sum(r * r for r in returns[:horizon]) / horizon)
        found = first(RealisedVolatility(horizon, "close_to_close"))
        assert found.value[0] == pytest.approx(wanted)
        assert found.total_return[0] == pytest.approx(np.exp(sum(returns[:horizon])) - 1)


def test_a_dividend_is_no_movement() -> None:
    returns = [log(105 / 110), log((115.5 + 5) / 105)]
    found = first(RealisedVolatility(2, "close_to_close"), (0, 0, 5, 0))
    assert found.value[0] == pytest.approx(sqrt(sum(r * r for r in returns) / 2))


def test_garman_klass_takes_the_range_of_each_session() -> None:
    squares = [
        0.5 * log(high / low) ** 2 - (2 * log(2) - 1) * log(close / open_) ** 2
        for open_, high, low, close in PATH
    ]
    found = first(RealisedVolatility(3, "garman_klass"))
    assert found.value[0] == pytest.approx(sqrt(sum(squares) / 3))


def test_the_delisted_are_measured_while_they_traded() -> None:
    gone = np.datetime64("2025-03-20T21", "us")
    found = first(RealisedVolatility(5, "close_to_close"), ended=gone)
    assert found.value[2] == pytest.approx(abs(log(101.2 / 116)))
    assert (found.value[3], found.delisted[3]) == (0.0, True)


ESTIMATORS = ["garman_klass", "garman_klass_overnight", "close_to_close"]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_it_finds_the_volatility_of_a_random_walk(estimator: str) -> None:
    draw = np.random.default_rng(3)
    steps = 0.02 / np.sqrt(390) * draw.standard_normal((600, 390))
    walk = 100 * np.exp(np.cumsum(steps.ravel()).reshape(600, 390))
    opens = np.concatenate([[100.0], walk[:-1, -1]])
    bars = [(o, max(o, w.max()), min(o, w.min()), w[-1]) for o, w in zip(opens, walk, strict=True)]
    found = RealisedVolatility(500, estimator).settle(path(bars), np.empty((0, 600)))  # type: ignore[arg-type]
    assert found.value[0] == pytest.approx(0.02, rel=0.1)


def test_nights_that_are_held_count_with_their_dividends_and_the_one_before_does_not() -> None:
    squares = [
        0.5 * log(high / low) ** 2 - (2 * log(2) - 1) * log(close / open_) ** 2
        for open_, high, low, close in PATH
    ]
    nights = [0.0, log((104.0 + 1.5) / 105.0) ** 2, log(116.0 / 115.5) ** 2]
    for horizon in (1, 2, 3):
        found = first(RealisedVolatility(horizon, "garman_klass_overnight"), (9, 0, 1.5, 0))
        wanted = sqrt(sum(squares[:horizon] + nights[:horizon]) / horizon)
        assert found.value[0] == pytest.approx(wanted)


def test_bars_of_one_price_realise_nothing() -> None:
    flat = path([(100.0, 100.0, 100.0, 100.0)] * 4)
    found = RealisedVolatility(3, "garman_klass_overnight").settle(flat, np.empty((0, 4)))
    assert found.settled[0] and found.value[0] == 0.0
