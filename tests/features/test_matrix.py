"""Matrices against a real Postgres: written once, complete, of one snapshot."""

from datetime import timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from contracts.cut import Cut
from contracts.store import Provenance, Store
from contracts.tables import BARS, MEMBERSHIPS
from contracts.universe import universe
from features.facts.members import NoFacts
from features.matrix.matrix import MatrixMissing, load_matrix, materialise
from features.target import TARGETS, target
from features.view import FeatureView, view

pytestmark = pytest.mark.integration

DAILY = view("daily_0")


def of(frame: pl.DataFrame, instrument: str) -> pl.DataFrame:
    return frame.filter(pl.col("instrument_id") == instrument).sort("session")


def features(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("instrument_id", "session", "as_of", *DAILY.features)


def test_a_matrix_has_its_columns_and_its_truth(market: Any) -> None:
    frame = market.load().matrix()
    named = ["instrument_id", "symbol", "session", "as_of"]
    settled = ["label", "settled_at", "total_return", "delisted", "ambiguous"]
    beside = ["return_before", "persistence"]
    assert frame.columns == [*named, *DAILY.features, *beside, *settled]
    floats = {name for name, kind in frame.schema.items() if kind == pl.Float32}
    assert floats == set(DAILY.features)
    assert frame.height == 3 * 60
    assert frame["return_1"].dtype == pl.Float32
    one = of(frame, "SIM002")
    closes = market.close[1]
    momentum = one["momentum_5"].to_list()
    assert momentum[:5] == [None] * 5
    assert momentum[5:] == pytest.approx(closes[5:] / closes[:-5] - 1, rel=1e-6)
    assert one["return_before"].to_list()[10:] == pytest.approx(closes[10:] / closes[:-10] - 1)
    assert one["as_of"].to_list() == [market.close_of(day) for day in market.sessions]


def test_labels_settle_at_the_next_close_and_persist(market: Any) -> None:
    one = market.load().one("SIM001")
    assert one["label"].null_count() == 20 + 1  # no volatility yet, and the newest
    assert one["settled_at"].to_list()[20:-1] == one["as_of"].to_list()[21:]
    assert one["persistence"].to_list()[1:] == one["label"].to_list()[:-1]
    early = market.one("SIM001", last=40)
    assert early["label"].to_list()[-1] is None and early["settled_at"].to_list()[-1] is None
    assert early["label"].to_list()[:-1] == one["label"].to_list()[:40]


def test_a_session_is_written_once_and_ranges_agree(market: Any) -> None:
    market.load()
    whole = market.matrix(30, 50)
    days = market.sessions
    assert materialise(market.store, market.cut(days[30], days[50]), DAILY) == 0
    assert materialise(market.store, market.cut(days[25], days[52]), DAILY) == 5 + 2
    fresh = market.matrix(0, -1).filter(pl.col("session").is_between(days[30], days[50]))
    assert_frame_equal(features(fresh), features(whole))


def test_one_session_alone_gives_what_the_range_gives(market: Any) -> None:
    market.load()
    alone = market.matrix(45, 45)
    whole = market.matrix(0, -1).filter(session=market.sessions[45])
    again = market.store.query("SELECT count(DISTINCT path) AS n FROM materialisations")
    assert again["n"].to_pylist() == [2]
    assert_frame_equal(features(alone), features(whole), check_exact=True)


def test_a_matrix_belongs_to_one_snapshot(market: Any) -> None:
    market.load()
    market.matrix()
    snapshot = market.store.snapshot()
    with pytest.raises(MatrixMissing, match=f"python -m features materialise .*{snapshot - 1}"):
        load_matrix(
            market.store, market.cut(market.sessions[0], market.sessions[-1], snapshot - 1), DAILY
        )


def test_another_text_model_makes_its_own_matrix(market: Any) -> None:
    market.load()
    at = market.close_of(market.sessions[40]) - timedelta(hours=1)
    market.headline(at, "news", 0.5)
    days = market.sessions

    def tone() -> list[float]:
        frame = market.one("SIM001", first=38, last=42)
        return frame["news_sentiment_1"].drop_nulls().to_list()

    assert tone() == [0.5]
    market.score("news", -0.5, at + timedelta(minutes=1), "m-2")
    assert tone() == [0.5], "who scored last says nothing to who was pinned before"
    market.text_model = "m-2"
    assert tone() == [-0.5]
    for model in ("m-1", "m-2"):
        assert materialise(market.store, market.cut(days[38], days[42]), DAILY, model) == 0
    models = market.store.query("SELECT DISTINCT text_model, path FROM materialisations")
    assert sorted(models["text_model"].to_pylist()) == ["m-1", "m-2"]


def test_an_unknown_universe_is_named(store: Store, market: Any) -> None:
    with pytest.raises(NoFacts, match="python -m etl load --universe nowhere"):
        asked = Cut(universe("nowhere"), market.sessions[0], market.sessions[1], 1)
        materialise(store, asked, DAILY)


def test_members_alone_are_decided_upon(market: Any) -> None:
    market.load()
    span = {"universe": market.universe, "instrument_id": "SIM003"}
    span |= {"valid_from": market.sessions[0], "valid_to": market.sessions[45]}
    market.append(MEMBERSHIPS, [span | {"known_at": market.close_of(market.sessions[46])}])
    frame = market.matrix()
    assert of(frame, "SIM003")["session"].max() == market.sessions[45]
    ranks = frame.filter(session=market.sessions[50])["momentum_rank"].sort().to_list()
    assert ranks == pytest.approx([0.25, 0.75])


def test_nobody_is_a_member_before_it_was_known(market: Any) -> None:
    market.load()
    span = {"universe": "joined", "instrument_id": "SIM001", "valid_to": None}
    span |= {"valid_from": market.sessions[0], "known_at": market.close_of(market.sessions[30])}
    market.append(MEMBERSHIPS, [span])
    market.universe = "joined"
    assert market.matrix(30)["session"].to_list() == list(market.sessions[30:])
    with pytest.raises(NoFacts, match="no members known by"):
        market.matrix(0, 29)


def test_a_universe_without_bars_is_an_empty_matrix(market: Any) -> None:
    market.list_instruments()
    assert market.matrix().height == 0


def test_a_universe_reads_the_source_that_named_its_members(market: Any) -> None:
    market.load()
    other = Provenance("load", "elsewhere", "simulated", vintages=True)
    rows = [market.bar(0, j, source="elsewhere", close=1.0 + j) for j in range(60)]
    market.store.append(BARS, pa.Table.from_pylist(rows, schema=BARS.schema), other)
    span = {"universe": "theirs", "instrument_id": "SIM001", "valid_to": None}
    span |= {"valid_from": market.sessions[0], "known_at": market.close_of(market.sessions[0])}
    named = pa.Table.from_pylist([span], schema=MEMBERSHIPS.schema)
    ours = market.one("SIM001")["return_1"].to_list()
    market.store.append(MEMBERSHIPS, named, other)
    assert market.one("SIM001")["return_1"].to_list() == ours
    market.universe = "theirs"
    assert market.matrix()["return_1"].to_list()[1:3] == pytest.approx([1.0, 0.5])


def test_one_matrix_serves_every_target(market: Any) -> None:
    """Written once under a view, the truth of each target is joined when it is loaded."""
    market.load()
    whole, bare = market.matrix(), FeatureView("bare", DAILY.features)
    cut = market.cut(market.sessions[0], market.sessions[-1])

    def aimed(name: str) -> pl.DataFrame:
        return pl.DataFrame(load_matrix(market.store, cut, bare, target=target(name)))

    assert materialise(market.store, cut, bare) == 60
    alone = load_matrix(market.store, cut, bare)
    assert alone.column_names == ["instrument_id", "symbol", "session", "as_of", *DAILY.features]
    closes, told = [market.close_of(day) for day in market.sessions], set()
    for name in TARGETS.names():
        found = aimed(name)
        assert_frame_equal(features(found), features(whole))
        settled = of(found, "SIM001")["settled_at"].drop_nulls().to_list()
        horizon = target(name).label.horizon
        if not settled:  # Levels are named by more sessions than these.
            continue
        told.add(name)
        assert settled[-1] == closes[-1] and set(settled) <= set(closes[horizon:])
    assert set(TARGETS.names()) - told <= {"levels_5"}
    assert materialise(market.store, cut, bare) == 0
    gain = aimed("return_5")
    assert gain["label"].to_list() == gain["total_return"].to_list()
    # A view of before has a label of its own, unless it is asked for another truth.
    old = pl.DataFrame(load_matrix(market.store, cut, DAILY, target=target("return_5")))
    assert old["label"].to_list() == gain["label"].to_list() != whole["label"].to_list()
