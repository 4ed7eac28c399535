"""The total return on hand-made paths: decided on a flat bar, entered at the next open."""

import numpy as np
import pytest
from handmade import FLAT, path

from features.labels.total_return import TotalReturn

PATH = ((110, 112, 104, 105), (104, 120, 103, 115.5), (116, 117, 100, 101.2))


@pytest.mark.parametrize(("horizon", "close"), [(1, 105), (2, 115.5), (3, 101.2)])
def test_from_the_next_open_to_the_close_of_the_last_session(horizon: int, close: float) -> None:
    found = TotalReturn(horizon).settle(path((FLAT, *PATH)), np.empty((0, 4)))
    assert found.value[0] == pytest.approx(close / 110 - 1)
    assert found.total_return[0] == found.value[0]
    assert found.settled_at[0] == np.datetime64("2025-03-03T21") + np.timedelta64(horizon, "D")


def test_dividends_after_the_entry_are_reinvested_at_the_close() -> None:
    # 5 are paid out of 115.5 and buy 5 / 115.5 of a share that ends at 101.2.
    paid = path((FLAT, *PATH), dividend=(0, 0, 5, 0))
    found = TotalReturn(3).settle(paid, np.empty((0, 4)))
    assert found.value[0] == pytest.approx(101.2 * (1 + 5 / 115.5) / 110 - 1)


def test_the_dividend_of_the_entrys_session_is_the_sellers() -> None:
    paid = path((FLAT, *PATH), dividend=(0, 5, 0, 0))
    assert TotalReturn(2).settle(paid, np.empty((0, 4))).value[0] == pytest.approx(115.5 / 110 - 1)


def test_the_night_before_the_entry_is_nobodys() -> None:
    doubled = path(((50, 51, 49, 50), *PATH))
    assert TotalReturn(1).settle(doubled, np.empty((0, 4))).value[0] == pytest.approx(105 / 110 - 1)


def test_the_delisted_settle_at_the_last_traded_price() -> None:
    gone = np.datetime64("2025-03-20T21", "us")
    found = TotalReturn(20).settle(path((FLAT, *PATH), ended=gone), np.empty((0, 4)))
    assert found.value.tolist() == pytest.approx(
        [101.2 / 110 - 1, 101.2 / 104 - 1, 101.2 / 116 - 1, 0]
    )
    assert found.delisted.all() and (found.settled_at == gone).all()
