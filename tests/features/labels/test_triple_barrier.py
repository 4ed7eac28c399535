"""The triple barrier on hand-made paths: entry at 100, barriers at 2 %."""

import numpy as np
import pytest
from handmade import FLAT, NEVER, Bar, path
from hypothesis import given, settings
from hypothesis import strategies as st

from features.label import DOWN, NEUTRAL, UP, Outcomes
from features.labels.triple_barrier import TripleBarrier


def outcome(
    *bars: Bar, dividend: tuple[float, ...] = (), ended: np.datetime64 = NEVER, horizon: int = 0
) -> Outcomes:
    """What became of a decision taken on a flat bar before `bars`."""
    panel = path((FLAT, *bars), (0.0, *dividend) if dividend else (), ended)
    rule = TripleBarrier(horizon=horizon or len(bars))
    return rule.settle(panel, np.full((1, len(bars) + 1), 0.02))


def assert_first(found: Outcomes, label: int, total_return: float) -> None:
    assert found.settled[0] and found.value[0] == label
    assert found.total_return[0] == pytest.approx(total_return)


def test_the_upper_barrier_first() -> None:
    found = outcome((100, 101, 99, 100), (100, 103, 99.5, 101), (101, 102, 90, 91))
    assert_first(found, UP, 0.02)


def test_the_lower_barrier_first() -> None:
    assert_first(outcome((100, 101, 97, 98), (98, 110, 98, 110)), DOWN, -0.02)


def test_none_touched_is_neutral_at_the_last_close() -> None:
    assert_first(outcome((100, 101.9, 98.1, 101), (101, 101.5, 99, 100.5)), NEUTRAL, 0.005)


def test_a_barrier_is_touched_when_it_is_met_exactly() -> None:
    assert_first(outcome((100, 102, 99, 100)), UP, 0.02)


@pytest.mark.parametrize(
    ("bar", "label", "total_return"),
    [
        ((100, 102.5, 96, 97), UP, 0.02),
        ((100, 102.5, 96, 101), DOWN, -0.02),
        ((100, 106, 97, 105), DOWN, -0.02),
        ((100, 106, 97, 99), UP, 0.02),
        ((100, 103, 97, 101.5), DOWN, -0.02),
        ((100, 103, 97, 100), NEUTRAL, 0.0),
    ],
)
def test_both_in_one_bar_goes_by_its_candle(bar: Bar, label: int, total_return: float) -> None:
    found = outcome(bar)
    assert_first(found, label, total_return)
    assert found.ambiguous.tolist() == [True, False]


@pytest.mark.parametrize(
    ("bar", "label", "total_return"),
    [
        ((100, 102.5, 96, 97), UP, 0.02),
        ((100, 106, 97, 105), DOWN, -0.02),
        ((100, 103, 97, 101.5), NEUTRAL, 0.015),
    ],
)
def test_the_first_version_holds_the_extreme_nearer_to_the_open_for_the_earlier(
    bar: Bar, label: int, total_return: float
) -> None:
    panel = path((FLAT, bar))
    rule = TripleBarrier(version=1)
    assert_first(rule.settle(panel, np.full((1, 2), 0.02)), label, total_return)


def test_a_bar_that_touches_one_barrier_leaves_nothing_open() -> None:
    assert not outcome((100, 103, 99, 100), (100, 103, 97, 98)).ambiguous.any()
    later = outcome((100, 101, 99, 100), (100, 103, 97, 98))
    assert later.ambiguous.tolist() == [True, False, False]


@settings(max_examples=300, deadline=None)
@given(
    cents=st.integers(100, 90_000),
    move=st.integers(1, 400),
    up=st.booleans(),
    ratio=st.sampled_from([1, 2, 3, 7, 0.1, 1.5]),
)
def test_a_tie_in_cents_is_a_tie_after_every_split(
    cents: int, move: int, up: bool, ratio: float
) -> None:
    """A doji that reached both barriers is neutral; one that closed a cent up or down is not."""
    opened, reach = cents / 100, move / 100
    bars = [
        (opened, opened + reach, opened - reach, opened + shift) for shift in (0.0, 0.01, -0.01)
    ]
    labels = []
    for bar in bars:
        adjusted = tuple(round(price, 2) / ratio for price in bar)
        panel = path((adjusted, adjusted))
        width = np.full((1, 2), 0.5 * move / cents)
        labels.append(int(TripleBarrier().settle(panel, width).value[0]))
    assert labels == [NEUTRAL, DOWN, UP]


@pytest.mark.parametrize(
    ("bar", "label", "total_return"),
    [((105, 106, 90, 91), UP, 0.05), ((96, 110, 95, 109), DOWN, -0.04)],
)
def test_a_gap_through_a_barrier_settles_at_the_open(
    bar: Bar, label: int, total_return: float
) -> None:
    assert_first(outcome((100, 101, 99, 100), bar), label, total_return)


def test_the_gap_before_the_entry_is_nobodys() -> None:
    assert_first(outcome((110, 111, 109, 110.55)), NEUTRAL, 0.005)


def test_dividends_after_the_entry_belong_to_the_position() -> None:
    ex = ((100, 101, 99, 100), (97, 98, 96.5, 97))
    assert_first(outcome(*ex), DOWN, -0.03)
    assert_first(outcome(*ex, dividend=(0.0, 3.0)), NEUTRAL, 0.0)
    # Bought at the open of the ex-date: the dividend is the seller's.
    assert_first(outcome((100, 101, 99, 100), dividend=(3.0,)), NEUTRAL, 0.0)


def test_a_dividend_keeps_counting_after_its_day() -> None:
    found = outcome(FLAT, (98, 99, 97.5, 98), (98, 101, 97.5, 99), dividend=(0.0, 2.0, 0.0))
    assert_first(found, UP, 0.02)


def test_it_settles_at_the_close_of_the_last_session_even_when_touched_before() -> None:
    found = outcome((100, 103, 99, 100), FLAT, FLAT)
    assert found.settled_at[0] == np.datetime64("2025-03-06T21")


def test_what_is_not_over_is_not_settled() -> None:
    found = outcome((100, 103, 99, 100), horizon=2)
    assert not found.settled.any()


def test_the_delisted_settle_at_the_last_traded_price_and_are_flagged() -> None:
    gone = np.datetime64("2025-03-07T21", "us")
    found = outcome((100, 101, 99, 99), ended=gone, horizon=3)
    assert_first(found, NEUTRAL, -0.01)
    assert found.delisted[0] and found.settled_at[0] == gone
    # Decided at the last close of all: nothing could be bought any more.
    assert (found.value[1], found.total_return[1], found.delisted[1]) == (NEUTRAL, 0.0, True)


def test_a_full_horizon_is_not_flagged_when_the_instrument_ends_later() -> None:
    found = outcome(FLAT, FLAT, ended=np.datetime64("2025-03-07T21", "us"), horizon=1)
    assert found.delisted.tolist() == [False, False, True]


def test_without_barriers_there_is_no_label() -> None:
    panel = path([FLAT] * 4)
    assert not TripleBarrier().settle(panel, np.full((1, 4), np.nan)).settled.any()


def test_barriers_are_half_the_volatility_and_grow_with_the_root_of_the_horizon() -> None:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.02, 30)))
    panel = path([(c, c, c, c) for c in close])
    wanted = 0.5 * np.std(close[5:25] / close[4:24] - 1, ddof=1)
    assert TripleBarrier().basis(panel)[0][24] == pytest.approx(wanted)
    assert TripleBarrier(horizon=4).basis(panel)[0][24] == pytest.approx(2 * wanted)
    assert np.isnan(TripleBarrier().basis(panel)[0][:20]).all()
    assert np.isnan(TripleBarrier().basis(path([FLAT] * 30))[0]).all()


@pytest.mark.parametrize("horizon", [1, 3])
def test_persistence_is_the_newest_label_settled_by_the_row(horizon: int) -> None:
    draw = np.random.default_rng(6)
    close = 100 * np.exp(np.cumsum(draw.normal(0, 0.02, 60)))
    panel = path([(c * 1.001, c * 1.02, c * 0.98, c) for c in close])
    rule = TripleBarrier(horizon=horizon)
    labels = rule.settle(panel, rule.basis(panel))
    found = rule.persistence(panel)
    for row in range(60):
        known = np.flatnonzero(labels.settled & (labels.settled_at <= panel.as_of[row]))
        wanted = labels.value[known[-1]] if len(known) else np.nan
        np.testing.assert_equal(found[row], wanted)
