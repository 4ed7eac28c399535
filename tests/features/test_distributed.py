"""One definition, three settings: in this process, in Spark's workers, and online."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from panel_inputs import calendar_columns, input_columns
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Provenance, Store
from contracts.tables import EMBEDDINGS, SENTIMENTS, TABLES
from contracts.time.calendar import session_close
from contracts.universe import universe
from etl.batch.batch import Batch, manifest
from etl.load import collect
from etl.quality.clean import judged
from etl.source import SOURCES
from features.__main__ import app
from features.distributed import evaluate_in_spark, spark_session
from features.engine import evaluate
from features.facts.facts import Request, read
from features.facts.panels import decision_panel
from features.feature import FEATURES, Feature
from features.input import columns
from features.matrix.matrix import materialise, written
from features.panel.panel import Panel
from features.panel.series import Numbers, Values
from features.view import view

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ALL = list(FEATURES)
REACH = max(feature.lookback for feature in ALL)


@pytest.fixture(scope="module")
def spark() -> Iterator["SparkSession"]:
    with spark_session("local[2]") as session:
        yield session


def assert_equal(found: Numbers, wanted: Numbers, name: str) -> None:
    """|a - b| <= 1e-9 max(1, |a|), nulls in the same places."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted), name)
    apart = np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))
    assert np.nanmax(apart, initial=0.0) <= 1e-9, f"{name}: {np.nanmax(apart)}"


def online(panel: Panel, feature: Feature, moment: np.datetime64) -> Numbers:
    """The feature at that moment, from the last `lookback` rows of each instrument."""
    seen = panel.where(panel.as_of <= moment).tail(feature.lookback)
    return evaluate(seen, [feature], threads=1)[feature.name][seen.as_of == moment]


def assert_three_settings(
    panel: Panel, spark: "SparkSession", moments: Sequence[np.datetime64], buckets: int
) -> None:
    here = evaluate(panel, ALL)
    there = evaluate_in_spark(spark, panel, ALL, buckets=buckets)
    for feature in ALL:
        whole = here[feature.name]
        assert_equal(there[feature.name], whole, f"{feature.name} in Spark")
        for moment in moments:
            found = online(panel, feature, moment)
            assert_equal(found, whole[panel.as_of == moment], f"{feature.name} at {moment}")


def load_simulated(store: Store, monkeypatch: pytest.MonkeyPatch) -> Request:
    """Facts of four instruments, every text with a sentiment and an embedding of its hash."""
    monkeypatch.setenv("FINPULSE_SIM_INSTRUMENTS", "4")
    monkeypatch.setenv("FINPULSE_SIM_SESSIONS", str(REACH + 40))
    settings.cache_clear()
    now = session_close("XNYS", date(2025, 6, 30))
    first, last = SOURCES.get("simulated").extent(universe(), settings(), now)
    batch = Batch("simulated", "sim4", first, last)
    collect(batch, settings(), now)
    origin = Provenance("load", "simulated", "simulated", vintages=True)
    for name, good, _ in judged(manifest(batch)):
        store.append(TABLES[name], good, origin)
    hashes = store.query("SELECT DISTINCT text_hash FROM headlines")["text_hash"].to_pylist()
    tones = [int(hashlib.sha256(h.encode()).hexdigest(), 16) % 100 / 100 for h in hashes]
    rows = [
        {"text_hash": h, "model_version": "m-1", "scored_at": now, "p_neutral": 0.0}
        | {"p_negative": 1 - tone, "p_positive": tone}
        for h, tone in zip(hashes, tones, strict=True)
    ]
    store.record(SENTIMENTS, pa.Table.from_pylist(rows, schema=SENTIMENTS.schema))
    vectors = [
        {"text_hash": h, "model_version": "m-1", "embedded_at": now}
        | {"vector": [byte / 255 - 0.5 for byte in hashlib.sha256(h.encode()).digest()]}
        for h in hashes
    ]
    store.record(EMBEDDINGS, pa.Table.from_pylist(vectors, schema=EMBEDDINGS.schema))
    return Request(Cut(universe("sim4"), first, last, store.snapshot()), REACH, text_model="m-1")


@pytest.mark.spark
@pytest.mark.integration
def test_the_settings_agree_on_the_simulated_market(
    store: Store, spark: "SparkSession", monkeypatch: pytest.MonkeyPatch
) -> None:
    request = load_simulated(store, monkeypatch)
    panel = decision_panel(read(store, request), REACH)
    moments = np.unique(panel.as_of)
    assert_three_settings(panel, spark, moments[[60, 250, -1]], buckets=3)

    # Online from the facts of the last session alone, read anew.
    last = request.cut.last
    alone = replace(request, cut=request.cut.since(last))
    few = decision_panel(read(store, alone), REACH)
    here, newest = evaluate(panel, ALL), few.decided
    assert 0 < newest.sum() <= 4
    found = evaluate(few, ALL)
    asked = panel.decided & (panel.session == np.datetime64(last))
    for feature in ALL:
        assert np.isfinite(here[feature.name]).any(), feature.name
        assert_equal(found[feature.name][newest], here[feature.name][asked], feature.name)


@pytest.mark.spark
@pytest.mark.integration
def test_the_verb_writes_in_spark_what_it_writes_in_its_process(market: Any) -> None:
    market.load()
    for place in (3, 20, 40, 55):
        at = market.close_of(market.sessions[place]) - timedelta(hours=2)
        market.headline(at, f"news {place}", 0.1 * place - 2)
    days = market.sessions
    words = ["materialise", "--view", "daily_2", "--universe", market.universe]
    words += ["--first", str(days[0]), "--last", str(days[-1]), "--text-model", "m-1"]
    done = CliRunner().invoke(app, [*words, "--engine", "spark"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "features are computed in Spark on local[2]" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"{len(days)} sessions materialised")
    # The same features under another hash, so that they are computed again.
    here, cut = replace(view("daily_2"), version=99), market.cut(days[0], days[-1])
    materialise(market.store, cut, here, "m-1")
    for day in days:
        there = written(market.store, cut.until(day), view("daily_2"), "m-1")
        again = written(market.store, cut.until(day), here, "m-1")
        assert_frame_equal(there, again, check_exact=True)
    refused = CliRunner().invoke(app, [*words, "--engine", "flink"])
    assert refused.exit_code == 2 and "flink" in refused.output


def folder() -> Path:
    named = os.environ.get("FINPULSE_TEST_DATA")
    if not named:
        pytest.skip("FINPULSE_TEST_DATA is unset: it names the folder with sp500_daily, stocknet")
    return Path(named)


def sp500() -> tuple[pl.DataFrame, pl.DataFrame]:
    bars = pl.read_parquet(folder() / "sp500_daily" / "daily_adjusted_2005_2019.parquet")
    factor = pl.col("adjusted_close") / pl.col("close")
    bars = bars.with_columns(pl.col("date").str.to_date())
    bars = bars.filter(pl.col("date").dt.year() >= 2015).with_columns(
        *(pl.col(name) * factor for name in ("open", "high", "low")),
        close=pl.col("adjusted_close"),
        total=pl.col("adjusted_close"),
    )
    return bars, pl.DataFrame(schema={"ticker": pl.String, "known_at": pl.Datetime("us", "UTC")})


def stocknet() -> tuple[pl.DataFrame, pl.DataFrame]:
    bars = pl.read_parquet(folder() / "stocknet" / "prices_raw.parquet")
    told = pl.read_parquet(folder() / "stocknet" / "tweets_raw.parquet")
    bars = bars.with_columns(pl.col("date").str.to_date()).rename({"adj_close": "total"})
    return bars, told.select("ticker", known_at="created_at")


def real_panel(bars: pl.DataFrame, told: pl.DataFrame, count: int) -> Panel:
    """The first instruments by name, with headlines where they are told of."""
    names = sorted(set(bars["ticker"]))[:count]
    groups = [bars.filter(ticker=name).sort("date") for name in names]
    closes = {day: session_close("XNYS", day) for day in set(bars["date"])}
    parts, moments = list[dict[str, Values]](), []
    for name, rows in zip(names, groups, strict=True):
        close = [closes[day].replace(tzinfo=None) for day in rows["date"]]
        as_of = np.array(close, "datetime64[us]")
        news = told.filter(ticker=name).sort("known_at").select("known_at")
        tone = (pl.int_range(pl.len()) * 37 % 100 / 50 - 1).cast(pl.Float64)
        days = rows["date"].to_numpy()
        prices = {c: rows[c].to_numpy().astype(float) for c in _BARS}
        # The columns about the universe and the world are made up: their values do not matter here.
        wave = 1.1 + np.sin(np.arange(len(rows)))
        parts.append(
            {column: wave for column in columns()}
            | prices
            | {"dividend": np.zeros(len(rows))}
            | input_columns("news", as_of, {"news": news.with_columns(tone=tone)})
            | calendar_columns("XNYS", days, as_of)
        )
        moments.append(as_of)
    lengths = [len(rows) for rows in groups]
    return Panel(
        columns={c: np.concatenate([part[c] for part in parts]) for c in columns()},
        offsets=np.cumsum([0, *lengths]),
        instruments=tuple(names),
        ended=np.full(len(names), np.datetime64("NaT", "us")),
        session=np.concatenate([rows["date"].to_numpy() for rows in groups]),
        as_of=np.concatenate(moments),
        decided=np.ones(sum(lengths), bool),
    )


_BARS = ("open", "high", "low", "close", "volume", "total")


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("market", [sp500, stocknet])
def test_the_settings_agree_on_real_data(market: object, spark: "SparkSession") -> None:
    bars, told = market()  # type: ignore[operator]
    panel = real_panel(bars, told, 80)
    moments = np.unique(panel.as_of)
    assert_three_settings(panel, spark, moments[[100, 600, -2, -1]], buckets=8)
