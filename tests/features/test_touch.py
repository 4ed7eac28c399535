"""Minutes inside of a bar that touched both prices, on hand-made paths: entry at 100."""

from dataclasses import replace

import numpy as np
import pytest
from handmade import FLAT, Bar, path

from features.label import DOWN, NEUTRAL, UP, Outcomes
from features.labels.level_touch import LevelTouch
from features.labels.triple_barrier import TripleBarrier
from features.panel.panel import Inside

BOTH: Bar = (100.0, 103.0, 97.0, 101.0)  # an up candle: by the rule it was at its low first


def settled(minutes: list[Bar], bar: Bar = BOTH, rule: TripleBarrier | None = None) -> Outcomes:
    """Barriers at 98 and 102, and these minutes inside of the bar after the decision."""
    panel = path((FLAT, bar))
    prices = np.array(minutes, dtype=float).reshape(-1, 4).T
    inside = Inside(np.array([0, 0, len(minutes)]), np.ascontiguousarray(prices))
    return (rule or TripleBarrier()).settle(replace(panel, inside=inside), np.full((1, 2), 0.02))


def first(found: Outcomes) -> tuple[int, float, bool]:
    return int(found.value[0]), round(float(found.total_return[0]), 9), bool(found.ambiguous[0])


def test_minutes_say_what_came_first() -> None:
    rise: list[Bar] = [(100, 101, 100, 101), (101, 103, 101, 102)]
    fall: list[Bar] = [(101, 101, 97, 98), (98, 101, 98, 101)]
    assert first(settled([*rise, *fall])) == (UP, 0.02, False)
    assert first(settled([*fall, *rise])) == (DOWN, -0.02, False)
    assert first(settled([])) == (DOWN, -0.02, True)


def test_a_minute_that_opens_beyond_a_barrier_reached_it_first() -> None:
    assert first(settled([(102.5, 103, 97, 98)])) == (UP, 0.02, False)
    assert first(settled([(97.5, 103, 97, 98)])) == (DOWN, -0.02, False)


def test_a_minute_that_touches_both_leaves_it_to_the_candle_of_the_day() -> None:
    assert first(settled([(100, 103, 97, 98)])) == (DOWN, -0.02, True)
    assert first(settled([(100, 103, 97, 98)], (100, 103, 97, 99))) == (UP, 0.02, True)


def test_minutes_that_are_not_all_there_say_nothing() -> None:
    assert first(settled([(101, 103, 101, 102)])) == (DOWN, -0.02, True)


def test_the_first_version_asks_no_minutes() -> None:
    minutes: list[Bar] = [(100, 103, 100, 102), (101, 101, 97, 98)]
    assert first(settled(minutes, rule=TripleBarrier(version=1)))[::2] == (NEUTRAL, True)


def test_minutes_are_asked_about_the_price_that_is_left_of_it_after_a_dividend() -> None:
    """Bought at 100, 3 ex in the second session: 95 and what was paid are 98."""
    bars = (FLAT, (100, 101, 99, 100), (96.5, 99.5, 94.5, 97))
    panel = path(bars, (0.0, 0.0, 3.0))
    rise, fall = (96.5, 99.2, 96, 99), (96.0, 96.5, 94.9, 96)
    for minutes, value in (([rise, fall], UP), ([fall, rise], DOWN)):
        prices = np.ascontiguousarray(np.array(minutes).T)
        inside = Inside(np.array([0, 0, 0, 2]), prices)
        found = TripleBarrier(2).settle(replace(panel, inside=inside), np.full((1, 3), 0.02))
        assert first(found) == (value, 0.02 if value == UP else -0.02, False)


def test_rows_that_are_open_are_named_and_only_those() -> None:
    panel = path((FLAT, FLAT, BOTH, FLAT, (100, 103, 99.5, 101), BOTH))
    basis = np.full((1, 6), 0.02)
    assert TripleBarrier(1).open_rows(panel, basis).tolist() == [2, 5]
    # Decided on the last row but one, two sessions are not over; before it, the first rose.
    assert TripleBarrier(2).open_rows(panel, basis).tolist() == [2]
    levels = np.tile([[0.98], [1.02]], 6)
    # Around the close of 101 the resistance lies at 103.02, which the last bar does not reach.
    assert LevelTouch(1).open_rows(panel, levels).tolist() == [2]


@pytest.mark.parametrize("ratio", [3.0, 7.0])
def test_a_minute_that_meets_a_barrier_to_the_cent_has_reached_it(ratio: float) -> None:
    minutes: list[Bar] = [(100, 101.99, 99, 100), (100, 102, 98.01, 99), (99, 99, 98, 98.5)]
    panel = path([tuple(p / ratio for p in bar) for bar in (FLAT, BOTH)])  # type: ignore[misc]
    inside = Inside(np.array([0, 0, 3]), np.ascontiguousarray(np.array(minutes).T / ratio))
    found = TripleBarrier().settle(replace(panel, inside=inside), np.full((1, 2), 0.02))
    assert first(found) == (UP, 0.02, False)
