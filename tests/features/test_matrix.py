"""Matrices against a real Postgres: what is known decides, to the last row."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from contracts.store import Provenance, Store
from contracts.tables import (
    ACTIONS,
    BARS,
    HEADLINE_SYMBOLS,
    HEADLINES,
    MEMBERSHIPS,
    SENTIMENTS,
    SYMBOLS,
)
from features.facts import NoFacts
from features.matrix import MatrixMissing, TextUnscored, load_matrix, materialise
from features.views import view

pytestmark = pytest.mark.integration

DAILY = view("daily_0")
PRICES = [name for name in DAILY.features if not name.startswith("news")]


def matrix(market: Any, first: int = 0, last: int = -1, snapshot: int = 0) -> pl.DataFrame:
    """Materialise and load the sessions between two places."""
    days = market.sessions[first], market.sessions[last]
    asked = (market.store, DAILY, market.universe, *days, snapshot or market.store.snapshot())
    materialise(*asked)
    frame = pl.from_arrow(load_matrix(*asked))
    assert isinstance(frame, pl.DataFrame)
    return frame


def of(frame: pl.DataFrame, instrument: str) -> pl.DataFrame:
    return frame.filter(pl.col("instrument_id") == instrument).sort("session")


def features(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("instrument_id", "session", "as_of", *DAILY.features)


def test_a_matrix_has_its_columns_and_its_truth(market: Any) -> None:
    frame = matrix(market.load())
    named = ["instrument_id", "symbol", "session", "as_of"]
    settled = ["label", "settled_at", "total_return", "delisted", "persistence"]
    assert frame.columns == [*named, *DAILY.features, *settled]
    assert frame.height == 3 * 60
    assert frame["return_1"].dtype == pl.Float32
    one = of(frame, "SIM002")
    closes = market.close[1]
    momentum = one["momentum_5"].to_list()
    assert momentum[:5] == [None] * 5
    assert momentum[5:] == pytest.approx(closes[5:] / closes[:-5] - 1, rel=1e-6)
    assert one["as_of"].to_list() == [market.close_of(day) for day in market.sessions]


def test_labels_settle_at_the_next_close_and_persist(market: Any) -> None:
    one = of(matrix(market.load()), "SIM001")
    assert one["label"].null_count() == 20 + 1  # no volatility yet, and the newest
    assert one["settled_at"].to_list()[20:-1] == one["as_of"].to_list()[21:]
    assert one["persistence"].to_list()[1:] == one["label"].to_list()[:-1]
    early = of(matrix(market, last=40), "SIM001")
    assert early["label"].to_list()[-1] is None and early["settled_at"].to_list()[-1] is None
    assert early["label"].to_list()[:-1] == one["label"].to_list()[:40]


def test_a_session_is_written_once_and_ranges_agree(market: Any) -> None:
    market.load()
    whole = matrix(market, 30, 50)
    asked = (market.store, DAILY, market.universe)
    days = market.sessions
    assert materialise(*asked, days[30], days[50], market.store.snapshot()) == 0
    assert materialise(*asked, days[25], days[52], market.store.snapshot()) == 5 + 2
    fresh = matrix(market, 0, -1).filter(pl.col("session").is_between(days[30], days[50]))
    assert_frame_equal(features(fresh), features(whole))


def test_one_session_alone_gives_what_the_range_gives(market: Any) -> None:
    market.load()
    alone = matrix(market, 45, 45)
    whole = matrix(market, 0, -1).filter(session=market.sessions[45])
    again = market.store.query("SELECT count(DISTINCT path) AS n FROM materialisations")
    assert again["n"].to_pylist() == [2]
    assert_frame_equal(features(alone), features(whole), check_exact=True)


def test_a_matrix_belongs_to_one_snapshot(market: Any) -> None:
    market.load()
    matrix(market)
    snapshot = market.store.snapshot()
    with pytest.raises(MatrixMissing, match=f"python -m features materialise .*{snapshot - 1}"):
        load_matrix(
            market.store,
            DAILY,
            market.universe,
            market.sessions[0],
            market.sessions[-1],
            snapshot - 1,
        )


def test_an_unknown_universe_is_named(store: Store, market: Any) -> None:
    with pytest.raises(NoFacts, match="python -m etl load --universe nowhere"):
        materialise(store, DAILY, "nowhere", market.sessions[0], market.sessions[1], 1)


def test_a_restatement_changes_only_later_decisions(market: Any) -> None:
    before = matrix(market.load())
    snapshot = market.store.snapshot()
    at = market.close_of(market.sessions[45]) + timedelta(hours=1)
    wrong = float(market.close[0, 40]) * 1.2
    market.append(BARS, [market.bar(0, 40, close=wrong, high=wrong, known_at=at)])
    after = matrix(market)
    own = [name for name in PRICES if name != "momentum_rank"]
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
    assert_frame_equal(features(matrix(market, snapshot=snapshot)), features(before))


def test_a_restated_truth_is_seen_from_then_on(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[45])
    high, low = float(market.open[0, 40]) * 1.001, float(market.open[0, 40]) * 0.5
    market.append(BARS, [market.bar(0, 40, high=high, low=low, known_at=at)])
    before, after = (of(matrix(market, last=last), "SIM001") for last in (44, 45))
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
    one = of(matrix(market), "SIM001")
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
    market.append(ACTIONS, [action(market, "SIM002", ex, "split", 2.0)])
    frame = matrix(market)
    shown = [name for name in DAILY.features if name != "momentum_rank"]
    shown += ["label", "total_return", "persistence"]
    assert_frame_equal(of(frame, "SIM001").select(shown), of(frame, "SIM002").select(shown))


def test_a_split_known_late_jolts_only_what_could_not_know(market: Any) -> None:
    market.close[0, 40:] /= 2
    market.load()
    at = market.close_of(market.sessions[42])
    market.append(ACTIONS, [action(market, "SIM001", 40, "split", 2.0) | {"known_at": at}])
    returns = of(matrix(market), "SIM001")["return_1"].to_list()
    closes = market.close[0]
    assert returns[40] == pytest.approx(closes[40] / closes[39] - 1, rel=1e-6)
    assert returns[40] < -0.4 and returns[41] > -0.2
    momentum = of(matrix(market), "SIM001")["momentum_5"].to_list()
    assert momentum[41] == pytest.approx(closes[41] / closes[36] - 1, rel=1e-6)
    assert momentum[42] == pytest.approx(2 * closes[42] / closes[37] - 1, rel=1e-6)


def test_a_dividend_belongs_to_the_return(market: Any) -> None:
    market.load()
    market.append(ACTIONS, [action(market, "SIM001", 40, "dividend", 0.5)])
    returns = of(matrix(market), "SIM001")["return_1"].to_list()
    closes = market.close[0]
    assert returns[40] == pytest.approx((closes[40] + 0.5) / closes[39] - 1, rel=1e-6)
    assert returns[41] == pytest.approx(closes[41] / closes[40] - 1, rel=1e-6)


def action(market: Any, instrument: str, ex: int, kind: str, value: float) -> dict[str, Any]:
    known = {"known_at": market.close_of(market.sessions[ex - 5]), "source": "simulated"}
    about = {"instrument_id": instrument, "ex_date": market.sessions[ex]}
    return about | known | {"kind": kind, "value": value}


def test_a_delisted_instrument_settles_at_its_last_price(market: Any) -> None:
    market.list_instruments()
    market.append(BARS, [row for row in market.bars() if not _gone(market, row)])
    unsettled = of(matrix(market), "SIM001")
    assert unsettled["label"].to_list()[-1] is None
    last = market.sessions[50]
    end = {"symbol": "SIM001", "instrument_id": "SIM001", "valid_from": market.sessions[0]}
    known = {"valid_to": last, "known_at": market.close_of(market.sessions[52])}
    market.append(SYMBOLS, [end | known])
    settled = of(matrix(market), "SIM001").tail(1).to_dicts()[0]
    assert settled["session"] == last and settled["delisted"] and settled["label"] == 1
    assert settled["settled_at"] == market.close_of(market.sessions[52])
    assert of(matrix(market), "SIM002")["delisted"].drop_nulls().any() is False


def _gone(market: Any, row: dict[str, Any]) -> bool:
    return row["instrument_id"] == "SIM001" and row["session"] > market.sessions[50]


def test_a_halted_session_is_skipped(market: Any) -> None:
    market.list_instruments()
    halted = ("SIM001", market.sessions[40])
    rows = [r for r in market.bars() if (r["instrument_id"], r["session"]) != halted]
    market.append(BARS, rows)
    frame = dict(of(matrix(market), "SIM001").select("session", "settled_at").iter_rows())
    assert frame[market.sessions[39]] == market.close_of(market.sessions[41])
    assert market.sessions[40] not in frame


def test_news_counts_when_it_was_known(market: Any) -> None:
    market.load()
    close = market.close_of(market.sessions[40])
    headline(market, close, "at the close", 0.8)
    headline(market, close + timedelta(seconds=1), "a second later", -0.4)
    headline(market, close + timedelta(minutes=5), "without opinion", 0.0)
    found = of(matrix(market), "SIM001")
    sentiment, count = found["news_sentiment_1"].to_list(), found["news_count_5"].to_list()
    assert sentiment[39:43] == [None, pytest.approx(0.8), pytest.approx(-0.2), None]
    assert count[39:47] == [0, 1, 3, 3, 3, 3, 2, 0]
    assert of(matrix(market), "SIM002")["news_count_5"].to_list()[39:43] == [0, 0, 0, 0]


def test_unscored_headlines_are_no_silent_nulls(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[40])
    headline(market, at, "no sentiment yet", None)
    with pytest.raises(TextUnscored, match=r"1 headlines .* training score-text --universe sim3"):
        matrix(market)
    matrix(market, last=39)
    score(market, "no sentiment yet", 0.5, at)
    assert of(matrix(market), "SIM001")["news_sentiment_1"][40] == pytest.approx(0.5)


def test_the_sentiment_is_that_of_the_model_used_last(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[40])
    headline(market, at, "good", 0.5)
    score(market, "good", -0.7, at + timedelta(days=1), version="m-2")
    assert of(matrix(market), "SIM001")["news_sentiment_1"][40] == pytest.approx(-0.7)


def test_late_news_moves_nothing_that_was_decided(market: Any) -> None:
    before = matrix(market.load())
    snapshot = market.store.snapshot()
    happened = market.close_of(market.sessions[40]) - timedelta(hours=1)
    told = market.close_of(market.sessions[43]) - timedelta(hours=1)
    headline(market, happened, "late", 0.6, known_at=told)
    stale = market.close_of(market.sessions[50])
    headline(market, market.close_of(market.sessions[5]), "stale", 0.6, known_at=stale)
    after = matrix(market)
    until = pl.col("session") < market.sessions[43]
    assert_frame_equal(features(before.filter(until)), features(after.filter(until)))
    counts = of(after, "SIM001")["news_count_5"].to_list()
    assert counts[42:49] == [0, 1, 1, 1, 1, 1, 0] and counts[50] == 0
    assert_frame_equal(features(matrix(market, snapshot=snapshot)), features(before))


def headline(
    market: Any,
    at: datetime,
    native: str,
    tone: float | None,
    known_at: datetime | None = None,
) -> None:
    row = {"source": "simulated", "native_id": native, "event_time": at}
    row |= {"known_at": known_at or at}
    market.append(HEADLINES, [row | {"text": native, "text_hash": native, "url": None}])
    market.append(HEADLINE_SYMBOLS, [row | {"instrument_id": "SIM001"}])
    if tone is not None:
        score(market, native, tone, at)


def score(market: Any, text: str, tone: float, at: datetime, version: str = "m-1") -> None:
    row = {"text_hash": text, "model_version": version, "scored_at": at}
    row |= {"p_negative": 0.5 - tone / 2, "p_neutral": 0.0, "p_positive": 0.5 + tone / 2}
    market.store.record(SENTIMENTS, pa.Table.from_pylist([row], schema=SENTIMENTS.schema))


def test_members_alone_are_decided_upon(market: Any) -> None:
    market.load()
    span = {"universe": market.universe, "instrument_id": "SIM003"}
    span |= {"valid_from": market.sessions[0], "valid_to": market.sessions[45]}
    market.append(MEMBERSHIPS, [span | {"known_at": market.close_of(market.sessions[46])}])
    frame = matrix(market)
    assert of(frame, "SIM003")["session"].max() == market.sessions[45]
    ranks = frame.filter(session=market.sessions[50])["momentum_rank"].sort().to_list()
    assert ranks == pytest.approx([0.25, 0.75])


def test_nobody_is_a_member_before_it_was_known(market: Any) -> None:
    market.load()
    span = {"universe": "joined", "instrument_id": "SIM001", "valid_to": None}
    span |= {"valid_from": market.sessions[0], "known_at": market.close_of(market.sessions[30])}
    market.append(MEMBERSHIPS, [span])
    market.universe = "joined"
    assert matrix(market, 30)["session"].to_list() == list(market.sessions[30:])
    with pytest.raises(NoFacts, match="no members known by"):
        matrix(market, 0, 29)


def test_a_universe_without_bars_is_an_empty_matrix(market: Any) -> None:
    market.list_instruments()
    assert matrix(market).height == 0


def test_a_universe_reads_the_source_that_named_its_members(market: Any) -> None:
    market.load()
    other = Provenance("load", "elsewhere", "simulated", vintages=True)
    rows = [market.bar(0, j, source="elsewhere", close=1.0 + j) for j in range(60)]
    market.store.append(BARS, pa.Table.from_pylist(rows, schema=BARS.schema), other)
    span = {"universe": "theirs", "instrument_id": "SIM001", "valid_to": None}
    span |= {"valid_from": market.sessions[0], "known_at": market.close_of(market.sessions[0])}
    named = pa.Table.from_pylist([span], schema=MEMBERSHIPS.schema)
    ours = of(matrix(market), "SIM001")["return_1"].to_list()
    market.store.append(MEMBERSHIPS, named, other)
    assert of(matrix(market), "SIM001")["return_1"].to_list() == ours
    market.universe = "theirs"
    assert matrix(market)["return_1"].to_list()[1:3] == pytest.approx([1.0, 0.5])
