"""Settled rows of stocks that were listed late or miss sessions."""

import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from settled import panel_of, samples_of
from sp500 import known_by

from features.engine import evaluate
from features.feature import FEATURES
from features.labels.total_return import TotalReturn
from features.labels.triple_barrier import TripleBarrier
from features.panel.panel import Panel
from training.bundle.history import lookback

FIRST = date(2016, 1, 4)
PRICES = ("open", "high", "low", "close", "total")


def bars(symbol: str, prices: dict[int, float]) -> pl.DataFrame:
    days = [FIRST + timedelta(days=i) for i in prices]
    return pl.DataFrame({"symbol": symbol, "session": days, "price": list(prices.values())})


def of(*parts: pl.DataFrame) -> Panel:
    def columns(part: pl.DataFrame) -> dict[str, np.ndarray]:
        price = part["price"].to_numpy()
        others = {name: np.zeros(len(part)) for name in ("dividend", "volume")}
        return {name: price for name in PRICES} | others

    whole = pl.concat(parts).sort("symbol", "session")
    return panel_of(whole, columns, lambda days: days + np.timedelta64(20, "h"))


def test_nothing_is_filled_in_where_a_stock_was_not_yet_listed_or_did_not_trade() -> None:
    made = of(
        bars("A", {0: 1.0, 1: 1.1, 2: 1.1, 3: 1.21}),
        bars("GAP", {0: 1.0, 3: 1.0}),
        bars("NEW", {2: 5.0, 3: 5.0}),
    )
    assert np.diff(made.offsets).tolist() == [4, 2, 2]
    # Third day: one member stays; last day: A 10 %, GAP nothing since three days, NEW nothing.
    market = made.columns["index_return"]
    assert np.isnan(market[made.place == 0]).all(), "no row before the first"
    last = (0.1 + 0.0 + 0.0) / 3
    assert market[1:4] == pytest.approx([0.1, 0.0, last])
    assert market[5] == pytest.approx(1.1 * 1.0 * (1 + last) - 1), "of all sessions since its own"
    assert market[7] == pytest.approx(last)


def test_a_position_is_held_over_sessions_that_a_stock_misses() -> None:
    made = of(bars("GAP", {0: 1.0, 1: 1.0, 2: 1.0, 9: 1.3, 10: 1.3, 11: 1.3}))
    found = samples_of(made, {"one": np.ones(6, np.float32)}, TotalReturn(horizon=2))
    # Entered at the open of the second row, settled at the close of the third traded one.
    assert found.truth == pytest.approx([0.0, 0.3, 0.0, 0.0])
    assert found.settled_at[1] == np.datetime64("2016-01-13T20:00")


def test_rows_to_look_back_on_have_no_truth_but_stay_in_the_history() -> None:
    made = of(bars("A", dict.fromkeys(range(8), 1.0)), bars("NEW", dict.fromkeys(range(4, 8), 1.0)))
    place = {"place": made.place.astype(np.float32)}
    found = samples_of(made, place, TotalReturn(horizon=1), behind=2)
    assert found.column("place").min() == 2 and len(found) == 5 + 1
    assert found.history.values[:, 0].tolist() == [*range(8), *range(4)]
    window = found.windows(3)[found.instruments == "NEW"][0, :, 0]
    assert window.tolist() == [0.0, 1.0, 2.0], "it begins with the listing"


def test_a_window_ends_at_a_long_halt() -> None:
    far = 5 + lookback(3).days + 1
    made = of(bars("GAP", {**dict.fromkeys(range(5), 1.0), far: 1.0, far + 1: 1.0, far + 2: 1.0}))
    place = {"place": made.place.astype(np.float32)}
    found = samples_of(made, place, TotalReturn(horizon=1), behind=4)
    own = found.windows(3)[found.sessions == np.datetime64(FIRST + timedelta(days=far))][0, :, 0]
    assert np.isnan(own[:2]).all() and own[2] == 5.0


def test_classes_are_whole_numbers_and_naive_forecasts_stand_beside() -> None:
    random = np.random.default_rng(0)
    walk = np.exp(np.cumsum(random.normal(0, 0.02, 90)))
    made = of(bars("A", dict(enumerate(walk.tolist()))))
    found = samples_of(made, {"one": np.ones(90, np.float32)}, TripleBarrier())
    assert found.truth.dtype == np.int64 and set(found.truth.tolist()) <= {0, 1, 2}
    assert set(found.beside) == {"persistence", "return_before"}


def test_features_that_want_more_than_bars_are_left_out() -> None:
    made = of(bars("A", dict.fromkeys(range(5), 1.0)))
    learnt = known_by(made, ("return_1", "index_momentum_5", "news_count_1", "day_of_week"))
    assert learnt == ("return_1", "index_momentum_5")
    assert set(evaluate(made, [FEATURES.get(name) for name in learnt])) == set(learnt)
