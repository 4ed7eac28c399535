"""Corporate actions against hand-made paths."""

import numpy as np
import pytest

from features.inputs.adjust import PRICES, Actions, adjusted

DAYS = np.arange("2025-03-03", "2025-03-08", dtype="datetime64[D]")
NONE = Actions(np.empty(0, "datetime64[D]"), np.empty(0))


def actions(**values: float) -> Actions:
    """Actions by day of March: `d5=2.0` is the value 2 on the fifth."""
    days = [np.datetime64(f"2025-03-{int(day[1:]):02}") for day in values]
    return Actions(np.array(days), np.array(list(values.values())))


def adjust(
    close: list[float], splits: Actions = NONE, dividends: Actions = NONE, delivered: str = "none"
) -> dict[str, np.ndarray]:
    columns = {name: np.array(close) for name in PRICES} | {"volume": np.full(len(close), 10.0)}
    days = DAYS[: len(close)]
    return adjusted(columns, days, np.full(len(close), delivered), splits, dividends)


def test_prices_before_a_split_are_divided_and_volumes_multiplied() -> None:
    out = adjust([100, 102, 51, 52, 53], actions(d5=2.0))
    assert out["close"].tolist() == [50, 51, 51, 52, 53]
    assert out["volume"].tolist() == [20, 20, 10, 10, 10]
    assert out["open"].tolist() == out["close"].tolist()


def test_splits_multiply_up() -> None:
    out = adjust([120, 60, 60, 20, 20], actions(d4=2.0, d6=3.0))
    assert out["close"].tolist() == [20, 20, 20, 20, 20]


def test_bars_delivered_adjusted_are_left_alone() -> None:
    out = adjust([50, 51, 51], actions(d5=2.0), actions(d4=1.0), delivered="split")
    # The dividend is what one share of that day was paid: half of it per share of the prices.
    assert out["close"].tolist() == [50, 51, 51] and out["dividend"].tolist() == [0, 0.5, 0]
    both = adjust([50, 51, 51], actions(d5=2.0), actions(d4=1.0), delivered="split_dividend")
    assert both["dividend"].tolist() == [0, 0, 0] and both["total"].tolist() == [50, 51, 51]


def test_total_returns_hold_the_dividend() -> None:
    out = adjust([100, 99, 101], dividends=actions(d4=2.0))
    returns = out["total"][1:] / out["total"][:-1] - 1
    assert returns.tolist() == pytest.approx([(99 + 2) / 100 - 1, 101 / 99 - 1])


def test_a_dividend_before_a_split_is_in_old_shares() -> None:
    out = adjust([100, 98, 49], actions(d5=2.0), actions(d4=2.0))
    assert out["dividend"].tolist() == [0, 1, 0]
    assert (out["total"][1:] / out["total"][:-1]).tolist() == pytest.approx([1.0, 1.0])


def test_an_ex_date_without_a_bar_counts_in_the_next_row() -> None:
    columns = {name: np.array([100.0, 98.0]) for name in (*PRICES, "volume")}
    days = DAYS[[0, 3]]
    out = adjusted(columns, days, np.full(2, "none"), NONE, actions(d4=2.0, d1=5.0, d9=5.0))
    assert out["dividend"].tolist() == [0, 2]


def test_a_dividend_in_a_halt_before_a_split_is_in_old_shares() -> None:
    columns = {name: np.array([100.0, 9.90]) for name in (*PRICES, "volume")}
    out = adjusted(columns, DAYS[[0, 3]], np.full(2, "none"), actions(d5=10.0), actions(d4=1.0))
    assert out["dividend"].tolist() == pytest.approx([0, 0.1])
    assert out["total"][1] / out["total"][0] == pytest.approx(1.0)


def test_a_dividend_on_the_day_of_a_split_is_in_new_shares() -> None:
    out = adjust([100, 49], actions(d4=2.0), actions(d4=1.0))
    assert (out["total"][1] / out["total"][0]) == pytest.approx(1.0)


def test_adjusted_bars_that_bars_as_traded_follow_are_in_the_shares_of_the_last() -> None:
    columns = {name: np.array([100.0, 102.0, 51.0]) for name in (*PRICES, "volume")}
    marks = np.array(["split", "split", "none"])
    out = adjusted(columns, DAYS[:3], marks, actions(d5=2.0), actions(d4=2.0))
    assert out["close"].tolist() == [50, 51, 51] and out["dividend"].tolist() == [0, 1, 0]
