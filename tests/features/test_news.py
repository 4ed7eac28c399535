"""Headlines count in the session whose close first knew them."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from contracts.store import Store
from features.facts.text_model import latest_of
from features.matrix.matrix import TextUnscored
from features.view import view

pytestmark = pytest.mark.integration

DAILY = view("daily_0")


def of(frame: pl.DataFrame, instrument: str) -> pl.DataFrame:
    return frame.filter(pl.col("instrument_id") == instrument).sort("session")


def features(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("instrument_id", "session", "as_of", *DAILY.features)


def test_news_counts_when_it_was_known(market: Any) -> None:
    market.load()
    close = market.close_of(market.sessions[40])
    market.headline(close, "at the close", 0.8)
    market.headline(close + timedelta(seconds=1), "a second later", -0.4)
    market.headline(close + timedelta(minutes=5), "without opinion", 0.0)
    found = market.one("SIM001")
    sentiment, count = found["news_sentiment_1"].to_list(), found["news_count_5"].to_list()
    assert sentiment[39:43] == [None, pytest.approx(0.8), pytest.approx(-0.2), None]
    assert count[39:47] == [0, 1, 3, 3, 3, 3, 2, 0]
    assert market.one("SIM002")["news_count_5"].to_list()[39:43] == [0, 0, 0, 0]


def test_unscored_headlines_are_no_silent_nulls(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[40])
    market.headline(at, "no sentiment yet", None)
    with pytest.raises(TextUnscored, match=r"1 headlines .* training score-text --model m-1 --u"):
        market.matrix()
    market.matrix(last=39)
    market.score("no sentiment yet", 0.5, at)
    assert market.one("SIM001")["news_sentiment_1"][40] == pytest.approx(0.5)


def test_the_sentiment_is_that_of_the_model_that_is_asked_for(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[40])
    market.headline(at, "good", 0.5)
    market.score("good", -0.7, at + timedelta(days=1), version="m-2")
    assert market.one("SIM001")["news_sentiment_1"][40] == pytest.approx(0.5)
    market.headline(at, "news to m-2", 0.5)
    market.text_model = "m-2"
    command = r"no sentiment by m-2: run `python -m training score-text --model m-2 --universe"
    with pytest.raises(TextUnscored, match=command):
        market.matrix()
    market.score("news to m-2", -0.7, at, version="m-2")
    assert market.one("SIM001")["news_sentiment_1"][40] == pytest.approx(-0.7)


def test_a_model_that_has_scored_nothing_says_what_none_does(market: Any) -> None:
    market.load()
    market.matrix(first=38, last=40)
    market.text_model = "m-2"
    market.matrix(first=38, last=40)
    written = market.store.query("SELECT count(*) AS n FROM materialisations")
    assert written["n"].to_pylist() == [3]
    market.headline(market.close_of(market.sessions[40]), "unknown to it", 0.5)
    with pytest.raises(TextUnscored, match="score-text --model m-2"):
        market.matrix()


def test_the_default_is_the_newest_version_of_the_settings_model(store: Store, market: Any) -> None:
    at = market.close_of(market.sessions[40])
    for place, version in enumerate(("minilm-old", "other@1-x", "minilm-new", "minimal-1")):
        market.score("a", 0.5, at + timedelta(minutes=place), version)
    assert latest_of(store, "minilm") == "minilm-new"
    market.score("b", 0.5, at + timedelta(hours=1), "minilm-old")
    assert latest_of(store, "minilm") == "minilm-new", "an old one that goes on is not newer"
    assert latest_of(store, "minilm-old") == "minilm-old"
    assert latest_of(store, "other") == "other@1-x"
    assert latest_of(store, "ProsusAI/finbert") == ""
    assert latest_of(store, "min%") == ""


def test_late_news_moves_nothing_that_was_decided(market: Any) -> None:
    before = market.load().matrix()
    snapshot = market.store.snapshot()
    happened = market.close_of(market.sessions[40]) - timedelta(hours=1)
    told = market.close_of(market.sessions[43]) - timedelta(hours=1)
    market.headline(happened, "late", 0.6, known_at=told)
    stale = market.close_of(market.sessions[50])
    market.headline(market.close_of(market.sessions[5]), "stale", 0.6, known_at=stale)
    after = market.matrix()
    until = pl.col("session") < market.sessions[43]
    assert_frame_equal(features(before.filter(until)), features(after.filter(until)))
    counts = of(after, "SIM001")["news_count_5"].to_list()
    assert counts[42:49] == [0, 1, 1, 1, 1, 1, 0] and counts[50] == 0
    assert_frame_equal(features(market.matrix(snapshot=snapshot)), features(before))
