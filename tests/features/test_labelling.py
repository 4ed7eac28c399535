"""Labels out of a real store: minutes that decide, closes that are restated, delisted minutes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from contracts.tables import BARS, SYMBOLS
from contracts.time.calendar import session_open
from features.label import DOWN, UP, Label
from features.labels.level_touch import LevelTouch
from features.labels.total_return import TotalReturn
from features.labels.triple_barrier import TripleBarrier
from features.matrix.matrix import load_matrix
from features.view import FeatureView

pytestmark = pytest.mark.integration

PLACE = 50  # the session whose bar touches both barriers
BOTH = (0.8, 1.25)  # its low and high over its open: far beyond any barrier


def labelled(market: Any, label: Label, last: int = -1) -> pl.DataFrame:
    one = FeatureView("tried", ("return_1",), label)
    cut = market.cut(market.sessions[0], market.sessions[last])
    frame = pl.from_arrow(load_matrix(market.store, cut, one, missing="write"))
    assert isinstance(frame, pl.DataFrame)
    return frame.sort("instrument_id", "session")


def decided_on(frame: pl.DataFrame, market: Any, place: int, name: str = "SIM001") -> Any:
    found = frame.filter(instrument_id=name, session=market.sessions[place])
    return found.row(0, named=True)


def touching_both(market: Any, closes: float = 1.01) -> float:
    """SIM001's bar at PLACE is an up candle (or a down one) that reaches everything."""
    opened = float(market.open[0, PLACE])
    market.low[0, PLACE], market.high[0, PLACE] = opened * BOTH[0], opened * BOTH[1]
    market.close[0, PLACE] = opened * closes
    return opened


def minute_rows(
    market: Any, prices: Sequence[tuple[float, float]], **change: object
) -> list[dict[str, object]]:
    """Minutes of SIM001's session at PLACE from lows and highs over its open."""
    start, opened = session_open("XNYS", market.sessions[PLACE]), float(market.open[0, PLACE])
    rows = []
    for minute, (low, high) in enumerate(prices):
        closed = start + timedelta(minutes=minute + 1)
        middle = opened * (low + high) / 2
        bar = market.bar(0, PLACE, interval="1m", event_time=closed, known_at=closed)
        bar |= {"start_time": closed - timedelta(minutes=1), "open": middle, "close": middle}
        rows.append(bar | {"low": opened * low, "high": opened * high} | change)
    return rows


RISE_FIRST = [(0.999, 1.001), (1.0, BOTH[1]), (BOTH[0], 1.0), (0.99, 1.01)]
FALL_FIRST = [(0.999, 1.001), (BOTH[0], 1.0), (1.0, BOTH[1]), (0.99, 1.01)]


def test_without_minutes_the_candle_decides_and_the_label_says_so(market: Any) -> None:
    touching_both(market)
    market.load()
    frame = labelled(market, TripleBarrier())
    found = decided_on(frame, market, PLACE - 1)
    assert (found["label"], found["ambiguous"]) == (DOWN, True)
    settled = frame.filter(pl.col("label").is_not_null())
    assert settled["ambiguous"].null_count() == 0
    assert decided_on(frame, market, PLACE)["persistence"] == DOWN


@pytest.mark.parametrize(("path", "value"), [(RISE_FIRST, UP), (FALL_FIRST, DOWN)])
@pytest.mark.parametrize("closes", [1.01, 0.99])
def test_the_minutes_of_that_session_decide(
    market: Any, path: list[tuple[float, float]], value: int, closes: float
) -> None:
    touching_both(market, closes)
    market.load()
    market.append(BARS, minute_rows(market, path))
    frame = labelled(market, TripleBarrier())
    found = decided_on(frame, market, PLACE - 1)
    assert (found["label"], found["ambiguous"]) == (value, False)
    # They were known at the close: the decision of that session knows it, too.
    assert decided_on(frame, market, PLACE)["persistence"] == value
    # Views of before keep their rule and ask no minutes.
    before = decided_on(labelled(market, TripleBarrier(version=1)), market, PLACE - 1)
    assert (before["label"], before["ambiguous"]) == (DOWN, True)


def test_minutes_are_read_in_the_shares_of_the_newest_row(market: Any) -> None:
    touching_both(market)
    for name in ("open", "high", "low", "close"):
        getattr(market, name)[0, PLACE + 3 :] /= 7
    market.load()
    market.append(BARS, minute_rows(market, RISE_FIRST))
    market.action("SIM001", PLACE + 3, "split", 7.0)
    found = decided_on(labelled(market, TripleBarrier()), market, PLACE - 1)
    assert (found["label"], found["ambiguous"]) == (UP, False)


def test_minutes_that_come_later_change_what_is_settled_then_and_not_what_was_known(
    market: Any,
) -> None:
    touching_both(market)
    market.load()
    late = market.close_of(market.sessions[PLACE + 3])
    market.append(BARS, minute_rows(market, RISE_FIRST, known_at=late))
    before = labelled(market, TripleBarrier(), PLACE + 2)
    assert decided_on(before, market, PLACE - 1)["label"] == DOWN
    frame = labelled(market, TripleBarrier())
    assert decided_on(frame, market, PLACE - 1)["label"] == UP
    assert decided_on(frame, market, PLACE)["persistence"] == DOWN


@pytest.mark.parametrize("restated", [1.004, 0.996])
@pytest.mark.parametrize("split", [1.0, 3.0])
def test_a_level_stays_where_it_was_when_the_close_is_restated(
    market: Any, restated: float, split: float
) -> None:
    """The resistance is a high of before; the high after the decision misses it by 0.2 %."""
    top = float(market.high[0, PLACE - 30 : PLACE].max()) * 1.3
    market.high[0, PLACE - 5] = top
    for place in range(PLACE + 1, PLACE + 6):
        opened = float(market.close[0, PLACE])
        market.open[0, place], market.close[0, place] = opened, opened
        market.high[0, place], market.low[0, place] = opened * 1.001, opened * 0.999
    market.high[0, PLACE + 2] = top * 0.998
    if split > 1.0:
        for name in ("open", "high", "low", "close"):
            getattr(market, name)[0, PLACE + 1 :] /= split
        market.load()
        market.action("SIM001", PLACE + 1, "split", split)
    else:
        market.load()
    rule = LevelTouch(horizon=5, least=0.01)
    assert decided_on(labelled(market, rule), market, PLACE)["label"] == 1
    late = market.close_of(market.sessions[PLACE + 1]) + timedelta(hours=1)
    close = float(market.close[0, PLACE]) * restated
    market.append(BARS, [market.bar(0, PLACE, close=close, known_at=late)])
    assert decided_on(labelled(market, rule), market, PLACE)["label"] == 1
    # A high that does reach it is still seen.
    reached = market.bar(0, PLACE + 2, high=top / split * 1.0001, known_at=late)
    market.append(BARS, [reached | {"known_at": market.close_of(market.sessions[PLACE + 3])}])
    assert decided_on(labelled(market, rule), market, PLACE)["label"] == UP


def test_who_is_delisted_has_no_more_labels_at_the_end_of_each_session(market: Any) -> None:
    market.load()
    gone = market.sessions[-2]
    span = {"instrument_id": "SIM001", "symbol": "SIM001", "valid_from": market.sessions[0]}
    known = {"known_at": market.close_of(gone), "valid_to": gone}
    market.append(SYMBOLS, [span | known])
    rows = []
    for place in (-5, -4, -3, -2, -1):
        start = session_open("XNYS", market.sessions[place])
        for name in (0, 1):
            if (name, place) == (0, -1):
                continue
            for minute in range(40):
                closed = start + timedelta(minutes=minute + 1)
                bar = market.bar(name, place, interval="1m", event_time=closed, known_at=closed)
                rows.append(bar | {"start_time": closed - timedelta(minutes=1)})
    market.append(BARS, rows)
    one = FeatureView("tried", ("return_1",), TotalReturn(15), interval="1m")
    cut = market.cut(market.sessions[-5], market.sessions[-1])
    frame = pl.from_arrow(load_matrix(market.store, cut, one, missing="write"))
    assert isinstance(frame, pl.DataFrame)
    counts = frame.group_by("instrument_id", "session").agg(
        pl.col("label").count(), pl.col("delisted").sum()
    )
    own = counts.filter(instrument_id="SIM001").sort("session")
    assert own["label"].to_list() == [25, 25, 25, 40]
    assert own["delisted"].to_list() == [0, 0, 0, 15]
    assert counts.filter(instrument_id="SIM002")["label"].to_list() == [25] * 5
