"""What was known decides: restated and late facts, actions, halts, delistings."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from contracts.tables import BARS, SYMBOLS
from features.view import view

pytestmark = pytest.mark.integration

DAILY = view("daily_0")


def of(frame: pl.DataFrame, instrument: str) -> pl.DataFrame:
    return frame.filter(pl.col("instrument_id") == instrument).sort("session")


def features(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("instrument_id", "session", "as_of", *DAILY.features)


def test_a_restatement_changes_only_later_decisions(market: Any) -> None:
    before = market.load().matrix()
    snapshot = market.store.snapshot()
    at = market.close_of(market.sessions[45]) + timedelta(hours=1)
    wrong = float(market.close[0, 40]) * 1.2
    market.append(BARS, [market.bar(0, 40, close=wrong, high=wrong, known_at=at)])
    after = market.matrix()
    own = [
        name for name in DAILY.features if not name.startswith("news") and name != "momentum_rank"
    ]
    day = market.sessions[45]
    until, later = pl.col("session") <= day, pl.col("session") > day
    assert_frame_equal(features(before.filter(until)), features(after.filter(until)))
    for untouched in ("SIM002", "SIM003"):
        assert_frame_equal(of(before, untouched).select(own), of(after, untouched).select(own))
    new, old = of(after.filter(later), "SIM001"), of(before.filter(later), "SIM001")
    closes = market.close[0].copy()
    closes[40] = wrong
    assert new["momentum_20"].to_list() == pytest.approx(closes[46:] / closes[26:40] - 1, rel=1e-6)
    assert new["volatility_20"][0] != pytest.approx(old["volatility_20"][0], rel=1e-3)
    assert_frame_equal(features(market.matrix(snapshot=snapshot)), features(before))


def test_a_restated_truth_is_seen_from_then_on(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[45])
    high, low = float(market.open[0, 40]) * 1.001, float(market.open[0, 40]) * 0.5
    market.append(BARS, [market.bar(0, 40, high=high, low=low, known_at=at)])
    before, after = (market.one("SIM001", last=last) for last in (44, 45))
    assert after["label"][39] == 0 and after["total_return"][39] < 0
    assert before["label"][39] == 2
    # What was persistent at the close of session 40 was the truth of that moment.
    assert before["persistence"][40] == before["label"][39] == after["persistence"][40]
    assert_frame_equal(features(before), features(after)[:-1])


def test_a_late_bar_is_no_decision_and_counts_from_its_arrival_on(market: Any) -> None:
    market.list_instruments()
    at = market.close_of(market.sessions[45])
    late = market.bar(0, 40, known_at=at)
    rows = [row for row in market.bars() if row["session"] != market.sessions[40]]
    market.append(BARS, [*rows, market.bar(1, 40), market.bar(2, 40), late])
    one = market.one("SIM001")
    assert one.height == 59 and market.sessions[40] not in one["session"].to_list()
    closes = market.close[0]
    found = dict(one.select("session", "momentum_5").iter_rows())
    # Before its arrival, five rows back from session 44 was session 38.
    assert found[market.sessions[44]] == pytest.approx(closes[44] / closes[38] - 1, rel=1e-6)
    assert found[market.sessions[45]] == pytest.approx(closes[45] / closes[40] - 1, rel=1e-6)


def test_a_split_leaves_features_and_labels_as_they_would_be(market: Any) -> None:
    ex = 40
    for name in ("open", "high", "low", "close"):
        prices = getattr(market, name)
        prices[1] = prices[0] / np.where(np.arange(60) >= ex, 2.0, 1.0)
    market.volume[1] = market.volume[0] * np.where(np.arange(60) >= ex, 2.0, 1.0)
    market.load()
    market.action("SIM002", ex, "split", 2.0)
    frame = market.matrix()
    shown = [name for name in DAILY.features if name != "momentum_rank"]
    shown += ["label", "total_return", "persistence"]
    assert_frame_equal(of(frame, "SIM001").select(shown), of(frame, "SIM002").select(shown))


def test_a_split_known_late_jolts_only_what_could_not_know(market: Any) -> None:
    market.close[0, 40:] /= 2
    market.load()
    at = market.close_of(market.sessions[42])
    market.action("SIM001", 40, "split", 2.0, known_at=at)
    returns = market.one("SIM001")["return_1"].to_list()
    closes = market.close[0]
    assert returns[40] == pytest.approx(closes[40] / closes[39] - 1, rel=1e-6)
    assert returns[40] < -0.4 and returns[41] > -0.2
    momentum = market.one("SIM001")["momentum_5"].to_list()
    assert momentum[41] == pytest.approx(closes[41] / closes[36] - 1, rel=1e-6)
    assert momentum[42] == pytest.approx(2 * closes[42] / closes[37] - 1, rel=1e-6)


def test_a_dividend_belongs_to_the_return(market: Any) -> None:
    market.load()
    market.action("SIM001", 40, "dividend", 0.5)
    returns = market.one("SIM001")["return_1"].to_list()
    closes = market.close[0]
    assert returns[40] == pytest.approx((closes[40] + 0.5) / closes[39] - 1, rel=1e-6)
    assert returns[41] == pytest.approx(closes[41] / closes[40] - 1, rel=1e-6)


def test_a_delisted_instrument_settles_at_its_last_price(market: Any) -> None:
    market.list_instruments()
    market.append(BARS, [row for row in market.bars() if not _gone(market, row)])
    unsettled = market.one("SIM001")
    assert unsettled["label"].to_list()[-1] is None
    last = market.sessions[50]
    end = {"symbol": "SIM001", "instrument_id": "SIM001", "valid_from": market.sessions[0]}
    known = {"valid_to": last, "known_at": market.close_of(market.sessions[52])}
    market.append(SYMBOLS, [end | known])
    settled = market.one("SIM001").tail(1).to_dicts()[0]
    assert settled["session"] == last and settled["delisted"] and settled["label"] == 1
    assert settled["settled_at"] == market.close_of(market.sessions[52])
    assert market.one("SIM002")["delisted"].drop_nulls().any() is False


def _gone(market: Any, row: dict[str, Any]) -> bool:
    return row["instrument_id"] == "SIM001" and row["session"] > market.sessions[50]


def test_a_halted_session_is_skipped(market: Any) -> None:
    market.list_instruments()
    halted = ("SIM001", market.sessions[40])
    rows = [r for r in market.bars() if (r["instrument_id"], r["session"]) != halted]
    market.append(BARS, rows)
    frame = dict(market.one("SIM001").select("session", "settled_at").iter_rows())
    assert frame[market.sessions[39]] == market.close_of(market.sessions[41])
    assert market.sessions[40] not in frame
