"""Whether levels are touched, on hand-made paths: close 100, support 96, resistance 105."""

import numpy as np
import pytest
from handmade import FLAT, NEVER, Bar, path
from hypothesis import given
from hypothesis import strategies as st

from features.label import Outcomes
from features.labels.levels_touched import BOTH, NEITHER, RESISTANCE, SUPPORT, LevelsTouched


def outcome(
    *bars: Bar, dividend: tuple[float, ...] = (), ended: np.datetime64 = NEVER, horizon: int = 0
) -> Outcomes:
    panel = path((FLAT, *bars), (0.0, *dividend) if dividend else (), ended)
    levels = np.tile([[0.96], [1.05]], len(bars) + 1)
    return LevelsTouched(horizon=horizon or len(bars)).settle(panel, levels)


def assert_touched(found: Outcomes, value: int) -> None:
    assert found.settled[0] and found.value[0] == value and not found.ambiguous[0]


def test_each_of_the_four() -> None:
    assert_touched(outcome((100, 104.9, 96.1, 104)), NEITHER)
    assert_touched(outcome((98, 99, 95, 99), (99, 104, 99, 104)), SUPPORT)
    assert_touched(outcome((102, 103, 100, 103), (103, 105, 97, 98)), RESISTANCE)
    assert_touched(outcome((98, 99, 95, 99), (99, 110, 99, 110)), BOTH)
    assert_touched(outcome((100, 110, 90, 100)), BOTH)  # in whatever order


def test_what_lies_beyond_the_horizon_or_before_the_entry_is_no_touch() -> None:
    assert_touched(outcome((100, 101, 99, 100), (100, 110, 90, 100), horizon=1), NEITHER)
    assert_touched(outcome((100, 101, 99, 100)), NEITHER)


@pytest.mark.parametrize(("opened", "value"), [(106.0, RESISTANCE), (95.0, SUPPORT)])
def test_a_night_beyond_a_level_has_touched_it(opened: float, value: int) -> None:
    assert_touched(outcome((opened, opened, opened, opened)), value)


def test_a_price_that_meets_a_level_to_the_cent_has_touched_it_however_it_is_rounded() -> None:
    for close, low in ((0.7, 0.49), (1.1, 0.77), (26.19, 18.333)):
        bars = [(close, close * 1.001, close * 0.999, close), (close, close, low, close * 0.9)]
        levels = np.tile([[low / close], [1.5]], 2)
        for ratio in (1.0, 3.0, 7.0):
            panel = path([tuple(p / ratio for p in bar) for bar in bars])  # type: ignore[misc]
            assert LevelsTouched(horizon=1).settle(panel, levels).value[0] == SUPPORT


def test_a_dividend_brings_no_support_nearer() -> None:
    fallen: tuple[Bar, ...] = ((100, 101, 99, 100), (96, 97, 95, 96))
    assert_touched(outcome(*fallen), SUPPORT)
    assert_touched(outcome(*fallen, dividend=(0.0, 4.0)), NEITHER)
    assert_touched(outcome((95, 96, 94, 95), dividend=(5.0,)), NEITHER)


def test_the_return_is_that_of_the_whole_horizon() -> None:
    found = outcome((100, 106, 94, 101), (101, 102, 100, 102))
    assert found.total_return[0] == pytest.approx(0.02)


def test_the_delisted_settle_with_what_was_touched_and_nothing_bought_touches_nothing() -> None:
    ended = np.datetime64("2025-03-07T21", "us")
    found = outcome((98, 99, 95, 99), ended=ended, horizon=3)
    assert_touched(found, SUPPORT)
    assert found.delisted.all() and found.value[1] == NEITHER


bars = st.lists(st.tuples(*[st.integers(-6, 6)] * 2, *[st.integers(0, 5)] * 2), min_size=1)


@given(bars, st.integers(1, 9))
def test_every_answer_is_that_of_the_extremes(
    moves: list[tuple[int, int, int, int]], horizon: int
) -> None:
    held, close = list[Bar](), 100.0
    for gap, body, above, below in moves:
        opened = close + gap / 3
        close = opened + body / 3
        held.append((opened, max(opened, close) + above / 7, min(opened, close) - below / 7, close))
    found = outcome(*held, horizon=min(horizon, len(held)))
    seen = held[: min(horizon, len(held))]
    low, high = min(bar[2] for bar in seen), max(bar[1] for bar in seen)
    # Prices are multiples of 1/21: what is nearer to a level than that meets it.
    assert_touched(found, SUPPORT * (low < 96.01) + RESISTANCE * (high > 104.99))
