"""Split-adjusted prices as they were traded, whatever their size and however many splits."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as some

from contracts.settings import settings
from etl.splits import as_traded, paid, undone

DAY = date(2014, 6, 6)
DAYS = ("2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08")
DIGITS = some.integers(1, 999_999)
PRICES = some.builds(lambda digits, power: float(f"{digits}e{power}"), DIGITS, some.integers(-9, 2))
RATIOS = some.sampled_from([2.0, 3.0, 7.0, 1.5, 1.05, 10.0, 20.0, 0.1, 0.05, 1 / 3, 1 / 7, 0.001])


def adjusted(price: float, ratios: list[float]) -> float:
    """As a provider delivers it: divided by all later splits, in single precision."""
    return float(np.float32(price / float(np.prod(ratios))))


def back(price: float, ratios: list[float]) -> float:
    splits = {DAY + timedelta(days=n + 1): ratio for n, ratio in enumerate(ratios)}
    row = {name: [adjusted(price, ratios)] for name in ("open", "high", "low", "close")}
    bars = pl.DataFrame({"session": [DAY], "volume": [1.0]} | row)
    return float(undone(bars, splits)["close"][0])


@tried(deadline=None)
@given(PRICES, some.lists(RATIOS, max_size=6))
def test_a_price_of_any_size_comes_back_whatever_splits_came_since(
    price: float, ratios: list[float]
) -> None:
    assert back(price, ratios) == pytest.approx(price, rel=1e-12)


@tried(deadline=None)
@given(PRICES, some.lists(RATIOS, min_size=1, max_size=6))
def test_a_later_split_makes_no_new_version_of_a_bar(price: float, ratios: list[float]) -> None:
    assert back(price, ratios) == back(price, ratios[:-1]) == back(price, [])


@pytest.mark.parametrize("price", [0.0000125, 0.00231, 0.00234, 1.08523, 1.085234, 12345.67, 0.1])
def test_no_digit_is_lost(price: float) -> None:
    assert back(price, []) == price


def test_a_dividend_comes_back_too() -> None:
    given_out = pl.DataFrame({"ex_date": [DAY], "value": [adjusted(0.0123, [7.0, 4.0])]})
    splits = {date(2014, 6, 9): 7.0, date(2020, 8, 31): 4.0}
    assert paid(given_out, splits)["value"].to_list() == [0.0123]


def test_a_folder_of_split_adjusted_bars_gives_the_same_before_and_after_a_split(
    folder: Any, ask: Any
) -> None:
    def written(factor: float, *actions: str) -> None:
        header = "symbol,session,open,high,low,close,volume,adjustment"
        rows = [f"AAA,{day},{p},{p},{p},{p},{900 * factor}" for day in DAYS for p in (1 / factor,)]
        text = "\n".join([header, *(f"{row},split" for row in rows)])
        (folder.path / "bars.csv").write_text(text + "\n")
        told = ["symbol,ex_date,kind,value,adjustment", *actions]
        (folder.path / "actions.csv").write_text("\n".join(told) + "\n")

    written(1.0, "AAA,2024-07-03,dividend,0.06,split")
    before = ask("files", settings())
    split = "AAA,2024-07-09,split,3,"
    written(3.0, "AAA,2024-07-03,dividend,0.02,split", split)
    after = ask("files", settings())
    assert after["bars"].drop_columns("adjustment") == before["bars"].drop_columns("adjustment")
    assert set(after["bars"]["adjustment"].to_pylist()) == {"none"}
    assert after["actions"]["value"].to_pylist() == [0.06]
    # Dividends as paid stay as they are.
    written(3.0, "AAA,2024-07-03,dividend,0.06,", split)
    assert ask("files", settings())["actions"]["value"].to_pylist() == [0.06]


def test_only_rows_marked_as_adjusted_are_undone_each_by_its_own_splits() -> None:
    rows = pl.DataFrame(
        {
            "symbol": ["A", "A", "A", "B", "A"],
            "session": [DAY + timedelta(days=n) for n in (9, 0, 1, 0, 0)],
            "close": [5.0, 10.0, 5.0, 3.0, 7.0],
            "volume": [100.0, 400.0, 100.0, 1.0, 2.0],
            "adjustment": ["split", "split", "split", "split", "none"],
        }
    )
    splits = pl.DataFrame(
        {
            "symbol": ["A", "A", "A"],
            "ex_date": [DAY + timedelta(days=n) for n in (1, 1, 5)],
            "value": [2.0, 1.5, 4.0],
        }
    )
    out = as_traded(rows, "session", splits, ("close",))
    assert out["close"].to_list() == [5.0, 120.0, 20.0, 3.0, 7.0]
    assert out["volume"].to_list() == [100.0, 33.0, 25.0, 1.0, 2.0]
    assert out["adjustment"].to_list() == ["none", "none", "none", "split", "none"]
