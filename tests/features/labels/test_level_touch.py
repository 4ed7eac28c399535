"""Which level comes next, on hand-made paths: close 100, support 96, resistance 105."""

import numpy as np
import pytest
from handmade import FLAT, NEVER, Bar, path

from features.label import DOWN, NEUTRAL, UP, Outcomes
from features.labels.level_touch import LevelTouch


def outcome(
    *bars: Bar, dividend: tuple[float, ...] = (), ended: np.datetime64 = NEVER, horizon: int = 0
) -> Outcomes:
    panel = path((FLAT, *bars), (0.0, *dividend) if dividend else (), ended)
    levels = np.tile([[0.96], [1.05]], len(bars) + 1)
    return LevelTouch(horizon=horizon or len(bars)).settle(panel, levels)


def assert_first(found: Outcomes, value: int, total_return: float) -> None:
    assert found.settled[0] and found.value[0] == value
    assert found.total_return[0] == pytest.approx(total_return)


def test_resistance_first() -> None:
    assert_first(outcome((102, 103, 100, 103), (103, 105, 97, 98), (98, 98, 90, 90)), UP, 3 / 102)


def test_support_first() -> None:
    assert_first(outcome((98, 99, 95, 99), (99, 110, 99, 110)), DOWN, -2 / 98)


def test_neither() -> None:
    assert_first(outcome((100, 104.9, 96.1, 104)), NEUTRAL, 0.04)


@pytest.mark.parametrize(("opened", "value"), [(106.0, UP), (95.0, DOWN)])
def test_an_entry_beyond_a_level_has_reached_it(opened: float, value: int) -> None:
    assert_first(outcome((opened, 107, 94, 100)), value, 0.0)


def test_both_in_one_bar_goes_by_its_candle() -> None:
    assert_first(outcome((103, 106, 95, 100)), UP, 2 / 103)
    assert_first(outcome((98, 106, 95, 100)), DOWN, -2 / 98)
    assert_first(outcome((100, 106, 94, 100)), NEUTRAL, 0.0)


def test_a_price_that_meets_a_level_to_the_cent_has_reached_it_however_it_is_rounded() -> None:
    # 0.1 + 0.2 is a bit above 0.3, and 1.1 * 3 a bit above 3.3: levels are products, too.
    for close, low in ((0.7, 0.49), (1.1, 0.77), (26.19, 18.333)):
        bars = [(close, close * 1.001, close * 0.999, close), (close, close, low, close * 0.9)]
        levels = np.tile([[low / close], [1.5]], 2)
        for ratio in (1.0, 3.0, 7.0):
            panel = path([tuple(p / ratio for p in bar) for bar in bars])  # type: ignore[misc]
            assert LevelTouch(horizon=1).settle(panel, levels).value[0] == DOWN


def test_a_dividend_brings_no_support_nearer() -> None:
    fallen: tuple[Bar, ...] = ((100, 101, 99, 100), (96, 97, 95, 96))
    assert_first(outcome(*fallen), DOWN, -0.04)
    assert_first(outcome(*fallen, dividend=(0.0, 4.0)), NEUTRAL, 0.0)
    # On the entry's own session the buyer has none, and the level lies lower by it.
    assert_first(outcome((95, 96, 94, 95), dividend=(5.0,)), NEUTRAL, 0.0)


def test_the_delisted_settle_at_the_last_traded_price() -> None:
    found = outcome((100, 101, 99, 99), ended=np.datetime64("2025-03-07T21", "us"), horizon=3)
    assert_first(found, NEUTRAL, -0.01)
    assert found.delisted.all() and found.total_return[1] == 0.0


def test_levels_are_the_extremes_of_the_window_and_lie_around_the_close() -> None:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.02, 60)))
    panel = path([(c, c * 1.01, c * 0.99, c) for c in close])
    support, resistance = LevelTouch(window=20, least=0.5).basis(panel)
    assert np.isnan(support[:20]).all() and np.isfinite(support[20:]).all()
    for row in range(20, 60):
        window = close[row - 19 : row + 1]
        away = 0.5 * np.std(np.diff(close[row - 20 : row + 1]) / close[row - 20 : row], ddof=1)
        assert support[row] == pytest.approx(min(window.min() * 0.99 / close[row], 1 - away))
        assert resistance[row] == pytest.approx(max(window.max() * 1.01 / close[row], 1 + away))
    assert (support[20:] < 1).all() and (resistance[20:] > 1).all()


def test_a_price_that_never_moved_has_no_levels() -> None:
    assert np.isnan(LevelTouch().basis(path([FLAT] * 30))).all()
